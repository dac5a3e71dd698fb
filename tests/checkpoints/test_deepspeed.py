"""What a user loses when one of these fails: an expert that nobody noticed was missing, or a sound model, refused."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from pilotlight.runtime.checkpoints.formats.deepspeed import ZERO_3, _experts, _model_files

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
