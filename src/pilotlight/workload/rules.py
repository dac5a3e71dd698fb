"""What fields of a declaration say of each other: every rule gives all the problems it sees (pure).

A problem is the path of the value it is about and a sentence: what is wrong; what would be right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pilotlight.runtime.naming import BUCKET_NAME_LENGTH_MAX
from pilotlight.workload.lines import Path
from pilotlight.workload.model import Checkpoints, Compute, Database, Dataset, Volumes, Workload
from pilotlight.workload.words import nearest

Problem = tuple[Path, str]

FLOOR_SECONDS = {"dataset": 1.0, "checkpoints": 1.0, "database": 1.0, "compute": 1.0}
"""No mechanism that copies asynchronously promises less: Aurora Global Database lags "typically less than a second"
(Aurora User Guide, "Using Amazon Aurora Global Database"); S3 replication is "within seconds" at its best (S3 FAQ)."""

FASTEST_COPY_SECONDS = 60.0
"""A snapshot and its copy take at least about a minute however small (EBS User Guide, "Copy an EBS snapshot": best
effort, no promise); a volume's RPO cannot be below the schedule plus this.
What is forecast is longer: planning/mechanisms.py, SNAPSHOT_COPY_SECONDS."""

USES = {
    "dataset": (),
    "checkpoints": ("dataset",),
    "volumes": ("dataset", "checkpoints"),
    "database": ("dataset", "checkpoints"),
    "compute": ("dataset", "checkpoints", "volumes", "database"),
}
"""Which kinds an asset of a kind may refer to."""

TAKEN = {
    "papers": "the recovery points",
    "state": "Pulumi's state",
    "vault": "the recovery points",
}
"""Names of buckets that are made besides the assets' own (naming.py, stacks/vault.py)."""

ACCOUNT = "0" * 12
"""Every account id has twelve digits: enough to know how long a derived name will be."""


def problems(workload: Workload) -> list[Problem]:
    """Everything that is wrong."""
    rules: tuple[Callable[[Workload], Iterator[Problem]], ...] = (
        _regions,
        _objectives,
        _uses,
        _cycles,
        _mounts,
        _references,
        _buckets,
        _derived_names,
        _taken_names,
        _traffic,
        _automatic,
        _notify,
    )
    return [problem for rule in rules for problem in rule(workload)]


def _regions(workload: Workload) -> Iterator[Problem]:
    if workload.regions.primary == workload.regions.standby:
        yield ("regions", "standby"), f"is the primary, {workload.regions.primary}, too; name another region"


def _objectives(workload: Workload) -> Iterator[Problem]:
    for name, asset in workload.assets.items():
        own = asset.rpo_seconds is not None
        wanted = asset.rpo_seconds if asset.rpo_seconds is not None else workload.objectives.rpo_seconds
        floor, why = _floor(workload, asset.kind)
        if wanted < floor:
            path: Path = ("assets", name, "rpo") if own else ("objectives", "rpo")
            reach = f"below what protects {name} ({asset.kind}) can reach: {why}"
            yield path, f"{wanted:g}s is {reach}; ask {floor:g}s or more"


def _floor(workload: Workload, kind: str) -> tuple[float, str]:
    if kind == "volumes":
        every = workload.points.every_seconds
        return (
            every + FASTEST_COPY_SECONDS,
            f"snapshots every {every:g}s plus {FASTEST_COPY_SECONDS:g}s, the least that a copy takes",
        )
    return FLOOR_SECONDS[kind], "copies are asynchronous"


def _uses(workload: Workload) -> Iterator[Problem]:
    known = list(workload.assets)
    for name, asset in workload.assets.items():
        for index, used in enumerate(asset.uses):
            path: Path = ("assets", name, "uses", index)
            if used not in workload.assets:
                yield path, f"there is no asset {used}; {nearest(used, known)}"
            elif used != name and workload.assets[used].kind not in USES[asset.kind]:
                allowed = ", ".join(USES[asset.kind]) or "nothing"
                yield path, f"{asset.kind} cannot use {used} ({workload.assets[used].kind}); it can use {allowed}"


