"""A rehearsal counts what the example says that it writes; an example that says nothing of it is told so, by file."""

from __future__ import annotations

from pathlib import Path

import pytest

from pilotlight.demo.traffic_facts import FILE, facts_of
from pilotlight.runtime.errors import DeclarationUnreadable

EXAMPLE = Path(__file__).parents[2] / "examples/inference-service"


def test_what_the_examples_traffic_writes_is_read_from_the_example() -> None:
    found = facts_of(EXAMPLE)
    assert (found.files_per_checkpoint, found.step, found.checkpoint_folder) == (5, 20, "checkpoints/step-")
    assert (found.objects, found.table, found.column, found.volume_file) == ("numbers/", "numbers", "n", "records.log")


@pytest.mark.parametrize("text", [None, "checkpoints = 1", "[checkpoints]\nfolder = 'x'", "not = = toml"])
def test_an_example_that_does_not_say_it_is_named_with_the_file(tmp_path: Path, text: str | None) -> None:
    (tmp_path / "traffic").mkdir()
    if text is not None:
        (tmp_path / FILE).write_text(text)
    with pytest.raises(DeclarationUnreadable, match=r"traffic\.toml"):
        facts_of(tmp_path)
