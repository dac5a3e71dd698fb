"""The front: check behind the balancer before traffic moves, then move it by one datum and look from outside.

Route 53 answers with the standby region while the alarm on `StandbyActive` is on (see stacks, Traffic), so moving
traffic is one PutMetricData in the standby region: data plane, no DNS change. The proof is an answer at the user's own
DNS name that says where it comes from.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from pilotlight.runtime.aws.fetch import Fetched
from pilotlight.runtime.kinds.action import Absent, Action, Answer, Proven, StepContext, Underway, Wait
from pilotlight.runtime.kinds.autoscaling.observe import group
from pilotlight.runtime.kinds.autoscaling.steps import Hold, Scale
from pilotlight.runtime.metrics import put_metric
from pilotlight.runtime.naming import METRIC_STANDBY_ACTIVE
from pilotlight.runtime.records.inventory import Traffic

FETCH_SECONDS = 5.0
HEALTHY_SECONDS = 900
"""Instances are in service; this is the time a server takes to load its weights and pass its health checks."""
MOVE_SECONDS = 300
"""Alarm period 60 s, health check, and resolvers that keep an answer for 60 s, with a margin."""
SILENT_SETTLE_SECONDS = 120.0
"""An answer that does not say where it comes from proves the move only after alarm, check and TTL have passed."""
EVERY_SECONDS = 0.5


def url(name: str, traffic: Traffic) -> str:
    """Where the workload says that it serves, under this DNS name."""
    port = "" if traffic.port == 80 else f":{traffic.port}"
    return f"http://{name}{port}{traffic.check}"


class Healthy:
    """Targets are healthy, and the balancer answers from this region; a group that an older run stopped since it was
    proven is started again, as nobody else would. Arguments: region."""

    wait = Wait(HEALTHY_SECONDS, EVERY_SECONDS, "loading weights")

    def ask(self, work: StepContext) -> Answer:
        """The groups' wishes first, then the balancer's verdict, then one GET through it."""
        for _, started in _stopped(work):
            return Absent(f"{started.step.name}: it was stopped since it was proven")
        targets, computes = 0, work.inventory.computes
        at_standby = work.region == work.inventory.standby
        names = [each.standby_group if at_standby else each.primary_group for each in computes]
        found = work.side_by_side([partial(_targets, work, each) for each in names])
        for asset, name, (healthy, told) in zip(computes, names, found, strict=True):
            if healthy is not None and healthy < asset.count:
                return Underway(f"{name}: {healthy} of {asset.count} targets healthy ({told})")
            targets += healthy or 0
        if work.inventory.traffic is None:
            return Proven({"healthy_targets": targets})
        answer = work.context.fetch(url(_balancer(work), work.inventory.traffic), FETCH_SECONDS)
        if answer.status != 200 or answer.region not in ("", work.region):
            return Underway(f"the balancer: {answer.told}")
        return Proven({"healthy_targets": targets, "answer": answer.told})

    def act(self, work: StepContext) -> None:
        """Start what was stopped; the rest is only waited for."""
        for action, started in _stopped(work):
            action.act(started)


def _stopped(work: StepContext) -> Iterator[tuple[Action, StepContext]]:
    """The groups whose instances nobody asks for any more, as the step that started them."""
    found = list[tuple[Action, StepContext]]()
    for asset in work.inventory.computes:
        started = work.work_of(f"scale-{asset.name}")
        if started is not None:
            found.append((Hold() if started.step.action == "hold" else Scale(), started))
    answers = work.side_by_side([partial(action.ask, started) for action, started in found])
    return (each for each, answer in zip(found, answers, strict=True) if isinstance(answer, Absent))


def _targets(work: StepContext, name: str) -> tuple[int | None, str]:
    """(healthy targets of a group, states in words), of its target group that has fewest where it is in several; None
    where it is behind no balancer."""
    arns = group(work.client, work.region, name).get("TargetGroupARNs", [])
    return min((_healthy(work, arn) for arn in arns), key=lambda found: found[0], default=(None, ""))


def _healthy(work: StepContext, arn: str) -> tuple[int, str]:
    answer = work.client.call("elbv2", "describe_target_health", work.region, TargetGroupArn=arn)
    states = [each["TargetHealth"]["State"] for each in answer["TargetHealthDescriptions"]]
    return states.count("healthy"), ", ".join(states) or "none registered"


def _balancer(work: StepContext) -> str:
    """DNS name of the balancer in the step's region."""
    assert work.inventory.traffic is not None
    if work.region == work.inventory.primary:
        return work.inventory.traffic.primary_balancer_dns
    names = [work.inventory.names.load_balancer()]
    answer = work.client.call("elbv2", "describe_load_balancers", work.region, Names=names)
    (found,) = answer["LoadBalancers"]
    return str(found["DNSName"])


class MoveTraffic:
    """The user's DNS name answers from this region. Arguments: region."""

    wait = Wait(MOVE_SECONDS, EVERY_SECONDS, "alarm period, health check, DNS caches")

    def ask(self, work: StepContext) -> Answer:
        """One GET from outside."""
        assert work.inventory.traffic is not None
        answer = work.context.fetch(url(work.inventory.traffic.record, work.inventory.traffic), FETCH_SECONDS)
        if self._arrived(work, answer):
            return Proven({"record": work.inventory.traffic.record, "answer": answer.told})
        return Absent(f"{work.inventory.traffic.record}: {answer.told}")

    def act(self, work: StepContext) -> None:
        """One datum; the alarm keeps its state where the next ones are missing."""
        put_metric(work.context, METRIC_STANDBY_ACTIVE, 1 if work.region == work.inventory.standby else 0)

    def _arrived(self, work: StepContext, answer: Fetched) -> bool:
        if work.begun_at is None or answer.status != 200:
            return False
        settled = work.clock.now() >= work.begun_at + SILENT_SETTLE_SECONDS
        return answer.region == work.region or (not answer.region and settled)
