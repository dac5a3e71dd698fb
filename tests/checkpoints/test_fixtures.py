"""What a user loses when one of these fails: a run that resumes from a checkpoint that is not all there.

Every checkpoint that a real framework wrote is complete, and none is after any of its files was damaged.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from damage import DAMAGES, FIXTURES, accuses, copied, damage, files, judged

from pilotlight.kinds.checkpoints.declare import CheckpointFormat
from pilotlight.runtime.checkpoints import catalogue, deep, verify
from pilotlight.runtime.checkpoints.format import BYTES_READ_MIN
from pilotlight.runtime.checkpoints.readers import FolderReader

WRITTEN = {
    "safetensors-single": [("", "safetensors", None)],
    "hf-sharded": [("", "safetensors-sharded", None)],
    "hf-bin-sharded": [("", "hf-bin-sharded", None)],
    "torch-zip": [("last.ckpt", "torch", 1200)],
    "lightning": [("epoch=0-step=4.ckpt", "lightning", 4)],
    "torch-dcp": [("step-1200/", "torch-dcp", 1200)],
    "deepspeed": [("global_step1/", "deepspeed", 1), ("global_step2/", "deepspeed", 2)],
    "orbax": [("1100/", "orbax", 1100), ("1200/", "orbax", 1200)],
}
PROVES_NOTHING = {("deepspeed", "latest"), ("hf-sharded", "config.json")}
"""A pointer, and a file that shards do not name: what no format can miss is compared between the regions."""
CASES = [(fixture, file) for fixture in WRITTEN for file in files(fixture) if (fixture, file) not in PROVES_NOTHING]


@pytest.mark.parametrize("fixture", WRITTEN)
def test_what_the_real_frameworks_wrote_is_complete(fixture: str) -> None:
    verdicts = judged(FIXTURES / fixture)
    assert [(each.path, each.format, each.step) for each in verdicts] == WRITTEN[fixture]
    assert all(each.complete and not each.problems for each in verdicts)
    assert all(0 < each.bytes_read <= BYTES_READ_MIN for each in verdicts)


@pytest.mark.parametrize("fixture", WRITTEN)
def test_reading_every_byte_finds_them_whole_too(fixture: str) -> None:
    reader = FolderReader(FIXTURES / fixture)
    for found in verify.find(reader):
        verdict = deep.verify_deeply(found, reader)
        assert verdict.complete and len(verdict.files) == len(found.candidate.files)
        assert verdict.bytes_read >= verdict.bytes_total


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize(("fixture", "file"), CASES)
def test_every_damaged_file_is_named_and_its_checkpoint_refused(
    tmp_path: Path, fixture: str, file: str, how: str
) -> None:
    folder = copied(fixture, tmp_path)
    damage(folder, file, how)
    verdicts = judged(folder)
    is_all_there_was = how == "removed" and len(files(fixture)) == 1
    assert accuses(verdicts, file) or (is_all_there_was and not verdicts), f"{file} {how} was not found"


@pytest.mark.parametrize(
    ("fixture", "file", "other"),
    [
        *(("hf-sharded", f"model-0000{n}-of-00004.safetensors", "model-00004-of-00004.safetensors") for n in (1, 2, 3)),
        ("hf-bin-sharded", "pytorch_model-00001-of-00003.bin", "pytorch_model-00002-of-00003.bin"),
        ("torch-dcp", "step-1200/__0_0.distcp", "step-1200/__1_0.distcp"),
        ("deepspeed", "global_step1/mp_rank_00_model_states.pt", "global_step2/mp_rank_00_model_states.pt"),
        *(
            ("deepspeed", f"global_step1/zero_pp_rank_{rank}_mp_rank_00_optim_states.pt", other)
            for rank in (0, 1)
            for other in (
                f"global_step2/zero_pp_rank_{rank}_mp_rank_00_optim_states.pt",
                f"global_step1/zero_pp_rank_{1 - rank}_mp_rank_00_optim_states.pt",
            )
        ),
    ],
)
def test_a_file_of_another_step_or_rank_is_named(tmp_path: Path, fixture: str, file: str, other: str) -> None:
    folder = copied(fixture, tmp_path)
    shutil.copy(folder / other, folder / file)
    assert accuses(judged(folder), file)


def test_all_of_them_below_one_prefix_are_told_apart() -> None:
    verdicts = [each for each in judged(FIXTURES) if each.path.partition("/")[0] in WRITTEN]
    found = {verdict.path: verdict.format for verdict in verdicts}
    assert set(found.values()) == {format for each in WRITTEN.values() for _, format, _ in each}
    assert len(found) == sum(len(each) for each in WRITTEN.values())
    assert all(verdict.complete for verdict in verdicts)


def test_one_format_alone_claims_nothing_of_the_others() -> None:
    assert {verdict.format for verdict in judged(FIXTURES, "safetensors")} == {"safetensors", "safetensors-sharded"}
    assert [verdict.path for verdict in judged(FIXTURES, "orbax")] == ["orbax/1100/", "orbax/1200/"]
    (not_lightning,) = (each for each in judged(FIXTURES, "lightning") if not each.complete)
    assert not_lightning.path == "torch-zip/last.ckpt"


def test_what_can_be_declared_is_what_can_be_judged() -> None:
    declared = set(CheckpointFormat.__args__) - {verify.AUTO}
    assert declared == {each.name for each in (*catalogue.FORMATS, *catalogue.NARROW)}
