"""What a user loses when one of these fails: instances that nobody started, or a second writer that nobody stopped."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from pilotlight.runtime.aws.fetch import Fetched
from pilotlight.runtime.aws.wrappers import Wrapper
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import CallRefused, StepFailed
from pilotlight.runtime.kinds.action import Absent, Answer, Proven, StepContext, Underway
from pilotlight.runtime.kinds.autoscaling.steps import PATIENCE_SECONDS, OneInstance, Stopping
from pilotlight.runtime.kinds.registry import by_kind
from pilotlight.runtime.kinds.traffic.steps import SILENT_SETTLE_SECONDS, url
from pilotlight.runtime.records.inventory import Inventory, Traffic
from pilotlight.runtime.records.runs import Arguments, Saying, Step, Where
from pilotlight.runtime.runs.register import ACTIONS
from pilotlight.runtime.runs.standing import SETTLE_SECONDS
from pilotlight.runtime.store.ledger import SERVING, SWITCHING
from support.fake_aws import NAMES, PRIMARY, STANDBY, FakeAws, inventory, recovery_of
from support.fake_machines import Group, Version

AWAY = (STANDBY, NAMES.group("fleet"))
RUNS = NAMES.run_template("fleet")
RESTORED = {"template": RUNS, "versions": [1, 2]}
RESTORING = pytest.mark.acts_alone


def work(
    client: Any,
    aws: FakeAws,
    action: str,
    arguments: Arguments = Where(),  # noqa: B008 - frozen
    *,
    asset: str = "fleet",
    of: Inventory | None = None,
    begun_at: float | None = None,
    restored: dict[str, Any] | None = None,
    fetch: Callable[[str, float], Fetched] | None = None,
) -> StepContext:
    step = Step(action, action, asset, arguments=arguments)
    context = RecoveryContext(client, of or inventory(), aws.clock, fetch or aws.fetch)
    evidence = restored or {}
    return StepContext(step, "failover", "run", 2, context, lambda name: evidence, begun_at, lambda: None)


def asked(aws: FakeAws, action: str, arguments: Arguments = Where(), **more: Any) -> Answer:  # noqa: B008 - frozen
    made = work(more.pop("client", aws), aws, action, arguments, **more)
    return ACTIONS[action].ask(made)


def group(aws: FakeAws, desired: int, serving: int, pending: int = 0, *suspended: str) -> Group:
    """The standby's group, wished for and in service."""
    found, now = aws.groups[AWAY], aws.clock.now()
    found.desired, found.maximum, found.suspended = desired, 4, list(suspended)
    found.instances = [(f"i-{n}", now - 100) for n in range(serving)] + [(f"p-{n}", now + 9) for n in range(pending)]
    return found


def of_two() -> Inventory:
    return inventory(computes=(dataclasses.replace(inventory().computes[0], count=2),))


@pytest.mark.parametrize(
    ("desired", "serving", "pending", "suspended", "wanted"),
    [
        (2, 2, 0, (), Proven),
        (3, 3, 0, (), Proven),
        (2, 1, 1, (), Underway),
        (2, 0, 2, (), Underway),
        (1, 1, 0, (), Absent),
        (0, 0, 0, (), Absent),
        (2, 2, 0, ("Launch",), Absent),
        (2, 1, 0, ("Launch",), Absent),
        (2, 2, 0, ("AZRebalance",), Proven),
    ],
)
def test_a_group_is_up_with_its_count_in_service_and_may_launch_more(
    aws: FakeAws, desired: int, serving: int, pending: int, suspended: tuple[str, ...], wanted: type
) -> None:
    group(aws, desired, serving, pending, *suspended)
    found = asked(aws, "scale", of=of_two())
    assert isinstance(found, wanted), found
    if isinstance(found, Absent):
        may = "; it may launch none" if "Launch" in suspended else ""
        assert found.observed == f"{desired} instances wished for, {serving} in service{may}"


def unhealthy(aws: FakeAws, **changed: str) -> Wrapper:
    """Auto Scaling says this of the first instance of each group."""

    class Told(Wrapper):
        def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
            found = super().call(service, operation, region, **parameters)
            if operation == "describe_auto_scaling_groups":
                for each in found["AutoScalingGroups"]:
                    each["Instances"][0] |= changed
            return found

    return Told(aws)


