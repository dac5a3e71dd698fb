"""Nothing is built for volumes: they stay the user's, and their copies are made by scheduled runs."""

from __future__ import annotations

from pilotlight.stacks.kind import KindStack

KIND = KindStack()
