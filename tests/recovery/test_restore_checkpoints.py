"""What a user loses when one of these fails: a training that resumes from half a checkpoint, or from a diverged one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pilotlight.runtime.clock import stamp
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import NotRestorable
from pilotlight.runtime.kinds import restore as restoring
from pilotlight.runtime.kinds.restore import PlanFile
from pilotlight.runtime.records.inventory import Datasets, Health
from pilotlight.runtime.recovery import Recovery
from support.fake_aws import MODELS, FakeAws, inventory, recovery_of, save
from support.inventories import changed

pytestmark = pytest.mark.acts_alone


class Trained:
    """Steps 20 to 80 saved an hour apart, and everything overwritten or deleted by somebody at the end."""

    def __init__(self, aws: FakeAws, folder: Path) -> None:
        self.aws, self.folder, self.moments = aws, folder, dict[int, float]()
        self.recovery = recovery_of(aws)
        for step in (80, 100):
            save(aws, step)
            aws.s3.write(MODELS, "checkpoints/latest", f"step-{step:06d}".encode())
            aws.clock.sleep(60)
            self.moments[step] = aws.clock.now()
            aws.clock.sleep(3600)
        save(aws, 120, files=2)
        aws.clock.sleep(60)
        self.moments[120] = aws.clock.now()
        aws.clock.sleep(3600)
        for key in list(aws.s3.current(MODELS)):
            if key.startswith("checkpoints/step-000100/"):
                aws.s3.write(MODELS, key, b"encrypted by somebody", replicate=False)
            elif key.startswith("checkpoints/step"):
                aws.s3.delete_object(MODELS, key)
        aws.s3.write(MODELS, "checkpoints/latest", b"step-000120", replicate=False)
        aws.clock.sleep(60)

    @property
    def asset(self) -> Datasets:
        return next(each for each in self.recovery.context.inventory.datasets if each.kind == "checkpoints")

    def plan(self, to: str | float, **more: Any) -> PlanFile:
        path = self.folder / "plan.json"
        wanted = self.recovery.wanted(to if isinstance(to, str) else stamp(to), **more)
        with path.open("w") as into:
            self.recovery.plan_restore(self.asset, wanted, into)
        return restoring.read(path)

    def there(self, step: int) -> set[str]:
        return {key for key in self.aws.s3.current(MODELS) if f"step-{step:06d}/" in key}


@pytest.fixture
def trained(aws: FakeAws, tmp_path: Path) -> Trained:
    return Trained(aws, tmp_path)


def test_the_newest_that_was_complete_then_comes_back_whole_though_a_newer_one_was_begun(trained: Trained) -> None:
    plan = trained.plan(trained.moments[120])
    assert (plan.where["checkpoint"], plan.where["step"]) == ("step-000100/", 100)
    assert "step-000120/" in json.dumps(plan.where["passed_over"])
    done = trained.recovery.restore(plan)
    assert done.left == 0 and len(trained.there(100)) == 3
    assert trained.there(80) == set(), "no other one is touched"
    assert b"encrypted by somebody" not in {
        body for key, body in trained.aws.s3.current(MODELS).items() if "step-000100" in key
    }
    assert trained.aws.s3.current(MODELS)["checkpoints/latest"] == b"step-000120", "nor the pointer, unasked"
    assert trained.recovery.restore(plan).left == 0


def test_a_step_is_restored_by_its_number_and_the_pointer_follows_where_that_is_asked(trained: Trained) -> None:
    plan = trained.plan(trained.moments[120], step=80, latest=True)
    assert plan.where["checkpoint"] == "step-000080/"
    assert trained.recovery.restore(plan).left == 0
    assert trained.aws.s3.current(MODELS)["checkpoints/latest"] == b"step-000080"
    assert len(trained.there(80)) == 3


def test_a_pointer_that_never_named_it_is_told_and_left(trained: Trained) -> None:
    plan = trained.plan(trained.moments[120], step=40, latest=True)
    (pointer,) = [each for each in plan.items() if each.item == "checkpoints/latest"]
    assert pointer.action == "lost" and "names checkpoints/step-000040/" in pointer.why


def test_what_came_into_its_folder_since_is_out_of_the_way(trained: Trained) -> None:
    trained.aws.s3.write(MODELS, "checkpoints/step-000100/model-00003-of-00003.safetensors", b"x", replicate=False)
    plan = trained.plan(trained.moments[100])
    actions = {each.item.rpartition("/")[2]: each.action for each in plan.items()}
    assert actions["model-00003-of-00003.safetensors"] == "delete"
    assert trained.recovery.restore(plan).left == 0 and len(trained.there(100)) == 3


def test_beside_it_lies_below_the_name_and_the_original_place_stays_as_it_is(trained: Trained) -> None:
    plan = trained.plan(trained.moments[100], beside="checkpoints/restored/")
    assert trained.recovery.restore(plan).left == 0
    found = [key for key in trained.aws.s3.current(MODELS) if key.startswith("checkpoints/restored/")]
    assert len(found) == 3
    assert b"encrypted by somebody" in trained.aws.s3.current(MODELS).values()


def test_an_unhealthy_one_and_one_that_a_person_refused_are_passed_over(trained: Trained) -> None:
    trained.recovery.context.ledger.reject_checkpoint("checkpoints", "step-000100/", "diverged", "me")
    assert trained.plan(trained.moments[120]).where["step"] == 80
    healthy = replace(trained.asset, health=Health("metrics.json", "loss", 2.0))
    one = changed(inventory(), datasets=[inventory().datasets[0], healthy])
    trained.recovery = Recovery(RecoveryContext(trained.aws, one, trained.aws.clock), "test")
    with pytest.raises(NotRestorable, match="complete and healthy"):
        trained.plan(trained.moments[120])


def test_a_moment_before_the_first_says_that_there_was_none(trained: Trained) -> None:
    with pytest.raises(NotRestorable, match="no checkpoint of step 7"):
        trained.plan(trained.moments[100], step=7)


def test_the_checkpoint_that_a_point_names_comes_back_by_the_points_own_list(trained: Trained) -> None:
    point = next(each for each in trained.recovery.points() if each.status == "complete")
    plan = trained.plan(point.id)
    assert plan.to == point.id and plan.where["step"] == 40
    assert plan.totals["copy"] == 3 and trained.recovery.restore(plan).left == 0
    assert len(trained.there(40)) == 3


def test_a_prefix_means_what_lay_below_it_whatever_that_was(trained: Trained) -> None:
    plan = trained.plan(trained.moments[120], prefix="step-000120/")
    assert plan.totals["copy"] == 2 and trained.recovery.restore(plan).left == 0
    assert len(trained.there(120)) == 2


def test_pointers_are_not_rewritten_beside(trained: Trained) -> None:
    with pytest.raises(NotRestorable, match="in place alone"):
        trained.plan(trained.moments[120], latest=True, beside="elsewhere/")
