"""A way home begins when the region is back: all of its services that are needed answer."""

from __future__ import annotations

from pilotlight.runtime.errors import RegionUnreachable
from pilotlight.runtime.kinds.action import Answer, Proven, StepContext, Underway, Wait, Watch
from pilotlight.runtime.kinds.registry import by_kind

RETURN_SECONDS = 120
"""A failback is asked for when the region is back; services of a region do not all come back in one second."""


class PrimaryAnswers(Watch):
    """Every service of the primary region that the way home needs gives an answer."""

    wait = Wait(RETURN_SECONDS, 2, "services of a region come back one after the other")

    def ask(self, work: StepContext) -> Answer:
        """One reading call of each kind."""
        inventory, region = work.inventory, work.inventory.primary
        try:
            for kind, assets in by_kind(inventory):
                for each in kind.questions(inventory, assets, region):
                    work.client.call(each.client, each.operation, region, **each.parameters)
        except RegionUnreachable as problem:
            return Underway(problem.message)
        return Proven({"answered": [asset.name for asset in inventory.assets]})
