"""Folders as frameworks write them and as runs leave them, that were judged wrongly once: each has its right verdict.

Written with torch 2.15, transformers 4.57, accelerate 1.15, deepspeed 0.19 (two ranks) and megatron-core 0.16; what is
damaged was damaged by hand.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from pilotlight.runtime.checkpoints.readers import FolderReader
from pilotlight.runtime.checkpoints.verify import verify_all

CASES = Path(__file__).parent.parent / "fixtures" / "checkpoints-cases"

SOUND = {
    "zero-element-tensor": 7,
    "dcp-empty-tensor": 1,
    "deepspeed-zero3": 1,
    "megatron-core-torch-dist": 2,
    "index-subfolder": 1,
}
"""Case -> how many checkpoints."""
DAMAGED = [
    ("accelerate-bin-no-weights", "step_1200/", "weights", "model.safetensors", False),
    ("deepspeed-pipeline-no-layers", "global_step2/", "", "layer_00-model_states.pt", False),
    ("hf-fsdp-no-optimizer", "checkpoint-1000/", "optimizer", "optimizer_0/", True),
    ("hf-fsdp-no-optimizer", "checkpoint-500/", "weights", "pytorch_model_fsdp_0/", False),
    ("hf-optimizer-cut", "checkpoint-2/", "", "optimizer.pt", True),
    ("hf-optimizer-cut", "checkpoint-4/", "", "optimizer.pt", True),
    ("hf-run-root-swallows", "checkpoint-2/", "optimizer", "optimizer.pt", True),
    ("hf-run-root-swallows", "checkpoint-4/", "", "model.safetensors", False),
    ("index-beside-torn-single", "checkpoint-100/", "", "model.safetensors", False),
    ("staging-and-step-names", "tmp-checkpoint-1500/", "", "tmp-checkpoint-1500", False),
]
"""(case, checkpoint, role that is missing, file that is named, whether its model can be loaded all the same)."""


@pytest.mark.parametrize("case", SOUND)
def test_what_a_framework_wrote_is_not_refused(case: str) -> None:
    verdicts = verify_all(FolderReader(CASES / case))
    assert len(verdicts) == SOUND[case]
    assert all(each.resumable and each.loadable and not each.problems for each in verdicts)


@pytest.mark.parametrize(("case", "path", "role", "file", "loadable"), DAMAGED)
def test_what_a_run_left_behind_is_named_by_file_and_role(
    case: str, path: str, role: str, file: str, loadable: bool
) -> None:
    verdict = {each.path: each for each in verify_all(FolderReader(CASES / case))}[path]
    assert not verdict.complete and not verdict.resumable and verdict.loadable is loadable
    assert file in {each.file for each in verdict.problems}
    if role:
        assert file in {name for each in verdict.roles if each.name == role for name in each.missing}


def test_a_model_in_the_root_of_a_run_hides_no_checkpoint_below_it() -> None:
    paths = [each.path for each in verify_all(FolderReader(CASES / "hf-run-root-swallows"))]
    assert paths == ["", "checkpoint-2/", "checkpoint-4/"]


def test_no_part_of_a_checkpoint_is_called_a_checkpoint() -> None:
    for case in sorted(path.name for path in CASES.iterdir() if path.name != "zero-element-tensor"):
        assert all(each.path.endswith("/") or not each.path for each in verify_all(FolderReader(CASES / case))), case


def test_precision_decay_version_and_date_are_no_steps() -> None:
    told = {each.path: each.step for each in verify_all(FolderReader(CASES / "staging-and-step-names"))}
    assert told == {
        "checkpoint-1000/": 1000,
        "checkpoint-1200-4bit/": 1200,
        "ckpt_1200_ema0.9999/": 1200,
        "epoch=3-step=1200-v1/": 1200,
        "run-2024-11-05/": None,
        "tmp-checkpoint-1500/": 1500,
    }
