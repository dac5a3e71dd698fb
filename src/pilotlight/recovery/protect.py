"""Keeping: one firing makes one recovery point, begins what the next ones need, and prunes what the ladder lets go.

The point says what is proven in the standby region at this moment; copies begun now are for later points. It is made
also when the primary region does not answer, from what the standby holds, and says so. While the standby region is
the active one there is nothing to copy from, and no point is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from pilotlight.clock import parse_stamp, stamp
from pilotlight.errors import CallRefused, RegionUnreachable
from pilotlight.naming import METRIC_UNREPLICATED
from pilotlight.records.inventory import Inventory, Volumes
from pilotlight.records.point import Part, RecoveryPoint
from pilotlight.recovery import choose, protection, snapshots
from pilotlight.recovery.lease import PROTECT
from pilotlight.recovery.ledger import SERVING, PointLine
from pilotlight.recovery.metrics import put_metric
from pilotlight.recovery.observe.cut import Cut, read_rows
from pilotlight.recovery.observe.earlier import Earlier
from pilotlight.recovery.papers import locked
from pilotlight.recovery.prune import prune
from pilotlight.recovery.site import Site

DUE_SHARE = 0.75
"""A set is due when this share of the interval has passed: firings are never exactly on time."""
UNFINISHED_SETS_MAX = 3
"""Sets under way at once; when copies take longer than the interval, more of them would only slow all down."""
COPIES_MAX = 20
"""EBS User Guide, "Copy an Amazon EBS snapshot": concurrent copies to one destination region, not adjustable."""
FURTHER_LOOKS_MAX = 3
FURTHER_LOOK_SECONDS = 2.0
"""S3 replicates most objects within seconds: a point that waits for them is worth more than one that lacks them."""
PRIMARY_SILENT = "The primary region does not answer; the point is what the standby region holds."


def protect(site: Site, holder: str) -> RecoveryPoint | None:
    """One firing. None while the standby region serves or a run goes on. LeaseHeld when the last one still works."""
    ledger = site.ledger
    active = ledger.active(site.inventory.primary)
    if active.region != site.inventory.primary or active.state != SERVING:
        return None
    with ledger.leases.during(holder, PROTECT) as held:
        primary_answers = site.answers(site.inventory.primary)
        remarks = _keep_up(site) if primary_answers else (PRIMARY_SILENT,)
        ledger.leases.renew(held)
        point = make_point(site, primary_answers, remarks, lambda: ledger.leases.renew(held))
        protection.judge_parts(site, point.parts)
        _publish(site, point.parts)
        ledger.leases.renew(held)
        prune(site, primary_answers)
    return point


def make_point(
    site: Site, primary_answers: bool, remarks: tuple[str, ...] = (), still: Callable[[], None] = lambda: None
) -> RecoveryPoint:
    """Look at everything, write the papers, then list the point; `still` is called before every further look."""
    earlier = Earlier(site)
    rows = read_rows(site, primary_answers)
    look = Cut(site, primary_answers, earlier, rows)
    made = _judged(site, look, remarks)
    for _ in range(FURTHER_LOOKS_MAX):
        if not (look.primary_answers and unsettled(site.inventory, made)):
            break
        site.clock.sleep(FURTHER_LOOK_SECONDS)
        still()
        look = Cut(site, look.primary_answers, earlier, rows)
        made = _judged(site, look, remarks)
    look.learn()
    _write(site, made, look)
    return made


def _judged(site: Site, look: Cut, remarks: tuple[str, ...]) -> RecoveryPoint:
    parts = look.parts()
    moment = stamp(site.clock.now())
    return choose.point(site.inventory, _id(moment), moment, parts, remarks)


def unsettled(inventory: Inventory, made: RecoveryPoint) -> bool:
    """Whether only what is on its way keeps the point from being complete (pure)."""
    if any(choose.lacking(made.parts)):
        return False
    return any(choose.dangling(made.parts)) or any(choose.edges(inventory, made.parts))


def _write(site: Site, made: RecoveryPoint, look: Cut) -> None:
    """Manifests first, the point's paper next, its line last: what is listed can be read."""
    lock = locked(site.inventory.lock, site.clock.now())
    for manifest in look.manifests.values():
        if manifest.key and (lock or not site.papers.has_manifest(manifest.key)):
            site.papers.write_manifest(manifest.key, manifest.body(), lock)
    site.papers.write_point(made, lock)
    site.ledger.index_point(line(made))