def test_an_instance_that_is_not_healthy_or_on_its_way_out_is_not_in_service(aws: FakeAws) -> None:
    group(aws, 2, 2)
    for changed in ({"HealthStatus": "Unhealthy"}, {"LifecycleState": "Terminating"}, {"LifecycleState": "Standby"}):
        found = asked(aws, "scale", of=of_two(), client=unhealthy(aws, **changed))
        assert isinstance(found, Underway) and found.observed == "1 of 2 instances in service"
    assert isinstance(asked(aws, "scale", of=of_two(), client=unhealthy(aws, HealthStatus="HEALTHY")), Proven)


@RESTORING
def test_a_group_is_asked_for_its_count_and_may_stay_as_large_as_it_may_be(aws: FakeAws) -> None:
    for maximum, wanted in ((1, 2), (5, 5)):
        found = group(aws, 0, 0, 0, "Launch")
        found.maximum = maximum
        ACTIONS["scale"].act(work(aws, aws, "scale", of=of_two()))
        assert (found.desired, found.maximum, found.suspended) == (2, wanted, [])
    before = len(aws.made)
    ACTIONS["scale"].act(work(aws, aws, "scale", of=of_two()))
    assert "resume_processes" not in {each[1] for each in aws.made[before:]}, "nothing had stopped it"


def failed(kind: str, at: float, status: str = "Failed") -> dict[str, Any]:
    started = datetime.fromtimestamp(at, tz=UTC)
    return {"StatusCode": status, "StatusMessage": f"no capacity for {kind}.", "StartTime": started}


def test_shortage_of_every_type_is_an_error_only_after_some_patience(aws: FakeAws) -> None:
    """Auto Scaling tries other zones meanwhile; a run that gives up at once is one that would have succeeded."""
    now, built = aws.clock.now(), inventory()
    found = group(aws, 1, 0)
    found.suspended = ["none"]
    aws.short = {"g5.xlarge"}
    types = built.computes[0].instance_types
    found.activities = [failed(each, now) for each in types]
    aws._grow = lambda group: None  # type: ignore[method-assign]
    for begun, fails in ((None, False), (now - PATIENCE_SECONDS + 1, False), (now - PATIENCE_SECONDS, True)):
        if fails:
            with pytest.raises(StepFailed, match=r"none of the instance types .*g4dn.xlarge: no capacity for g4dn"):
                asked(aws, "scale", begun_at=begun)
        else:
            seen = asked(aws, "scale", begun_at=begun)
            assert isinstance(seen, Underway) and "; refused: g4dn.xlarge: no capacity" in seen.observed
    found.activities = [failed(types[0], now)]
    seen = asked(aws, "scale", begun_at=now - 10_000)
    assert isinstance(seen, Underway), "another type is to be had"


def test_refusals_of_before_the_step_and_what_did_not_fail_are_not_told(aws: FakeAws) -> None:
    now = aws.clock.now()
    found = group(aws, 1, 1)
    found.activities = [
        failed("g5.xlarge", now, "Successful"),
        failed("a type that nobody declared", now),
        failed("g5.xlarge twice", now),
        failed("g5.xlarge first", now - 1),
        failed("g4dn.xlarge", now - 100),
    ]
    seen = asked(aws, "scale", begun_at=now - 1)
    assert isinstance(seen, Proven)
    assert seen.evidence["refused"] == {
        "?": "no capacity for a type that nobody declared.",
        "g5.xlarge": "no capacity for g5.xlarge twice.",
    }
    assert [each["id"] for each in seen.evidence["instances"]] == ["i-0"]
    assert seen.evidence["instances"][0]["zone"] == f"{STANDBY}a"


