"""What a user loses when one of these fails: a pretraining run that resumes with the weights of some ranks."""

from __future__ import annotations

import argparse
import itertools
import json
import pickle
import shutil
from pathlib import Path

import pytest
from archives import archive
from damage import DAMAGES, FIXTURES, accuses, damage, judged

RANKED = [
    f"iter_0000100/mp_rank_{tp:02d}_{pp:03d}/{file}"
    for tp, pp, file in itertools.product(range(2), range(2), ("model_optim_rng.pt", "distrib_optim.pt"))
]
PARTS = (".metadata", "__0_0.distcp", "__1_0.distcp", "common.pt", "metadata.json")
DISTRIBUTED = [f"iter_0001200/{name}" for name in PARTS]


def rank_file(iteration: int, tp: int = 2, pp: int = 2) -> bytes:
    arguments = argparse.Namespace(tensor_model_parallel_size=tp, pipeline_model_parallel_size=pp)
    return archive(pickle.dumps({"iteration": iteration, "args": arguments, "model": {}}, 2))


@pytest.fixture
def ranked(tmp_path: Path) -> Path:
    """Two tensor-parallel by two pipeline ranks."""
    for name in RANKED:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        is_model = name.endswith("model_optim_rng.pt")
        path.write_bytes(rank_file(100) if is_model else archive(pickle.dumps({"optimizer": 1}, 2)))
    (tmp_path / "latest_checkpointed_iteration.txt").write_text("100")
    return tmp_path


@pytest.fixture
def distributed(tmp_path: Path) -> Path:
    """PyTorch's distributed format in Megatron's folder."""
    folder = tmp_path / "iter_0001200"
    shutil.copytree(FIXTURES / "torch-dcp/step-1200", folder)
    (folder / "common.pt").write_bytes(archive(pickle.dumps({"iteration": 1200}, 2)))
    (folder / "metadata.json").write_text(json.dumps({"sharded_backend": "torch_dist", "sharded_backend_version": 1}))
    return tmp_path


def test_all_ranks_are_a_complete_checkpoint(ranked: Path) -> None:
    (verdict,) = judged(ranked)
    assert (verdict.path, verdict.format, verdict.step) == ("iter_0000100/", "megatron", 100)
    assert verdict.complete and not verdict.unknown


def test_the_distributed_form_is_complete_with_its_marker_and_its_shards(distributed: Path) -> None:
    (verdict,) = judged(distributed)
    assert (verdict.format, verdict.step, verdict.problems) == ("megatron", 1200, ())


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("file", RANKED)
def test_every_damaged_file_of_a_rank_is_named(ranked: Path, file: str, how: str) -> None:
    damage(ranked, file, how)
    assert accuses(judged(ranked), file)


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("file", DISTRIBUTED)
def test_every_damaged_file_of_the_distributed_form_is_named(distributed: Path, file: str, how: str) -> None:
    damage(distributed, file, how)
    assert accuses(judged(distributed), file)


def test_a_rank_that_is_missing_whole_is_named(ranked: Path) -> None:
    shutil.rmtree(ranked / "iter_0000100/mp_rank_01_001")
    (verdict,) = judged(ranked)
    assert {problem.file for problem in verdict.problems} == {
        "mp_rank_01_001/model_optim_rng.pt",
        "mp_rank_01_001/distrib_optim.pt",
    }


def test_a_rank_of_another_iteration_is_named(ranked: Path) -> None:
    (ranked / RANKED[0]).write_bytes(rank_file(90))
    assert accuses(judged(ranked), RANKED[0])


def test_the_pointer_is_not_a_commit(ranked: Path) -> None:
    (ranked / "latest_checkpointed_iteration.txt").write_text("200")
    (ranked / RANKED[0]).unlink()
    assert [verdict.complete for verdict in judged(ranked)] == [False]


def test_a_folder_of_ranks_that_is_looked_at_alone_is_judged_by_its_ranks(ranked: Path) -> None:
    (verdict,) = judged(ranked / "iter_0000100")
    assert (verdict.format, verdict.complete) == ("megatron", True)
    (ranked / RANKED[-1]).unlink()
    (verdict,) = judged(ranked / "iter_0000100")
    assert not verdict.complete
