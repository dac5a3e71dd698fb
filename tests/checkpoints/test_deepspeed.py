"""What a user loses when one of these fails: an expert that nobody noticed was missing, or a sound model, refused."""

from __future__ import annotations

import pickle
from types import SimpleNamespace
from typing import Any

import pytest
from archives import archive
from damage import flipped
from layouts import Files, Kept, below, saved
from pickled import saved_tensor

from pilotlight.runtime.checkpoints.deep import verify_deeply
from pilotlight.runtime.checkpoints.format import Verdict
from pilotlight.runtime.checkpoints.formats import deepspeed
from pilotlight.runtime.checkpoints.formats.deepspeed import ZERO_3, _experts, _model_files
from pilotlight.runtime.checkpoints.verify import find, verify, verify_all

MODEL = "mp_rank_00_model_states.pt"


def missing(counts: list[int], *present: str) -> list[str]:
    """The experts' files that are found missing where the model states tell of so many experts in each layer."""
    saved: dict[str, Any] = {MODEL: SimpleNamespace(value={"num_experts": counts})}
    return [each.file for each in _experts(saved, {MODEL, *present}, 1)]


def expert(layer: int, number: int) -> str:
    return f"layer_{layer}_expert_{number}_mp_rank_00_model_states.pt"


def test_every_expert_of_every_layer_is_asked_for() -> None:
    assert missing([2, 2], expert(0, 0), expert(1, 1)) == [expert(0, 1), expert(1, 0)]


def test_a_layer_of_one_expert_has_no_file_of_its_own_beside_layers_of_several() -> None:
    assert missing([1, 2], expert(1, 0), expert(1, 1)) == []
    assert missing([1, 1]) == []


def test_model_states_of_a_third_stage_are_asked_for_by_rank_only_where_they_are_written_by_rank() -> None:
    """A sound checkpoint would lack files that DeepSpeed never writes, or one without any would pass."""
    optimizers = {f"zero_pp_rank_{rank}_mp_rank_00_optim_states.pt" for rank in (0, 1)}
    assert list(_model_files(1, 2, ZERO_3, {MODEL, *optimizers})) == [MODEL]
    assert list(_model_files(1, 2, ZERO_3, optimizers)) == [MODEL]
    by_rank = [f"zero_pp_rank_{rank}_{MODEL}" for rank in (0, 1)]
    assert list(_model_files(1, 2, ZERO_3, {by_rank[0], *optimizers})) == by_rank


def model(step: int = 2, dp: int = 2, mp: int = 1, stage: int | None = 1, **more: Any) -> bytes:
    """Model states of DeepSpeed's."""
    told = {"dp_world_size": dp, "mp_world_size": mp, "module": {"w": 1}, "global_steps": step, "skipped_steps": 0}
    config = {} if stage is None else {"ds_config": {"zero_optimization": {"stage": stage}}}
    return saved(told | config | more)


def optimizer(step: int = 2, parts: object = (2,), under: str = "base_optimizer_state") -> bytes:
    state = {
        "partition_count": list(parts) if isinstance(parts, tuple) else parts,
        under: {"state": {0: {"step": step}}},
    }
    return saved({"optimizer_state_dict": state})


def ranks(dp: int = 2, mp: int = 1, kind: str = "") -> list[str]:
    return sorted(f"{kind}zero_pp_rank_{d}_mp_rank_{m:02d}_optim_states.pt" for m in range(mp) for d in range(dp))


def sound(**more: Any) -> Files:
    """Two ranks under ZeRO 1, without a tag that tells a step."""
    return {MODEL: model(**more)} | {name: optimizer() for name in ranks()}


def judged(files: Files, folder: str = "ds/last/") -> Verdict:
    (verdict,) = verify_all(Kept(below(folder, files)))
    return verdict


def wrong(files: Files, folder: str = "ds/last/") -> list[tuple[str, str]]:
    return [(each.file, each.what) for each in judged(files, folder).problems]


def test_a_folder_of_all_its_ranks_is_complete_with_the_step_of_its_model() -> None:
    verdict = judged(sound())
    assert (verdict.format, verdict.step, verdict.problems) == ("deepspeed", 2, ())
    assert {role.name: (role.need, role.files) for role in verdict.roles} == {
        "weights": ("load", (MODEL,)),
        "optimizer": ("resume", tuple(ranks())),
    }


@pytest.mark.parametrize("parts", [(2,), (2, 1), (2, 2), (1, 1), "unknown", ("2",)])
def test_an_optimizer_cut_into_as_many_parts_as_ranks_or_a_share_of_them_is_sound(parts: object) -> None:
    """Groups of experts are cut into fewer."""
    files = sound() | {name: optimizer(parts=parts) for name in ranks()}
    assert wrong(files) == []


@pytest.mark.parametrize(("parts", "told"), [((3,), 3), ((4, 2), 4), ((2, 3), 3), ((1,), 1), ((0,), 0), ((2, -1), -1)])
def test_an_optimizers_file_of_a_run_with_another_number_of_ranks_is_named(parts: tuple[int, ...], told: int) -> None:
    """The run would resume with moments of other parameters."""
    name = ranks()[1]
    files = sound() | {name: optimizer(parts=parts)}
    assert wrong(files) == [(name, f"is a part of {told}, there were 2 data-parallel ranks")]