@pytest.mark.parametrize(
    ("desired", "there", "wanted"),
    [(0, 0, Proven), (1, 1, Absent), (1, 0, Absent), (0, 1, Underway)],
)
def test_a_group_is_stopped_once_nothing_is_wished_for_and_nothing_there(
    aws: FakeAws, desired: int, there: int, wanted: type
) -> None:
    found = group(aws, desired, there)
    aws._grow = lambda group: None  # type: ignore[method-assign]
    assert isinstance(asked(aws, "stop", Stopping("standby")), wanted)
    found.suspended = ["Launch"]
    assert isinstance(asked(aws, "stop", Stopping("standby", suspend=True)), wanted)


@RESTORING
def test_a_fence_stops_launches_before_instances_and_a_rest_stops_none(aws: FakeAws) -> None:
    """In the other order the group would replace what was just ended."""
    for suspend in (True, False):
        found = group(aws, 1, 1)
        before = len(aws.made)
        ACTIONS["stop"].act(work(aws, aws, "stop", Stopping("standby", suspend=suspend)))
        acts = [each[1] for each in aws.made[before:]]
        assert acts == (["suspend_processes"] if suspend else []) + ["update_auto_scaling_group"]
        assert (found.desired, found.suspended) == (0, ["Launch"] if suspend else [])


# -- one instance after the other ------------------------------------------------------------------------------


def launched(aws: FakeAws, versions: dict[str, str], named: str, desired: int, *suspended: str) -> Group:
    """Instances of these versions of the run's template, and the version that the group names."""
    aws.templates[RUNS] = [Version({"ImageId": "ami-1"}), Version({"ImageId": "ami-1"})]
    found = group(aws, desired, 0, 0, *suspended)
    found.instances = [(each, aws.clock.now() - 100) for each in versions]
    found.launched = {each: (RUNS, version) for each, version in versions.items()}
    found.names = (RUNS, named)
    aws._grow = lambda group: None  # type: ignore[method-assign]
    return found


@pytest.mark.parametrize(
    ("versions", "named", "desired", "suspended", "wanted"),
    [
        ({"a": "1"}, "2", 1, (), Proven),
        ({}, "1", 1, (), Underway),
        ({}, "1", 0, (), Absent),
        ({}, "2", 1, (), Absent),
        ({}, "1", 1, ("Launch",), Absent),
        ({"b": "2"}, "1", 1, (), Underway),
    ],
)
def test_an_instance_is_launched_once_from_the_version_with_its_own_volumes(
    aws: FakeAws, versions: dict[str, str], named: str, desired: int, suspended: tuple[str, ...], wanted: type
) -> None:
    """Else two instances would come up on the disks of one."""
    launched(aws, versions, named, desired, *suspended)
    found = asked(aws, "launch-one", OneInstance(index=0), restored=RESTORED)
    assert isinstance(found, wanted), found
    if isinstance(found, Proven):
        assert found.evidence == {"index": 0, "instance": "a", "version": "1"}


def test_the_second_instance_is_wished_for_beside_the_first(aws: FakeAws) -> None:
    launched(aws, {"a": "1"}, "2", 1)
    assert isinstance(asked(aws, "launch-one", OneInstance(index=1), restored=RESTORED), Absent)
    launched(aws, {"a": "1"}, "2", 2)
    assert isinstance(asked(aws, "launch-one", OneInstance(index=1), restored=RESTORED), Underway)
    with pytest.raises(StepFailed, match="no template of this run is proven"):
        asked(aws, "launch-one", OneInstance(index=1))


@RESTORING
def test_a_launch_wishes_for_one_more_from_its_version_and_lets_the_group_launch(aws: FakeAws) -> None:
    for suspended in ((), ("Launch",)):
        found = launched(aws, {"a": "1"}, "1", 1, *suspended)
        found.maximum = 1
        before = len(aws.made)
        made = work(aws, aws, "launch-one", OneInstance(index=1), restored=RESTORED, of=of_two())
        ACTIONS["launch-one"].act(made)
        assert (found.names, found.desired, found.maximum, found.suspended) == ((RUNS, "2"), 2, 2, [])
        assert ("resume_processes" in {each[1] for each in aws.made[before:]}) is bool(suspended)


