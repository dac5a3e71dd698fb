"""The ledger: what the journal table says - active record, runs and their entries, recovery points, requests.

Items: `active/active` (read by applications too), `run#<run>/run` and `run#<run>/entry#...`, `runs/<run>`,
`points/<point>`, `rosters#<asset>/<run>`, `request/failover`, `verdicts/<asset>`, `vetoes/<asset>#<path>`; lease.py
has `lease/...`. Every write is whole by itself, so a reader never sees half a paper.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from pilotlight.clock import Clock, stamp
from pilotlight.errors import EpochStale
from pilotlight.records.point import COMPLETE, PARTIAL, REFUSED
from pilotlight.records.runs import RUNNING, Entry, Journal
from pilotlight.recovery import rosters
from pilotlight.recovery.lease import FIRST_EPOCH, RUN, Leases
from pilotlight.recovery.rosters import Roster
from pilotlight.recovery.sightings import Sightings
from pilotlight.recovery.table import Table

SERVING = "serving"
FAILING_OVER = "failing-over"
SWITCHING = "switching"
KNOWN_MAX = 20_000
"""States of 16 characters: 340 KB, within the 400 KB of an item. What is left out is read again at the next firing."""
CUT = "cut"
"""The key of evidence that was too long to be kept."""
EVIDENCE_BYTES_MAX = 380_000
"""DynamoDB items end at 400 KB; evidence beyond this is cut to its keys, says so, and no step goes on with it."""


@dataclass(frozen=True)
class Active:
    """Which region serves, since which epoch; `state` is serving, failing-over or switching."""

    region: str
    epoch: int
    since: str
    run: str
    state: str = SERVING


@dataclass(frozen=True)
class PointLine:
    """One recovery point as the index lists it."""

    id: str
    status: str
    created_at: str
    sets: tuple[str, ...] = ()
    """The snapshot sets and images that the point stands on; pruning keeps them as long as the point."""
    manifests: tuple[str, ...] = ()
    """Papers that list the objects of its datasets; pruning keeps them as long as the point."""
    checkpoints: tuple[str, ...] = ()
    """`asset#path` of the checkpoints it names; a refused one takes all its points with it."""
    why: str = ""
    """Why a person refused it."""
    outdated: bool = False
    """Partial only because the standby region would launch older software."""

    @property
    def usable(self) -> bool:
        """Whether a run may go by it."""
        return self.status == COMPLETE or (self.status == PARTIAL and self.outdated)


@dataclass(frozen=True)
class Request:
    """A failover that waits for a person; `run` is set once it was carried out, `over_at` once its alarm was over.

    `alarm_at` is when the alarm behind it went off, empty where a person asked; `told_at` is when people were told.
    """

    reason: str
    requested_at: str
    approved_by: str = ""
    approved_at: str = ""
    run: str = ""
    alarm_at: str = ""
    over_at: str = ""
    told_at: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it waits still: for a word, or, where that was given, to be carried out."""
        return not self.run and not self.over_at


@dataclass(frozen=True)
class Protection:
    """Whether a bucket is protected: the state, since when, why not; when both sides were last compared, and how
    many objects were equal."""

    state: str
    since: str
    why: str = ""
    compared_at: str = ""
    objects: int = 0


_LISTS = ("sets", "manifests", "checkpoints")


def read_active(table: Table, primary: str) -> Active:
    """The active record, read consistently; where the table has none yet, the primary serves at the first epoch.

    The one way to read it. Whatever keeps it from being read is raised: a refusal says nothing about who serves.
    """
    item = table.get("active", "active")
    if item is None:
        return Active(primary, FIRST_EPOCH, "", "")
    return Active(item["region"], item["epoch"], item["since"], item["run"], item.get("state", SERVING))


