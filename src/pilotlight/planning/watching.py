"""What will be watched of a workload, and who will be told (pure): what runtime/readiness/looking.py will do."""

from __future__ import annotations

from collections.abc import Iterator

from pilotlight.workload.model import Checkpoints, Compute, Database, Dataset, Workload


def watched(workload: Workload) -> tuple[str, ...]:
    """Everything that the probe will look at, every minute, from the standby region."""
    return tuple(_watched(workload))


def _watched(workload: Workload) -> Iterator[str]:
    primary, assets = workload.regions.primary, workload.assets
    kinds = {type(asset) for asset in assets.values()}
    if workload.traffic:
        url = f"http://{workload.traffic.record}{workload.traffic.check}"
        yield f"{url} from outside: three failures in a row are a loss"
    services = ["EC2", "RDS", "DynamoDB"]
    services += ["S3"] if kinds & {Dataset, Checkpoints} else []
    services += ["Auto Scaling"] if Compute in kinds else []
    most = "a loss when all but one are silent" if workload.traffic is None else "told when one is silent"
    yield f"the services of {primary} ({', '.join(services)}): {most}"
    for name, asset in assets.items():
        if isinstance(asset, Compute):
            yield f"{name}: instances of {asset.group} in service (told)"
        elif isinstance(asset, Database):
            yield f"{name}: whether cluster {asset.cluster} takes writes (told)"
        elif isinstance(asset, Checkpoints) and Compute in kinds:
            yield f"{name}: the newest checkpoint against its usual cadence, while a group is up (told)"


def told(workload: Workload) -> tuple[str, ...]:
    """Who will be told what needs a person."""
    notify = workload.notify
    return (*notify.email, *notify.https) if notify else ()