def test_instances_with_volumes_of_their_own_are_held_once_all_are_in_service(aws: FakeAws) -> None:
    both = {"a": "1", "b": "2"}
    launched(aws, both, "2", 2, "Launch")
    assert isinstance(asked(aws, "hold", restored=RESTORED), Proven)
    launched(aws, both, "2", 2)
    assert isinstance(asked(aws, "hold", restored=RESTORED), Absent), "it would launch another one's by itself"
    launched(aws, {"a": "1"}, "2", 1, "Launch")
    assert isinstance(asked(aws, "hold", restored=RESTORED), Absent)
    found = launched(aws, both, "2", 2, "Launch")
    found.instances[1] = ("b", aws.clock.now() + 10)
    seen = asked(aws, "hold", restored=RESTORED)
    assert isinstance(seen, Underway) and seen.observed.startswith("1 of 2 instances in service")


def test_a_standby_at_rest_has_neither_the_runs_template_nor_a_group_that_names_it(aws: FakeAws) -> None:
    stack = (NAMES.launch_template("fleet"), "$Latest")
    found = launched(aws, {}, "1", 0)
    assert isinstance(asked(aws, "forget-template"), Absent)
    found.names = stack
    assert isinstance(asked(aws, "forget-template"), Absent), "the template is there"
    del aws.templates[RUNS]
    seen = asked(aws, "forget-template")
    assert isinstance(seen, Proven) and seen.evidence == {"template": stack[0], "version": stack[1]}
    found.suspended = ["Launch"]
    assert isinstance(asked(aws, "forget-template"), Absent), "nobody could start it any more"


@RESTORING
@pytest.mark.parametrize("suspended", [(), ("Launch",)])
@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("there", [True, False])
def test_a_template_is_forgotten_from_wherever_an_earlier_process_left_it(
    aws: FakeAws, suspended: tuple[str, ...], named: bool, there: bool
) -> None:
    found = launched(aws, {}, "1", 0, *suspended)
    if not named:
        found.names = (NAMES.launch_template("fleet"), "7")
    if not there and not named:
        del aws.templates[RUNS]
    before = len(aws.made)
    ACTIONS["forget-template"].act(work(aws, aws, "forget-template"))
    assert isinstance(asked(aws, "forget-template"), Proven)
    acts = {each[1] for each in aws.made[before:]} - {"describe_launch_template_versions"}
    assert ("update_auto_scaling_group" in acts) is named and ("resume_processes" in acts) is bool(suspended)
    assert found.names[1] == ("$Latest" if named else "7"), "what a deployment put there since stays"


# -- the front -------------------------------------------------------------------------------------------------


def front(**changed: Any) -> Inventory:
    traffic = inventory().traffic
    assert traffic is not None
    return inventory(traffic=dataclasses.replace(traffic, **changed))


def answers(status: int, region: str = "", seen: list[str] | None = None) -> Callable[[str, float], Fetched]:
    def fetch(address: str, seconds: float) -> Fetched:
        if seen is not None:
            seen.append(address)
        return Fetched(status, headers={"x-region": region} if region else {})

    return fetch


def test_the_workload_is_asked_at_its_own_port_and_path() -> None:
    told = Traffic("z", "Z1", "models.example", "/healthz", 80, "lb", "ZLB")
    assert url("lb", told) == "http://lb/healthz"
    assert url("lb", dataclasses.replace(told, port=8080)) == "http://lb:8080/healthz"


def test_without_a_front_healthy_targets_are_all_there_is_to_see(aws: FakeAws) -> None:
    group(aws, 1, 1)
    found = asked(aws, "healthy", asset="", of=inventory(traffic=None), fetch=answers(503))
    assert isinstance(found, Proven) and found.evidence == {"healthy_targets": 1}
    group(aws, 1, 0, 1)
    found = asked(aws, "healthy", asset="", of=inventory(traffic=None))
    assert isinstance(found, Underway) and "0 of 1 targets healthy (initial)" in found.observed


def test_a_group_behind_no_balancer_is_not_waited_for(aws: FakeAws) -> None:
    class Bare(Wrapper):
        def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
            if operation == "describe_auto_scaling_groups":
                return {"AutoScalingGroups": [{"TargetGroupARNs": []}]}
            return super().call(service, operation, region, **parameters)

    found = asked(aws, "healthy", asset="", client=Bare(aws), fetch=answers(200, STANDBY))
    assert isinstance(found, Proven) and found.evidence["healthy_targets"] == 0


