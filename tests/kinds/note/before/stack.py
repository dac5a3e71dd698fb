"""Nothing is built for a note: scheduled runs write its copy."""

from __future__ import annotations

from pilotlight.stacks.kind import KindStack

KIND = KindStack()
