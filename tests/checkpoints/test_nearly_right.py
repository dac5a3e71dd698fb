"""Judgements that are nearly right: each of these a small change in the code would lose, and nobody would see it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from damage import copied, judged
from layouts import Kept, hf, tensors

from pilotlight.runtime.checkpoints.format import Candidate, Damaged, File
from pilotlight.runtime.checkpoints.formats import deepspeed, megatron, safetensors
from pilotlight.runtime.checkpoints.formats.dcp import Part, _covered
from pilotlight.runtime.checkpoints.readers import FolderReader
from pilotlight.runtime.checkpoints.verify import believed, find, verify


def test_a_file_that_a_format_does_not_know_is_named_as_not_judged(tmp_path: Path) -> None:
    folder = copied("torch-dcp", tmp_path)
    (where,) = {path.parent for path in folder.rglob(".metadata")}
    (where / "notes.txt").write_text("by hand")
    verdicts = judged(folder)
    assert any(each.file.endswith("notes.txt") for verdict in verdicts for each in verdict.unjudged)


def test_what_is_believed_is_believed_with_the_step_that_its_files_tell(tmp_path: Path) -> None:
    """Without it the newest would be passed over for one whose name has a number."""
    folder = copied("torch-dcp", tmp_path)
    (folder / "step-1200").rename(folder / "last")
    reader = FolderReader(folder)
    (found,) = find(reader)
    assert believed(found, reader).step == verify(found, reader).step == 1200
    assert believed(found).step is None, "nothing was read"


def test_the_step_of_a_trainers_folder_that_no_name_tells_stays_known_when_it_is_believed() -> None:
    """`best/`, judged once: how many steps a disaster costs would be unknown from the second scheduled run on."""
    whole = hf({"model.safetensors": tensors("w")})
    files = {name.replace("checkpoint-100", "best"): body for name, body in whole.items()}
    reader = Kept(files)
    (found,) = find(reader)
    assert believed(found, reader).step == verify(found, reader).step == 100


def _single() -> dict[str, bytes]:
    source = Path(__file__).parent.parent / "fixtures/checkpoints/safetensors-single"
    (one,) = list(source.rglob("*.safetensors"))
    return {"model.safetensors": one.read_bytes()}


@pytest.mark.parametrize("path", ["/etc/passwd", "../other/__0_0.distcp"])
def test_a_part_that_lies_outside_of_the_folder_is_told_so(path: str) -> None:
    (problem,) = _covered(Candidate("step-1/", ()), [Part("model.weight", path, 0, 16)])
    assert problem.what == "is outside of the checkpoint's folder"


def test_an_index_that_nobody_loads_is_told_by_what_is_wrong_with_it(tmp_path: Path) -> None:
    (tmp_path / "i.json").write_text(json.dumps({"weight_map": {"a": "x.safetensors"}, "strange": 1}))
    with pytest.raises(Damaged, match="holds 'strange' and no metadata"):
        safetensors.read_index(File("i.json", (tmp_path / "i.json").stat().st_size), FolderReader(tmp_path))


@pytest.mark.parametrize(
    ("ranks", "folders"),
    [
        ((1, 1, 1), ["mp_rank_00"]),
        ((2, 1, 1), ["mp_rank_00", "mp_rank_01"]),
        ((1, 2, 1), ["mp_rank_00_000", "mp_rank_00_001"]),
        ((1, 1, 2), ["mp_rank_00_000", "mp_rank_00_001"]),
    ],
)
def test_megatrons_folders_are_called_as_megatron_calls_them(ranks: tuple[int, int, int], folders: list[str]) -> None:
    assert list(megatron._folders(*ranks)) == folders


def test_a_pipeline_whose_layers_begin_later_lacks_no_first_one() -> None:
    """A stage of several: layer 00 is another stage's."""
    saved: dict[str, Any] = {"mp_rank_00_model_states.pt": SimpleNamespace(value={"module": None})}
    assert list(deepspeed._layers(saved, {"layer_03-model_states.pt"})) == []
    (missing,) = deepspeed._layers(saved, set())
    assert missing.file == "layer_00-model_states.pt"


def test_a_trainers_step_below_zero_is_none(tmp_path: Path) -> None:
    for name, body in _single().items():
        (tmp_path / name).write_bytes(body)
    (tmp_path / "trainer_state.json").write_text(json.dumps({"global_step": -1, "log_history": []}))
    (verdict,) = judged(tmp_path)
    assert verdict.step is None


def test_deepspeeds_step_is_read_from_the_models_states(tmp_path: Path) -> None:
    folder = copied("deepspeed", tmp_path)
    reader = FolderReader(folder)
    founds = [each for each in find(reader, "deepspeed")]
    assert founds and all(deepspeed.DeepSpeed().step(each.candidate, reader) is not None for each in founds)