class Ledger:
    """Everything the journal table says of one workload."""

    def __init__(self, table: Table, workload: str, clock: Clock) -> None:
        self._table, self._workload, self._clock = table, workload, clock
        self.leases = Leases(table, workload, clock)
        self.sightings = Sightings(table, clock)

    # -- the active record -------------------------------------------------------------------------------------

    def initialise(self, primary: str) -> Active:
        """The first active record; an existing one is left as it is."""
        first = {"region": primary, "epoch": FIRST_EPOCH, "since": self._now(), "run": "", "state": SERVING}
        self._table.put("active", "active", first, new=True)
        return self.active(primary)

    def active(self, primary: str) -> Active:
        """The active record; before the first one, the primary serves at the first epoch."""
        return read_active(self._table, primary)

    def set_active(self, region: str, state: str, run: str, epoch: int, held: int) -> None:
        """Say who serves. EpochStale when `held` is no longer the newest epoch, or a newer one is recorded already."""
        current = self.leases.epoch(RUN)
        if current != held:
            raise EpochStale(workload=self._workload, held=held, current=current)
        values = {"region": region, "epoch": epoch, "since": self._now(), "run": run, "state": state, "held": held}
        changes = "#region = :region, #epoch = :epoch, #since = :since, #run = :run, #state = :state"
        condition = "attribute_not_exists(#epoch) OR #epoch <= :held"
        if self._table.update("active", "active", changes, values, condition) is None:
            raise EpochStale(workload=self._workload, held=held, current=self.active("").epoch)

    # -- runs --------------------------------------------------------------------------------------------------

    def open_run(self, run: str, kind: str, epoch: int) -> None:
        """Begin a run, or take it up again under a newer epoch."""
        started = {"kind": kind, "workload": self._workload, "started_at": self._now()}
        self._table.put("runs", run, {"kind": kind}, new=True)
        self._table.put(f"run#{run}", "run", started | _header(epoch, RUNNING), new=True)
        values = {"epoch": epoch, "state": RUNNING, "none": ""}
        changes = "#epoch = :epoch, #state = :state, #reason = :none, #finished_at = :none"
        self._table.update(f"run#{run}", "run", changes, values)

    def append(self, run: str, entry: Entry, number: int) -> None:
        """One line of the journal; `number` keeps the order of lines of one moment."""
        line = {"step": entry.step, "state": entry.state, "at": entry.at, "epoch": entry.epoch}
        sort = f"entry#{entry.at}#{number:05d}"
        self._table.put(f"run#{run}", sort, line | {"evidence": _bounded(entry.evidence)})

    def close_run(self, run: str, state: str, reason: str = "") -> None:
        """Say how a run ended; a later process may still take up one that did not succeed."""
        values = {"state": state, "reason": reason, "finished_at": self._now()}
        self._table.update(
            f"run#{run}", "run", "#state = :state, #reason = :reason, #finished_at = :finished_at", values
        )

    def journal(self, run: str) -> Journal | None:
        """A run with all its entries."""
        header: dict[str, Any] | None = None
        entries = []
        for item in self._table.query(f"run#{run}"):
            if item["sk"] == "run":
                header = item
            else:
                evidence = json.loads(item["evidence"])
                entries.append(Entry(item["step"], item["state"], item["at"], item["epoch"], evidence))
        return _journal(run, header, tuple(entries)) if header else None

    def runs(self, kind: str = "", limit: int | None = None) -> list[Journal]:
        """The runs of a kind, or of all, the newest first: every one, or so many as whoever asks wants to see. One that
        was listed and died before it had a journal has done nothing, and is none."""
        found = [item["sk"] for item in self._table.query("runs", newest_first=True) if kind in ("", item["kind"])]
        journals = (journal for run in found if (journal := self.journal(run)))
        return list(islice(journals, limit))

    # -- recovery points ---------------------------------------------------------------------------------------

    def index_point(self, line: PointLine) -> None:
        """List a point; done after its paper is written, so that a listed point can be read."""
        lists = {name: json.dumps(getattr(line, name)) for name in _LISTS}
        said = {"status": line.status, "created_at": line.created_at, "outdated": line.outdated}
        self._table.put("points", line.id, said | lists)

    def refuse_point(self, point: str, why: str) -> None:
        """List a point as refused from now on; its paper stays as it was written."""
        self._table.update("points", point, "#status = :status, #why = :why", {"status": REFUSED, "why": why})

    def points(self) -> list[PointLine]:
        """Every point, the newest first."""
        items = self._table.query("points", newest_first=True)
        return [_line(item) for item in items]

    def forget_point(self, point: str) -> None:
        """Take a point off the list; done before its paper is deleted."""
        self._table.delete("points", point)

    # -- rosters of scheduled runs -----------------------------------------------------------------------------

    def keep_roster(self, asset: str, roster: Roster) -> None:
        """Say which volumes a scheduled run is to snapshot; done before the first of them is."""
        self._table.put(f"rosters#{asset}", roster.run, {"roster": rosters.to_text(roster)})

    def rosters(self, asset: str) -> list[Roster]:
        """What is kept of a volume group, the newest first."""
        items = self._table.query(f"rosters#{asset}", newest_first=True)
        return [rosters.from_text(str(item["roster"])) for item in items]

    def forget_roster(self, asset: str, run: str) -> None:
        """A newer run is complete, and no one asks for this one by name any more."""
        self._table.delete(f"rosters#{asset}", run)

    # -- requests and verdicts ---------------------------------------------------------------------------------

    def request(self) -> Request | None:
        """The newest request for a failover."""
        item = self._table.get("request", "failover")
        if item is None:
            return None
        return Request(**{name: str(item.get(name, "")) for name in Request.__dataclass_fields__})

    def open_request(self) -> Request | None:
        """The request that waits for a person, or whose word is given and not carried out; None where there is none."""
        found = self.request()
        return found if found and found.is_open else None

    def ask_for_approval(self, reason: str, alarm_at: str = "") -> Request:
        """Leave a request. One that waits already stays, unless it was left for an earlier alarm: that alarm is over,
        and so is what was said to it. A word that was given after an alarm went off is for that one, too."""
        waiting = self.open_request()
        if waiting and not (alarm_at and alarm_at > max(waiting.alarm_at, waiting.approved_at)):
            return waiting
        asked = Request(reason, self._now(), alarm_at=alarm_at)
        values = {"reason": reason, "requested_at": asked.requested_at, "alarm_at": alarm_at}
        self._table.put("request", "failover", values)
        return asked

    def approve(self, by: str) -> Request:
        """A person says yes; with no request waiting, the word is the request."""
        self.ask_for_approval(f"asked for by {by}")
        values = {"by": by, "at": self._now()}
        self._table.update("request", "failover", "#approved_by = :by, #approved_at = :at", values)
        return self.request() or Request("", "")

    def told(self) -> None:
        """People were told of the request."""
        self._table.update("request", "failover", "#told_at = :at", {"at": self._now()})

    def end_request(self, ended_at: str) -> Request | None:
        """The alarm behind the open request is over since then, and the request with it; None where none of it was."""
        waiting = self.open_request()
        if waiting is None or not waiting.alarm_at or waiting.alarm_at > ended_at:
            return None
        self._table.update("request", "failover", "#over_at = :at", {"at": ended_at})
        return self.request()

    def settle_request(self, run: str) -> None:
        """The request was carried out by this run, so the word given for it counts no more."""
        if self.request():
            self._table.update("request", "failover", "#run = :run", {"run": run})

    def known_complete(self, asset: str) -> frozenset[str]:
        """The states of checkpoints in the standby region that the last firing found complete."""
        item = self._table.get("verdicts", asset)
        return frozenset(str(item["states"]).split()) if item else frozenset()

    def know_complete(self, asset: str, states: Collection[str]) -> None:
        """Keep these instead; one item an asset, however many checkpoints there are."""
        self._table.put("verdicts", asset, {"states": " ".join(sorted(states)[:KNOWN_MAX])})

    def protection(self, asset: str) -> Protection | None:
        """Whether a bucket is protected, as the last comparison found; None before the first."""
        item = self._table.get("protection", asset)
        if item is None:
            return None
        state, since, why, compared_at = (str(item.get(name, "")) for name in ("state", "since", "why", "compared_at"))
        return Protection(state, since, why, compared_at, int(item.get("objects", 0)))

    def set_protection(self, asset: str, state: str, why: str, objects: int) -> Protection:
        """Keep what a comparison found; `since` moves only with the state."""
        before, now = self.protection(asset), self._now()
        since = before.since if before and before.state == state else now
        found = Protection(state, since, why, now, objects)
        self._table.put("protection", asset, asdict(found))
        return found

    def position(self, asset: str) -> str:
        """The key that a backfill which did not finish had come to; empty where it begins."""
        item = self._table.get("backfill", asset)
        return str(item["key"]) if item else ""

    def set_position(self, asset: str, key: str) -> None:
        """Everything up to this key has been compared, and copied where it had to be; empty when all has."""
        if key:
            self._table.put("backfill", asset, {"key": key, "at": self._now()})
        else:
            self._table.delete("backfill", asset)

    def job(self, asset: str) -> tuple[str, str]:
        """(token, id) of the batch job of a bucket; empty where there is none, the id while it is being made."""
        item = self._table.get("job", asset)
        return (str(item["token"]), str(item["id"])) if item else ("", "")

    def keep_job(self, asset: str, token: str, id: str) -> None:
        """Remember the batch job of a bucket."""
        self._table.put("job", asset, {"token": token, "id": id, "at": self._now()})

    def forget_job(self, asset: str) -> None:
        """It has ended."""
        self._table.delete("job", asset)

    def veto(self, asset: str, path: str, why: str, by: str) -> None:
        """A person's word that a checkpoint is not to be used, however whole it is."""
        self._table.put("vetoes", f"{asset}#{path}", {"why": why, "by": by, "at": self._now()})

    def vetoes(self, asset: str) -> dict[str, str]:
        """Path -> why, of every checkpoint of this asset that a person refused."""
        mine = [item for item in self._table.query("vetoes") if str(item["sk"]).startswith(f"{asset}#")]
        return {str(item["sk"]).partition("#")[2]: f"refused by {item['by']}: {item['why']}" for item in mine}

    def _now(self) -> str:
        return stamp(self._clock.now())


def _header(epoch: int, state: str) -> dict[str, Any]:
    return {"epoch": epoch, "state": state, "finished_at": "", "reason": ""}


def _journal(run: str, header: dict[str, Any], entries: tuple[Entry, ...]) -> Journal:
    return Journal(
        run=run,
        kind=header["kind"],
        workload=header["workload"],
        epoch=header["epoch"],
        state=header["state"],
        started_at=header["started_at"],
        finished_at=header["finished_at"],
        reason=header["reason"],
        entries=entries,
    )


def _line(item: dict[str, Any]) -> PointLine:
    lists = {name: tuple(json.loads(item.get(name, "[]"))) for name in _LISTS}
    why, outdated = str(item.get("why", "")), bool(item.get("outdated", False))
    return PointLine(item["sk"], item["status"], item["created_at"], why=why, outdated=outdated, **lists)


def _bounded(evidence: dict[str, Any]) -> str:
    """Evidence as JSON; what is too long for an item is named by its keys alone."""
    text = json.dumps(evidence, sort_keys=True, default=str)
    if len(text) <= EVIDENCE_BYTES_MAX:
        return text
    return json.dumps({CUT: f"{len(text)} bytes of evidence", "keys": sorted(evidence)})
