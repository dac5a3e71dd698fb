"""Old steps cost a look nothing but their names: what is asked of a bucket does not grow with its past."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest

from pilotlight.runtime.aws.wrappers import Wrapper
from pilotlight.runtime.checkpoints import claims
from pilotlight.runtime.clock import FakeClock
from pilotlight.runtime.kinds.buckets.manifests import lines
from pilotlight.runtime.kinds.checkpoints.kind import CheckpointFolder
from pilotlight.runtime.kinds.checkpoints.reference import CheckpointReference
from pilotlight.runtime.kinds.kind import Observation
from pilotlight.runtime.points.earlier import Earlier
from pilotlight.runtime.records.point import Part
from pilotlight.runtime.store.ledger import KNOWN_MAX
from support.fake_aws import MODELS, MODELS_COPY, FakeAws, checkpoint, inventory, recovery_of
from support.fake_s3 import Version

ASSET = inventory().datasets[1]
NAMES_A_PAGE = 1000
COMPARING = 2
"""Listings of all versions, one of each side: what does not arrive is told by them."""


def filled(count: int, folder: str = "") -> FakeAws:
    """A bucket with so many steps, each of which has arrived."""
    aws = FakeAws(FakeClock())
    recovery_of(aws).initialise()
    files = {name: (number, body) for number, (name, body) in enumerate(checkpoint(1).items())}
    objects = {
        f"checkpoints/{folder}step-{step:06d}/{name}": [Version(f"v{step}-{number}", aws.clock.now() + step, body)]
        for step in range(1, count + 1)
        for name, (number, body) in files.items()
    }
    aws.s3.objects[MODELS], aws.s3.objects[MODELS_COPY] = dict(objects), dict(objects)
    aws.clock.sleep(count + 60)
    return aws


@dataclass(frozen=True)
class Asked:
    """Of both sides: looks into folders, pages of names of folders, listings of versions, and files' bytes."""

    looks: int
    names: int
    versions: int
    reads: int
    part: Part
    look: Observation


def observed(aws: FakeAws) -> Asked:
    """In one look."""
    counted = Counter[str]()

    class Counting(Wrapper):
        def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
            if parameters.get("Bucket") in (MODELS, MODELS_COPY):
                counted["names" if "Delimiter" in parameters else operation] += 1
            return super().call(service, operation, region, **parameters)

    context = recovery_of(aws).context.through(Counting(aws))
    look = Observation(context, True, Earlier(context), {})
    part = CheckpointFolder().observe(look, ASSET)
    looks, versions = counted["list_objects_v2"], counted["list_object_versions"]
    return Asked(looks, counted["names"], versions, counted["get_object"], part, look)


def taken(part: Part) -> int | None:
    return part.reference.step if isinstance(part.reference, CheckpointReference) else None


def test_calls_of_a_look_do_not_grow_with_old_steps_but_for_the_pages_of_their_names() -> None:
    few, many, most = (observed(filled(count)) for count in (10, 1_000, 20_000))
    assert [taken(each.part) for each in (few, many, most)] == [10, 1_000, 20_000]
    assert (few.looks, few.names) == (2, 0), "one page of each side holds it all"
    assert many.looks == most.looks == 2 + 20 + 3, "the root of each side, for the cadence, and with two neighbours"
    assert (many.names, most.names) == (2 * 1, 2 * 20)
    assert few.versions == many.versions == most.versions == COMPARING + 1
    assert few.reads == many.reads == most.reads


def test_a_step_in_a_folder_of_a_run_costs_no_more() -> None:
    once, deeper = observed(filled(2_000)), observed(filled(2_000, "run-1/"))
    assert deeper.looks == once.looks + 2
    assert deeper.names == once.names + 2


def test_the_list_of_a_model_beside_thousands_of_steps_is_of_its_own_versions() -> None:
    """What a trainer saves at its end lies in the run's root, and tells its step by a file."""
    aws = filled(2_000, "train/")
    own = {"model.safetensors": checkpoint(1, 1)["model-00001-of-00001.safetensors"], "config.json": b"{}"}
    own |= {"trainer_state.json": b'{"global_step": 5000}'}
    for bucket in (MODELS, MODELS_COPY):
        aws.s3.objects[bucket] |= {f"checkpoints/train/{name}": [Version(f"v-{name}", 1.0, own[name])] for name in own}
    found = observed(aws)
    assert taken(found.part) == 5_000
    manifest = found.look.lists[ASSET.name]
    assert [(each.key, each.version) for each in lines(manifest.body())] == [
        (f"checkpoints/train/{name}", f"v-{name}") for name in sorted(own)
    ]
    assert found.versions == COMPARING, "its own are asked for by name, as pages of names are"
    assert found.looks == observed(filled(2_000, "train/")).looks


def test_a_bucket_of_more_files_than_are_held_has_a_newest_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "FILES_MAX", 100)
    found = observed(filled(5_000))
    assert taken(found.part) == 5_000 and found.part.proven


def test_what_was_found_complete_once_is_not_forgotten_by_a_look_at_newer_ones() -> None:
    aws = filled(2_000)
    ledger = recovery_of(aws).context.ledger
    ledger.know_complete(ASSET.name, ["0123456789abcdef"])
    first = observed(aws)
    CheckpointFolder().learn(first.look.context, ASSET, first.look.seen[ASSET.name])
    known = list(ledger.known_complete(ASSET.name))
    assert len(known) == 2 and known[1] == "0123456789abcdef", "the newest first, so that the oldest are left out"
    again = observed(aws)
    assert again.reads == 0, "what is known is not read"
    CheckpointFolder().learn(again.look.context, ASSET, again.look.seen[ASSET.name])
    assert list(ledger.known_complete(ASSET.name)) == known
    ledger.know_complete(ASSET.name, [f"{number:016x}" for number in range(KNOWN_MAX + 1)])
    assert len(ledger.known_complete(ASSET.name)) == KNOWN_MAX
    assert f"{0:016x}" in ledger.known_complete(ASSET.name)