@pytest.mark.parametrize(
    ("status", "region", "wanted"),
    [(200, STANDBY, Proven), (200, "", Proven), (200, PRIMARY, Underway), (503, STANDBY, Underway), (0, "", Underway)],
)
def test_the_balancer_has_to_answer_and_from_its_own_region_where_it_says_one(
    aws: FakeAws, status: int, region: str, wanted: type
) -> None:
    group(aws, 1, 1)
    seen = list[str]()
    assert isinstance(asked(aws, "healthy", asset="", fetch=answers(status, region, seen)), wanted)
    assert seen == ["http://lb.west/healthz"]


@pytest.mark.parametrize(
    ("status", "region", "since", "arrived"),
    [
        (200, STANDBY, 0.0, True),
        (200, PRIMARY, SILENT_SETTLE_SECONDS + 1, False),
        (200, "", SILENT_SETTLE_SECONDS, True),
        (200, "", SILENT_SETTLE_SECONDS - 1, False),
        (503, STANDBY, 0.0, False),
        (0, "", SILENT_SETTLE_SECONDS, False),
        (200, STANDBY, None, False),
    ],
)
def test_traffic_has_moved_where_the_users_own_name_says_so_or_long_enough_after(
    aws: FakeAws, status: int, region: str, since: float | None, arrived: bool
) -> None:
    """Before it was asked for, an answer says nothing: the datum that keeps it so was never put."""
    begun = None if since is None else aws.clock.now() - since
    seen = list[str]()
    found = asked(aws, "move-traffic", asset="", begun_at=begun, fetch=answers(status, region, seen))
    assert isinstance(found, Proven if arrived else Absent)
    assert seen == ["http://models.example.internal/healthz"]


@RESTORING
def test_one_datum_moves_traffic_there_and_another_brings_it_home(aws: FakeAws) -> None:
    for region, value in (("standby", 1), ("primary", 0)):
        ACTIONS["move-traffic"].act(work(aws, aws, "move-traffic", Where(region), asset=""))
        assert aws.metrics["StandbyActive"][-1] == value


# -- who serves ------------------------------------------------------------------------------------------------


def said(aws: FakeAws, saying: Saying) -> Answer:
    return asked(aws, "say-active", saying, asset="")


@RESTORING
def test_who_serves_is_said_by_this_run_and_settles_before_more_is_done(aws: FakeAws) -> None:
    """Applications that read the record every second would write on while the last copy home is made."""
    ledger = recovery_of(aws).context.ledger
    held = ledger.leases.take("a run")
    ledger.claim(held, PRIMARY)
    saying = Saying("standby", SWITCHING, settle=True)
    assert isinstance(said(aws, saying), Absent)
    for region, state, run in ((PRIMARY, SWITCHING, "run"), (STANDBY, SERVING, "run"), (STANDBY, SWITCHING, "other")):
        ledger.set_active(region, state, run, held.epoch, held.epoch)
        assert isinstance(said(aws, saying), Absent)
    ledger.set_active(STANDBY, SWITCHING, "run", held.epoch, held.epoch)
    assert isinstance(said(aws, saying), Underway)
    assert isinstance(said(aws, Saying("standby", SWITCHING)), Proven)
    aws.clock.sleep(SETTLE_SECONDS - 0.01)
    assert isinstance(said(aws, saying), Underway)
    aws.clock.sleep(0.01)
    assert isinstance(said(aws, saying), Proven)


@RESTORING
def test_a_fence_raises_the_epoch_and_what_the_same_run_says_later_keeps_it(aws: FakeAws) -> None:
    ledger, epochs = recovery_of(aws).context.ledger, list[int]()
    for raises in (True, False):
        held = ledger.leases.take("a run")
        ledger.claim(held, PRIMARY)
        saying = Saying("standby", SERVING, raises=raises)
        made = dataclasses.replace(work(aws, aws, "say-active", saying, asset=""), epoch=held.epoch)
        ACTIONS["say-active"].act(made)
        epochs.append(ledger.active(PRIMARY).epoch)
        assert (epochs[-1] == held.epoch) is raises
    assert epochs[0] == epochs[1]


