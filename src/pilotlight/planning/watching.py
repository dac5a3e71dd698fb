"""What will be watched of a workload, and who will be told (pure): what runtime/readiness/looking.py will do."""

from __future__ import annotations

from collections.abc import Iterator

from pilotlight.kinds.registry import aspect
from pilotlight.planning.forecast import KindForecast
from pilotlight.workload.model import Workload

ALWAYS = ("EC2", "RDS", "DynamoDB")
"""Services that are asked whatever is declared (runtime/readiness/looking.py)."""


def watched(workload: Workload) -> tuple[str, ...]:
    """Everything that the probe will look at, every minute, from the standby region."""
    return tuple(_watched(workload))


def _watched(workload: Workload) -> Iterator[str]:
    primary, assets = workload.regions.primary, workload.assets
    kinds: dict[str, KindForecast] = aspect("forecast")
    if workload.traffic:
        url = f"http://{workload.traffic.record}{workload.traffic.check}"
        yield f"{url} from outside: three failures in a row are a loss"
    declared = {asset.kind for asset in assets.values()}
    more = [service for kind, each in kinds.items() if kind in declared for service in each.SERVICES]
    services = list(dict.fromkeys([*ALWAYS, *more]))
    most = "a loss when all but one are silent" if workload.traffic is None else "told when one is silent"
    yield f"the services of {primary} ({', '.join(services)}): {most}"
    for name, asset in assets.items():
        yield from kinds[asset.kind].watched(workload, name, asset)


def told(workload: Workload) -> tuple[str, ...]:
    """Who will be told what needs a person."""
    notify = workload.notify
    return (*notify.email, *notify.https) if notify else ()
