"""What a user loses when one of these fails: the second opinion, by another tool, on what two runs do to each other."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from figures import keep

MODEL = Path(__file__).with_name("protocol.pml")
pytestmark = pytest.mark.skipif(
    not (shutil.which("spin") and shutil.which("cc")), reason="spin and a C compiler are not installed"
)


def verified(folder: Path, *weakened: str) -> tuple[int, int]:
    """(states, errors) that spin's verifier finds."""
    defined = [f"-D{each}" for each in weakened]
    subprocess.run(["spin", *defined, "-a", str(MODEL)], cwd=folder, check=True, capture_output=True, timeout=60)
    subprocess.run(["cc", "-DSAFETY", "-o", "pan", "pan.c"], cwd=folder, check=True, capture_output=True, timeout=60)
    told = subprocess.run(["./pan"], cwd=folder, capture_output=True, text=True, timeout=60).stdout
    states, errors = re.search(r"(\d+) states, stored", told), re.search(r"errors: (\d+)", told)
    assert states and errors, told
    return int(states[1]), int(errors[1])


def test_spin_finds_no_way_to_serve_with_what_an_older_run_closed(tmp_path: Path) -> None:
    states, errors = verified(tmp_path)
    assert errors == 0 and states > 20
    keep(spin={"states": states, "errors": errors})


@pytest.mark.parametrize("weakened", ["NO_CLAIM", "NO_LOOK"])
def test_spin_finds_what_is_lost_without_a_protection(tmp_path: Path, weakened: str) -> None:
    assert verified(tmp_path, weakened)[1] > 0
