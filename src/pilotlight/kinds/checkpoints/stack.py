"""What is built for checkpoints is what is built for any bucket."""

from __future__ import annotations

from pilotlight.kinds.buckets.stack import BucketStack

KIND = BucketStack()