def line(made: RecoveryPoint) -> PointLine:
    """How a point is listed (pure)."""
    manifests = tuple(str(part.reference["manifest"]) for part in made.parts if part.reference.get("manifest"))
    taken = tuple(f"{part.asset}#{part.reference['prefix']}" for part in made.parts if "step" in part.reference)
    return PointLine(made.id, made.status, made.created_at, tuple(_sets(made)), manifests, taken)


def _id(moment: str) -> str:
    """Sorts as the moments do: 2026-01-02T03:04:05.678Z -> 20260102T030405678Z."""
    return "".join(letter for letter in moment if letter not in "-:.")


def _sets(point: RecoveryPoint) -> Iterator[str]:
    return (str(part.reference["set"]) for part in point.parts if "set" in part.reference)


# -- snapshots -------------------------------------------------------------------------------------------------


def _keep_up(site: Site) -> tuple[str, ...]:
    """Begin the sets that are due and the copies that can be begun; remarks about what could not be."""
    remarks: list[str] = []
    for asset in site.inventory.volumes:
        try:
            remarks += _keep_up_one(site, asset)
        except CallRefused as refusal:
            remarks.append(f"{asset.name}: {refusal.message}")
        except RegionUnreachable as problem:
            remarks.append(f"{asset.name}: {problem.message}")
    return tuple(remarks)


def _keep_up_one(site: Site, asset: Volumes) -> list[str]:
    inventory, door = site.inventory, site.door
    copies = snapshots.listed(door, inventory.standby, inventory.workload, asset.name)
    sources = snapshots.listed(door, inventory.primary, inventory.workload, asset.name)
    instances, loose = snapshots.attached(door, inventory.primary, asset)
    if is_due(snapshots.sets(sources), snapshots.sets(copies), site.clock.now(), inventory.every_seconds):
        _create(site, asset, instances)
        sources = snapshots.listed(door, inventory.primary, inventory.workload, asset.name)
    devices = {volume: device for device, volume in asset.devices.items()}
    for each in instances:
        devices |= each.devices
    for source in to_copy(sources, copies):
        key = inventory.names.key_alias
        regions = (inventory.primary, inventory.standby)
        device = devices.get(source.volume, "")
        snapshots.copy(door, source, regions, asset.name, device, key, inventory.workload)
    return [f"{asset.name}: volume {volume} is attached to no instance and is in no set." for volume in loose]


def is_due(
    sources: list[snapshots.SnapshotSet], copies: list[snapshots.SnapshotSet], now: float, every_seconds: float
) -> bool:
    """Whether a new set is begun now (pure)."""
    if not sources:
        return True
    done = {each.id for each in copies if each.complete}
    newest_done = max((each.true_at for each in copies if each.complete), default="")
    under_way = [each for each in sources if each.id not in done and each.true_at > newest_done]
    age = now - parse_stamp(sources[0].true_at)
    return age >= every_seconds * DUE_SHARE and len(under_way) < UNFINISHED_SETS_MAX


def to_copy(sources: list[snapshots.Snapshot], copies: list[snapshots.Snapshot]) -> list[snapshots.Snapshot]:
    """Completed snapshots, the newest first, that have no copy yet and are newer than the newest set there (pure)."""
    begun = {each.source for each in copies if each.state != snapshots.ERROR}
    newest_done = max((each.true_at for each in snapshots.sets(copies) if each.complete), default="")
    pending = sum(each.state not in (snapshots.COMPLETED, snapshots.ERROR) for each in copies)
    wanted = [
        each
        for each in sources
        if each.set and each.state == snapshots.COMPLETED and each.id not in begun and each.true_at > newest_done
    ]
    wanted.sort(key=lambda each: (each.true_at, each.id), reverse=True)
    return wanted[: max(0, COPIES_MAX - pending)]


def _create(site: Site, asset: Volumes, instances: list[snapshots.Attached]) -> None:
    moment = stamp(site.clock.now())
    for each in instances:
        set_id = f"{_id(moment)}-{each.instance}"
        workload, region = site.inventory.workload, site.inventory.primary
        snapshots.create(site.door, region, workload, asset.name, each, set_id, moment)


# -- what others watch -----------------------------------------------------------------------------------------


def _publish(site: Site, parts: Iterable[Part]) -> None:
    """How many objects are overdue; the alarm `unreplicated` watches it."""
    overdue = [int(part.evidence["overdue"]) for part in parts if "overdue" in part.evidence]
    if overdue:
        put_metric(site, METRIC_UNREPLICATED, sum(overdue))