def test_an_optimizer_of_one_rank_is_one_part() -> None:
    assert wrong({MODEL: model(dp=1), ranks(1)[0]: optimizer(parts=(1,))}) == []


def test_steps_that_overflowed_on_any_rank_explain_an_optimizer_that_is_behind() -> None:
    names = ["mp_rank_00_model_states.pt", "mp_rank_01_model_states.pt"]
    files = {names[0]: model(mp=2), names[1]: model(mp=2, skipped_steps=1)}
    assert wrong(files | {name: optimizer(1) for name in ranks(mp=2)}) == []


def test_an_optimizer_of_another_step_is_named_behind_or_ahead_of_its_model() -> None:
    name = ranks()[0]
    for step in (1, 3):
        assert wrong(sound() | {name: optimizer(step)}) == [(name, f"is of step {step}, the checkpoint of step 2")]
    ahead = wrong(sound(skipped_steps=1) | {name: optimizer(3)})
    assert ahead == [(name, "is of step 3, the checkpoint of step 2")], "an overflow explains none that is ahead"
    assert wrong(sound(skipped_steps="?") | {name: optimizer(1)}) == [(name, "is of step 1, the checkpoint of step 2")]
    third = sound() | {name: optimizer(3, under="optimizer_state_dict")}
    assert wrong(third) == [(name, "is of step 3, the checkpoint of step 2")], "ZeRO 3 keeps it under another name"


def test_a_model_of_another_step_than_the_tag_of_its_folder_is_named() -> None:
    told = wrong(sound(), "ds/global_step5/")
    assert (MODEL, "is of step 2, the checkpoint of step 5") in told and len(told) == 3
    assert wrong(sound(), "ds/global_step2/") == []


def test_model_states_by_rank_are_foreign_below_the_third_stage() -> None:
    stray = f"zero_pp_rank_0_{MODEL}"
    assert wrong(sound() | {stray: model()}) == [(stray, "foreign: there were 2 by 1 ranks")]


@pytest.mark.parametrize(("stage", "loadable"), [(1, True), (2, True), (3, False)])
def test_a_model_is_loaded_without_its_optimizer_below_the_third_stage_alone(stage: int, loadable: bool) -> None:
    verdict = judged({MODEL: model(stage=stage)})
    assert [each.file for each in verdict.problems] == ranks()
    assert (verdict.resumable, verdict.loadable) == (False, loadable)
    assert [role.missing for role in verdict.roles] == [(), tuple(ranks())]


def test_where_no_configuration_tells_the_stage_the_optimizers_files_do() -> None:
    files = sound(stage=None)
    assert wrong(files) == [] and judged({MODEL: model(stage=None)}).complete, "without ZeRO there are none"
    del files[ranks()[1]]
    assert [each for each, _ in wrong(files)] == [ranks()[1]]
    assert judged(files).loadable, "one of the first two stages"


def test_model_states_that_are_gone_are_missing_and_nothing_can_be_loaded() -> None:
    verdict = judged({name: optimizer() for name in ranks()})
    assert [each.file for each in verdict.problems] == [MODEL] and not verdict.loadable
    broken = judged(sound() | {MODEL: b"torn"})
    assert [each.file for each in broken.problems] == [MODEL], "it is there: nothing else is said of it"


@pytest.mark.parametrize("told", [{"dp": 0}, {"mp": 0}, {"dp": -1}, {"dp": "2"}, {"mp": None}])
def test_model_states_that_tell_no_number_of_ranks_prove_nothing_of_the_others(told: dict[str, Any]) -> None:
    """Where nobody knows how many there were, nobody knows that they are all there."""
    files = {MODEL: model(**told)}
    assert wrong(files) == [(MODEL, "does not tell how many ranks there were")]
    second = "mp_rank_01_model_states.pt"
    assert wrong(files | {second: model(mp=2)}) == [(name, "missing: there were 2 by 2 ranks") for name in ranks(2, 2)]


def test_a_number_of_ranks_without_sense_is_one_problem_and_not_a_million(monkeypatch: pytest.MonkeyPatch) -> None:
    assert wrong({MODEL: model(dp=50_001, mp=2)}) == [(MODEL, "tells of 50001 by 2 ranks")]
    monkeypatch.setattr(deepspeed, "RANKS_MAX", 2)
    assert wrong(sound()) == [], "as many as there may be"


def test_files_that_are_none_of_deepspeeds_under_its_names_are_named() -> None:
    name = ranks()[0]
    assert "has no optimizer_state_dict" in dict(wrong(sound() | {name: saved({"w": 1})}))[name]
    assert "has no dp_world_size" in wrong({MODEL: saved({"w": 1})})[0][1]


