"""What a user loses when one of these fails: a pretraining run that resumes with the weights of some ranks."""

from __future__ import annotations

import argparse
import itertools
import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
from archives import archive
from damage import DAMAGES, FIXTURES, accuses, damage, flipped, judged
from layouts import TORCH_DIST, Files, Kept, below, saved
from pickled import Share, saved_tensor
from pickled import distributed as torch_distributed

from pilotlight.runtime.checkpoints.deep import verify_deeply
from pilotlight.runtime.checkpoints.format import Verdict
from pilotlight.runtime.checkpoints.formats import megatron
from pilotlight.runtime.checkpoints.verify import find, verify, verify_all

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


ONE = "mp_rank_00/model_optim_rng.pt"


def told(iteration: Any = 100, **arguments: Any) -> bytes:
    """A rank's file whose arguments tell these sizes."""
    names = {"tp": "tensor", "pp": "pipeline", "ep": "expert"}
    own = argparse.Namespace(**{f"{names[name]}_model_parallel_size": each for name, each in arguments.items()})
    return archive(pickle.dumps({"iteration": iteration, "args": own, "model": {}}, 2))


def only(files: Files, folder: str = "iter_0000100/") -> Verdict:
    (verdict,) = verify_all(Kept(below(folder, files)))
    return verdict


def wrong(files: Files, folder: str = "iter_0000100/") -> list[tuple[str, str]]:
    return [(each.file, each.what) for each in only(files, folder).problems]


def test_a_torn_file_of_the_only_rank_is_one_problem_and_is_not_called_missing() -> None:
    (problem,) = wrong({ONE: b"torn"})
    assert problem[0] == ONE and "missing" not in problem[1]


@pytest.mark.parametrize(
    "body", [told(), told(tp=0), told(tp="2"), told(tp=True), told(tp=1, pp=0), told(pp=2), saved({"args": {}})]
)
def test_a_rank_that_tells_no_number_of_ranks_proves_nothing_of_the_others(body: bytes) -> None:
    assert wrong({ONE: body}) == [(ONE, "missing, or does not tell how many ranks there were")]


def test_a_folder_of_optimizers_alone_lacks_the_model() -> None:
    assert wrong({"mp_rank_00/distrib_optim.pt": saved({})}) == [
        (ONE, "missing, or does not tell how many ranks there were")
    ]


def test_ranks_of_experts_are_asked_for_like_every_other() -> None:
    names = [f"mp_rank_00_00{rank}/model_optim_rng.pt" for rank in (0, 1)]
    assert wrong({name: told(tp=1, ep=2) for name in names}) == []
    assert wrong({names[0]: told(tp=1, ep=2)}) == [(names[1], "missing: there were 1 by 1 by 2 ranks")]


def test_a_number_of_ranks_without_sense_is_one_problem_and_not_a_million(monkeypatch: pytest.MonkeyPatch) -> None:
    assert wrong({ONE: told(tp=50_001, pp=2)}) == [(ONE, "tells of 50001 by 2 by 1 ranks")]
    monkeypatch.setattr(megatron, "RANKS_MAX", 1)
    assert wrong({ONE: told(tp=1)}) == [], "as many as there may be"


def test_a_rank_of_a_larger_run_is_foreign() -> None:
    other = "mp_rank_01/model_optim_rng.pt"
    assert wrong({ONE: told(tp=1), other: told(tp=1)}) == [(other, "foreign: there were 1 by 1 by 1 ranks")]


@pytest.mark.parametrize(
    ("folder", "iteration", "step", "complete"),
    [
        ("iter_0000100/", 100, 100, True),
        ("iter_0000100/", None, 100, True),
        ("iter_0000100/", True, 100, True),
        ("iter_0000100/", 90, 90, False),
        ("iter_0000000/", 0, 0, True),
        ("release/", 90, 90, True),
        ("release/", None, None, True),
    ],
)
def test_the_iteration_is_what_the_files_tell_and_the_folder_is_called_by_it(
    folder: str, iteration: Any, step: int | None, complete: bool
) -> None:
    verdict = only({ONE: told(iteration, tp=1)}, folder)
    assert (verdict.step, verdict.complete) == (step, complete)
    assert [each.file for each in verdict.problems] == ([] if complete else [ONE])


def test_the_common_state_of_the_distributed_form_tells_its_iteration() -> None:
    assert only(TORCH_DIST).complete
    other = TORCH_DIST | {"common.pt": saved({"iteration": 90})}
    assert wrong(other) == [("common.pt", "is of iteration 90, its folder of 100")] and only(other).step == 90
    lost = {name: body for name, body in TORCH_DIST.items() if name != "common.pt"}
    assert wrong(lost) == [("common.pt", "missing")] and only(lost).step == 100
    (torn,) = wrong(TORCH_DIST | {"common.pt": b"torn"})
    assert torn[0] == "common.pt"


@pytest.mark.parametrize("marker", [b'{"sharded_backend": "zarr"}', b"[]", b"{}", b'"torch_dist"'])
def test_a_marker_of_a_form_that_is_not_known_proves_nothing(marker: bytes) -> None:
    ((file, what),) = wrong(TORCH_DIST | {"metadata.json": marker})
    assert file == "metadata.json" and "cannot be judged" in what


def test_a_folder_of_ranks_under_a_name_of_its_own_is_none_of_megatrons() -> None:
    """Its iteration could not be told, and another format may know it."""
    verdicts = verify_all(Kept(below("mine/", {ONE: told(tp=1)})))
    assert "megatron" not in {each.format for each in verdicts}


@pytest.mark.parametrize("torn", ["mp_rank_00/distrib_optim.pt", "__0_0.distcp"])
def test_bytes_of_a_large_file_that_changed_are_found_by_reading_all(torn: str) -> None:
    files: Files = {ONE: told(tp=1), "mp_rank_00/distrib_optim.pt": saved_tensor(200_000)}
    if torn.endswith(".distcp"):
        shards = torch_distributed({}, {"w": ((200_000,), [Share((0,), (200_000,), saved_tensor(200_000))])})
        files = shards | {name: TORCH_DIST[name] for name in ("common.pt", "metadata.json")}
    changed = files | {torn: flipped(files[torn], 400_000)}
    for each, problems in ((files, []), (changed, [torn])):
        reader = Kept(below("iter_0000100/", each))
        (found,) = find(reader)
        assert verify(found, reader).complete, "no checksum of it is within the budget"
        assert [problem.file for problem in verify_deeply(found, reader).problems] == problems


def test_any_ranks_file_that_tells_how_many_there_were_tells_it_for_all() -> None:
    second = "mp_rank_01/model_optim_rng.pt"
    assert wrong({ONE: told(), second: told(tp=2)}) == []
    assert wrong({ONE: told(), second: told(tp=3)}) == [
        ("mp_rank_02/model_optim_rng.pt", "missing: there were 3 by 1 by 1 ranks")
    ]
