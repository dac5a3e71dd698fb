"""What a user loses when one of these fails: a prefix that means more, or less, than the folder of that name."""

from __future__ import annotations

from typing import Any

import pytest
from surveyed_account import (
    Account,
    problems,
    surveyed,
)

from pilotlight.workload.model import Workload


class Keys(Account):
    """Its buckets have these keys."""

    def __init__(self, *keys: str) -> None:
        super().__init__()
        self.keys = keys

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        if operation != "list_objects_v2":
            return super().call(service, operation, region, **parameters)
        text, below = parameters["Prefix"], set[str]()
        for key in self.keys:
            if key.startswith(text):
                first, slash, _ = key.removeprefix(text).partition("/")
                below.add(text + first + slash)
        return {
            "CommonPrefixes": [{"Prefix": each} for each in sorted(below) if each.endswith("/")],
            "Contents": [{"Key": each} for each in sorted(below) if not each.endswith("/")],
        }


def _below(workload: Workload, prefix: str) -> Workload:
    models = workload.assets["checkpoints"].model_copy(update={"prefix": prefix})
    return workload.model_copy(update={"assets": {**workload.assets, "checkpoints": models}})


@pytest.mark.parametrize("written", ["runs/llama", "runs/llama/"])
def test_the_checkpoints_of_another_run_whose_name_begins_alike_are_not_taken_in(
    workload: Workload, written: str
) -> None:
    taken = surveyed(Keys("runs/llama/1/a", "runs/llama-old/9/a"), _below(workload, written))
    assert [each.prefix for each in taken.datasets if each.name == "checkpoints"] == ["runs/llama/"]


def test_a_prefix_that_is_no_folder_is_not_protected_as_an_empty_one(workload: Workload) -> None:
    found = problems(Keys("runs/llama-old/9/a", "runs/llama.txt"), _below(workload, "runs/llama"))
    assert "nothing in runs/llama/" in found and "runs/llama-old/, runs/llama.txt" in found


@pytest.mark.parametrize("written", ["", "runs/llama/", "runs/new"])
def test_a_folder_that_is_yet_to_come_can_be_declared(workload: Workload, written: str) -> None:
    surveyed(Keys("runs/llama-old/9/a"), _below(workload, written))


def test_keys_that_cannot_be_listed_are_not_taken_for_a_folder_without_rivals(workload: Workload) -> None:
    assert "the keys of bucket" in problems(Account(), _below(workload, "runs/llama"))