def test_a_file_that_was_written_under_another_ranks_name_is_named() -> None:
    state = {"optimizer_state_dict": {"partition_count": [2], "base_optimizer_state": {"state": {0: {"step": 2}}}}}
    body = archive(pickle.dumps(state, 2), root=ranks()[1].removesuffix(".pt"))
    assert wrong(sound() | {ranks()[1]: body}) == []
    assert wrong(sound() | {ranks()[0]: body}) == [(ranks()[0], f"was written as {ranks()[1]}")]


def test_every_layer_with_parameters_has_its_file_in_a_pipeline() -> None:
    shapes = [{"0.weight": [2], "tied_modules.embed": [2], "123456.w": [1]}, {"2.weight": [2], 5: [1]}, "no group"]
    files = sound(module=None, param_shapes=shapes[:2]) | {"layer_00-model_states.pt": saved({"w": 1})}
    (lost,) = wrong(files)
    assert lost[0] == "layer_02-model_states.pt" and "parameters of this layer" in lost[1]
    assert wrong(files | {"layer_02-model_states.pt": saved({"w": 1})}) == []
    assert wrong(sound(param_shapes=shapes[:2])) == [], "the model is in the model states"


def test_every_layer_has_every_rank_that_any_layer_has() -> None:
    files = sound(module=None) | {
        f"layer_{layer:02d}-model_{rank:02d}-model_states.pt": saved({"w": 1}) for layer in (0, 3) for rank in (0, 1)
    }
    assert wrong(files) == []
    name = "layer_03-model_01-model_states.pt"
    del files[name]
    assert [each for each, _ in wrong(files)] == [name]


def test_experts_are_asked_for_on_every_rank_of_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"layer_0_expert_{expert}_mp_rank_{rank:02d}_model_states.pt" for expert in (0, 1) for rank in (0, 1)]
    told: dict[str, Any] = {MODEL: SimpleNamespace(value={"num_experts": [2, "none"]})}
    assert [each.file for each in _experts(told, {MODEL, *names[:3]}, 2)] == names[3:]
    monkeypatch.setattr(deepspeed, "RANKS_MAX", 4)
    assert [each.file for each in _experts(told, {MODEL, *names[:3]}, 2)] == names[3:], "as many as there may be"
    monkeypatch.setattr(deepspeed, "RANKS_MAX", 3)
    assert list(_experts(told, {MODEL}, 2)) == [], "a number without sense"


def test_a_file_that_deepspeed_does_not_write_is_named_as_not_judged() -> None:
    verdict = judged(sound() | {"notes.txt": b"by hand"})
    assert verdict.complete and [(each.file, each.bytes) for each in verdict.unjudged] == [("notes.txt", 7)]


def test_bytes_of_a_large_layer_that_changed_are_found_by_reading_all() -> None:
    name = "layer_00-model_states.pt"
    files = below("ds/last/", sound(module=None) | {name: saved_tensor(200_000)})
    torn = files | {f"ds/last/{name}": flipped(files[f"ds/last/{name}"], 400_000)}
    for each, problems in ((files, []), (torn, [name])):
        reader = Kept(each)
        (found,) = find(reader)
        assert verify(found, reader).complete, "no checksum of it is within the budget"
        assert [problem.file for problem in verify_deeply(found, reader).problems] == problems


BESIDES = {
    "expp_rank_0_mp_rank_00_optim_states.pt": ("optimizer", True),
    "layer_00-model_states.pt": ("weights", False),
    "layer_00-model_00-model_states.pt": ("weights", False),
    "layer_0_expert_1_mp_rank_00_model_states.pt": ("weights", False),
}


@pytest.mark.parametrize("name", BESIDES)
def test_what_lies_beside_the_ranks_is_of_its_role_and_stands_in_the_way_of_what_that_is_needed_for(name: str) -> None:
    role, loadable = BESIDES[name]
    files = sound() | {name: saved({"w": 1})}
    verdict = judged(files)
    assert verdict.complete and verdict.unjudged == (), verdict.problems
    assert [each.name for each in verdict.roles if name in each.files] == [role]
    torn = judged(files | {name: b"torn"})
    assert [each.file for each in torn.problems] == [name] and torn.loadable is loadable and not torn.resumable


@pytest.mark.parametrize("name", [*BESIDES, MODEL, ranks()[0]])
def test_a_folder_that_holds_any_file_of_deepspeeds_is_one_of_its_checkpoints(name: str) -> None:
    """Of a sync that has only begun: nobody would be told that it is torn."""
    assert judged({name: saved({"w": 1})}).format == "deepspeed"
    assert (
        verify_all(Kept({"ds/last/other_states.pt": b"x", "ds/last/mp_rank_00_model_states.txt": b"x"}), "deepspeed")
        == []
    )


def test_how_many_ranks_there_were_is_told_by_model_states_and_by_no_layer_of_a_pipeline() -> None:
    """Its keys are the user's own names: a sound checkpoint would lack the files of ranks that never were."""
    files = sound() | {"layer_00-model_states.pt": saved({"dp_world_size": 4, "mp_world_size": 1})}
    assert wrong(files) == []
