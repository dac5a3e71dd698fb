"""Figures of the model, as CI keeps them, and how far a test explores."""

from __future__ import annotations

import json
import os
from pathlib import Path

FIGURES = Path(__file__).parents[2] / "build" / "model.json"
STATES = int(os.environ.get("STATES", 40_000))
"""Some seconds on a slow core, within which homeward ends; STATES=2000000 explores as far as memory goes."""


def keep(**figures: object) -> None:
    """Add to them."""
    FIGURES.parent.mkdir(exist_ok=True)
    known = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    weakened = known.get("weakened", {}) | figures.pop("weakened", {})  # type: ignore[operator]
    FIGURES.write_text(json.dumps(known | figures | {"weakened": weakened}, indent=1))
