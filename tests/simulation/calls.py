"""The AWS client of one process in a disaster: each call is a turn, and may meet a fault of the plan."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import plans
from judging import ACTING
from plans import Fault
from scheduling import Killed, Process

from pilotlight.runtime.aws import paging
from pilotlight.runtime.aws.client import is_reading, refused
from pilotlight.runtime.errors import PilotlightError, RegionUnreachable, Throttled

if TYPE_CHECKING:
    from disasters import Disaster

ANSWER_SECONDS = 22.0
"""runtime/aws/boto.py, CONNECT_SECONDS and READ_SECONDS: after so long a caller has given up."""


class Calls:
    """The AWS client of one process: each call is a turn, and may meet a fault."""

    def __init__(self, disaster: Disaster, process: Process, actor: str) -> None:
        self._disaster, self._process, self._actor = disaster, process, actor
        self._scheduler = disaster.scheduler
        self._pace = disaster.paces[actor]
        self._faults = disaster.faults[actor]

    def pages(self, service: str, operation: str, region: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """See AwsClient.pages."""
        return paging.pages(self.call, service, operation, region, parameters)

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        """See AwsClient.call."""
        disaster = self._disaster
        disaster.calls += 1
        number = disaster.numbers[self._actor] = disaster.numbers[self._actor] + 1
        if service in ACTING and not is_reading(operation):
            disaster.judge.begins(self._process, service, operation, region)
        fault = self._fault(number, service, operation, region, parameters) if self._faults else None
        self._scheduler.sleep(self._seconds())
        if fault is not None:
            return self._meet(fault, service, operation, region, parameters)
        return disaster.effect(self._process, service, operation, region, parameters)

    def _seconds(self) -> float:
        if self._disaster.plan.pace == 0:
            return 0.03
        drawn = self._pace.random()
        return 0.01 + 0.05 * drawn if drawn < 0.97 else 3 * (drawn - 0.96) * 25

    def _fault(self, number: int, service: str, operation: str, region: str, parameters: Any) -> Fault | None:
        first = self._faults[0]
        if number < first.nth or not self._fits(first.kind, service, operation, region, parameters):
            return None
        return self._faults.pop(0)

    def _fits(self, kind: str, service: str, operation: str, region: str, parameters: Any) -> bool:
        reading = is_reading(operation)
        if kind in (plans.LATE_ACT, plans.LOST_ANSWER, plans.FROZEN):
            return not reading
        if kind == plans.REFUSED_READ:
            return reading and service != "dynamodb"
        if kind == plans.STALE_READ:
            return reading and self._disaster.remembered(service, operation, region, parameters) is not None
        return True

    def _meet(self, fault: Fault, service: str, operation: str, region: str, parameters: Any) -> dict[str, Any]:
        disaster, process, kind = self._disaster, self._process, fault.kind
        disaster.meets(process, fault, f"{service}:{operation} in {region}")
        if kind == plans.KILL_BEFORE:
            process.kill()
            raise Killed
        if kind == plans.ABORT:
            process.interrupt()
            self._scheduler.sleep(0.0)
        if kind == plans.THROTTLED:
            raise Throttled(service=service, operation=operation, region=region, attempts=1)
        if kind == plans.SILENT:
            disaster.lost.add((service, operation, region, str(parameters)))
            raise RegionUnreachable(region=region, service=service, operation=operation)
        if kind == plans.REFUSED_READ:
            raise refused(service, operation, region, "AccessDenied", "not authorized at this moment")
        if kind == plans.STALE_READ:
            found = disaster.remembered(service, operation, region, parameters)
            if found is not None:
                return found
        if kind == plans.FROZEN:
            process.frozen_until = self._scheduler.now + fault.seconds
            self._scheduler.sleep(fault.seconds)
        if kind == plans.LATE_ACT:
            return self._late(fault, service, operation, region, parameters)
        answer = disaster.effect(process, service, operation, region, parameters)
        if kind == plans.KILL_AFTER:
            process.kill()
            raise Killed
        if kind == plans.LOST_ANSWER:
            disaster.lost.add((service, operation, region, str(parameters)))
            raise RegionUnreachable(region=region, service=service, operation=operation)
        return answer

    def _late(self, fault: Fault, service: str, operation: str, region: str, parameters: Any) -> dict[str, Any]:
        """It is in the air, whatever becomes of its caller."""
        answers: list[dict[str, Any] | PilotlightError] = []

        def arrive() -> None:
            self._disaster.tell(self._process.name, f"its {service}:{operation} in {region} takes effect")
            self._disaster.judge.arrives(service)
            try:
                answers.append(self._disaster.effect(self._process, service, operation, region, parameters))
            except PilotlightError as problem:
                answers.append(problem)

        self._scheduler.at(self._scheduler.now + fault.seconds, arrive)
        self._scheduler.sleep(min(fault.seconds, ANSWER_SECONDS) + 0.001)
        if not answers:
            raise RegionUnreachable(region=region, service=service, operation=operation)
        if isinstance(answers[0], PilotlightError):
            raise answers[0]
        return answers[0]