def _cycles(workload: Workload) -> Iterator[Problem]:
    """One problem for each cycle, at the edge that closes it."""
    done: set[str] = set()

    def walk(name: str, trail: tuple[str, ...]) -> Iterator[Problem]:
        for index, used in enumerate(workload.assets[name].uses):
            if used in trail:
                circle = " -> ".join((*trail[trail.index(used) :], used))
                yield ("assets", name, "uses", index), f"closes a cycle: {circle}; take one of its edges away"
            elif used in workload.assets and used not in done:
                yield from walk(used, (*trail, used))
        done.add(name)

    for name in workload.assets:
        if name not in done:
            yield from walk(name, (name,))


def _mounts(workload: Workload) -> Iterator[Problem]:
    groups = [name for name, asset in workload.assets.items() if isinstance(asset, Volumes)]
    for name, asset in workload.assets.items():
        if not isinstance(asset, Compute):
            continue
        for index, volumes in enumerate(asset.volumes):
            if volumes not in groups:
                advice = nearest(volumes, groups) if groups else "declare one of kind volumes"
                yield ("assets", name, "volumes", index), f"there is no volume group {volumes}; {advice}"


def _references(workload: Workload) -> Iterator[Problem]:
    for name, asset in workload.assets.items():
        if not isinstance(asset, Database) or asset.references is None:
            continue
        kinds = {workload.assets[used].kind for used in asset.uses if used in workload.assets}
        if "checkpoints" not in kinds:
            yield (
                ("assets", name, "references"),
                "its rows name checkpoints, but `uses` names no asset of kind checkpoints; add the one they lie in",
            )


def _buckets(workload: Workload) -> Iterator[Problem]:
    owners: dict[str, str] = {}
    for name, asset in workload.assets.items():
        if isinstance(asset, Dataset | Checkpoints):
            if asset.bucket in owners:
                yield (
                    ("assets", name, "bucket"),
                    f"{asset.bucket} is {owners[asset.bucket]}'s already; a bucket has one set of replication rules, "
                    "so name it in one asset",
                )
            owners.setdefault(asset.bucket, name)
    clusters: dict[str, str] = {}
    for name, asset in workload.assets.items():
        if isinstance(asset, Database):
            if asset.cluster in clusters:
                owner = clusters[asset.cluster]
                yield ("assets", name, "cluster"), f"{asset.cluster} is {owner}'s already; name it once"
            clusters.setdefault(asset.cluster, name)


def _derived_names(workload: Workload) -> Iterator[Problem]:
    names = workload.names(ACCOUNT)
    for name, asset in workload.assets.items():
        if isinstance(asset, Dataset | Checkpoints):
            derived = names.standby_bucket(name)
            if len(derived) > BUCKET_NAME_LENGTH_MAX:
                too_long = len(derived) - BUCKET_NAME_LENGTH_MAX
                yield (
                    ("assets", name),
                    f"its standby bucket's name would be {len(derived)} characters long ({derived}); shorten the name "
                    f"of the asset or the workload by {too_long}",
                )


def _taken_names(workload: Workload) -> Iterator[Problem]:
    for name, asset in workload.assets.items():
        if isinstance(asset, Dataset | Checkpoints) and name in TAKEN:
            yield (
                ("assets", name),
                f"its standby bucket would be taken for the one of {TAKEN[name]}; give it another name",
            )


def _traffic(workload: Workload) -> Iterator[Problem]:
    traffic = workload.traffic
    if traffic is None:
        return
    if traffic.record != traffic.zone and not traffic.record.endswith("." + traffic.zone):
        yield ("traffic", "record"), f"{traffic.record} is not inside the zone {traffic.zone}; write a name below it"
    if not any(isinstance(asset, Compute) for asset in workload.assets.values()):
        yield ("traffic",), "there is no asset of kind compute that could serve it; declare one"


def _automatic(workload: Workload) -> Iterator[Problem]:
    """A run begins by itself on what was seen of something that serves, and is of use only where something comes up."""
    serving = any(isinstance(asset, Compute | Database) for asset in workload.assets.values())
    if workload.trigger == "automatic" and workload.traffic is None and not serving:
        yield (
            ("trigger",),
            "there is nothing to watch that serves (no traffic, compute or database), and a failover would bring up "
            "nothing; write approval, or declare what serves",
        )


def _notify(workload: Workload) -> Iterator[Problem]:
    notify = workload.notify
    if notify is None:
        return
    if not notify.email and not notify.https:
        yield ("notify",), "names nobody; write email: [...] or https: [...], or take it away"
    for name, given in (("email", notify.email), ("https", notify.https)):
        for index, each in enumerate(given):
            if each in given[:index]:
                yield ("notify", name, index), f"{each} is named twice; take one away"
