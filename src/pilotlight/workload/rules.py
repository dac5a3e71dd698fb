"""What fields of a declaration say of each other: every rule gives all the problems it sees (pure).

A problem is the path of the value it is about and a sentence: what is wrong; what would be right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pilotlight.workload.asset import Problem
from pilotlight.workload.lines import Path
from pilotlight.workload.model import Workload
from pilotlight.workload.words import nearest


def problems(workload: Workload) -> list[Problem]:
    """Everything that is wrong."""
    rules: tuple[Callable[[Workload], Iterator[Problem]], ...] = (
        _regions,
        _objectives,
        _uses,
        _cycles,
        _of_kinds,
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
        floor, why = asset.floor(workload)
        if wanted < floor:
            path: Path = ("assets", name, "rpo") if own else ("objectives", "rpo")
            reach = f"below what protects {name} ({asset.kind}) can reach: {why}"
            yield path, f"{wanted:g}s is {reach}; ask {floor:g}s or more"


def _uses(workload: Workload) -> Iterator[Problem]:
    known = list(workload.assets)
    for name, asset in workload.assets.items():
        for index, used in enumerate(asset.uses):
            path: Path = ("assets", name, "uses", index)
            if used not in workload.assets:
                yield path, f"there is no asset {used}; {nearest(used, known)}"
            elif used != name and workload.assets[used].kind not in asset.MAY_USE:
                allowed = ", ".join(asset.MAY_USE) or "nothing"
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


def _of_kinds(workload: Workload) -> Iterator[Problem]:
    """What kinds know to be wrong (kinds/<kind>/declare.py)."""
    for name, asset in workload.assets.items():
        yield from asset.problems(name, workload)


def _traffic(workload: Workload) -> Iterator[Problem]:
    traffic = workload.traffic
    if traffic is None:
        return
    if traffic.record != traffic.zone and not traffic.record.endswith("." + traffic.zone):
        yield ("traffic", "record"), f"{traffic.record} is not inside the zone {traffic.zone}; write a name below it"
    if not any(asset.ANSWERS for asset in workload.assets.values()):
        yield ("traffic",), "there is no asset of kind compute that could serve it; declare one"


def _automatic(workload: Workload) -> Iterator[Problem]:
    """A run begins by itself on what was seen of something that serves, and is of use only where something comes up."""
    serving = any(asset.SERVES for asset in workload.assets.values())
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