# -- looked at from outside ------------------------------------------------------------------------------------


def amiss(aws: FakeAws, name: str, region: str) -> list[str]:
    kind, assets = next(each for each in by_kind(inventory()) if each[0].name == name)
    found: list[str] = kind.amiss(recovery_of(aws).context, assets, region)
    return found


def test_a_group_is_amiss_where_fewer_serve_than_are_wished_for(aws: FakeAws) -> None:
    name = AWAY[1]
    group(aws, 2, 2)
    assert amiss(aws, "compute", STANDBY) == []
    group(aws, 2, 1, 1)
    assert amiss(aws, "compute", STANDBY) == [f"{name}: 1 of 2 instances in service"]
    group(aws, 0, 0)
    assert amiss(aws, "compute", STANDBY) == [], "one at rest is as it should be"
    assert amiss(aws, "compute", PRIMARY) == []


def test_a_writer_that_takes_none_is_amiss(aws: FakeAws) -> None:
    assert amiss(aws, "database", PRIMARY) == []
    aws.database_status = "stopped"
    assert amiss(aws, "database", PRIMARY) == ["cluster inference-registry is stopped"]
    assert amiss(aws, "database", STANDBY) == [f"cluster {NAMES.standby_cluster('registry')} is stopped"]


def fence_left(aws: FakeAws) -> list[str]:
    kind, _ = next(each for each in by_kind(inventory()) if each[0].name == "compute")
    found: list[str] = kind.fence_left(work(aws, aws, "stop", Where("primary")))
    return found


def test_what_a_fence_left_of_a_group_that_serves_is_told_with_what_mends_it(aws: FakeAws) -> None:
    found = aws.groups[PRIMARY, "inference-fleet"]
    found.desired = 1
    assert fence_left(aws) == []
    found.suspended = ["Launch"]
    assert "serves and may launch nothing" in fence_left(aws)[0]
    found.suspended, found.desired = ["AZRebalance"], 0
    assert "no instance of it is wished for, of 1" in fence_left(aws)[0]


def test_a_group_that_may_not_be_looked_at_ends_the_step(aws: FakeAws) -> None:
    aws.denied = {"autoscaling:describe_auto_scaling_groups"}
    for action in ("scale", "forget-template"):
        with pytest.raises(CallRefused):
            asked(aws, action)


@pytest.mark.parametrize(
    ("action", "arguments"),
    [
        ("scale", Where()),
        ("stop", Stopping("standby")),
        ("launch-one", OneInstance(index=0)),
        ("hold", Where()),
        ("forget-template", Where()),
    ],
)
def test_a_group_that_is_gone_is_named_whatever_was_to_be_done_with_it(
    aws: FakeAws, action: str, arguments: Arguments
) -> None:
    class Gone(Wrapper):
        def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
            if operation == "describe_auto_scaling_groups":
                return {"AutoScalingGroups": []}
            return super().call(service, operation, region, **parameters)

    with pytest.raises(StepFailed, match=f"there is no Auto Scaling group {AWAY[1]}"):
        asked(aws, action, arguments, client=Gone(aws), restored=RESTORED)


def test_a_group_that_is_stopped_says_that_nothing_of_it_is_left(aws: FakeAws) -> None:
    group(aws, 0, 0, 0, "Launch")
    found = asked(aws, "stop", Stopping("standby", suspend=True))
    assert isinstance(found, Proven)
    assert found.evidence == {"group": AWAY[1], "instances": 0, "suspended": ["Launch"]}


def test_what_stays_behind_on_volumes_is_told_of_the_groups_that_mount_them() -> None:
    kind, (index,) = next(each for each in by_kind(inventory()) if each[0].name == "volumes")
    assert len(list(kind.costs_of_failback(inventory(), index))) == 1
    bare = inventory(computes=(dataclasses.replace(inventory().computes[0], volumes=()),))
    assert list(kind.costs_of_failback(bare, index)) == []
