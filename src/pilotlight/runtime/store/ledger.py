"""The ledger: what the journal table says - active record, runs and their entries, recovery points, requests.

Items: `active/active` (read by applications too), `run#<run>/run` and `run#<run>/line#...` (`entry#...` of earlier
editions, which come first), `runs/<run>`, `late/...`, `points/<point>`, `let-go/<point>`, `chosen/<run>`,
`fenced/<asset>`, `rosters#<asset>/<run>`, `request/failover`, `verdicts/<asset>`, `vetoes/<asset>#<path>`; lease.py has
`lease/...`. Every write is whole by itself, so a reader never sees half a record. What a run or a scheduled run writes
is written together with a look at its lease, in one transaction: who lost it writes nothing any more.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from pilotlight.runtime.clock import Clock, parse_stamp, stamp
from pilotlight.runtime.errors import EpochStale
from pilotlight.runtime.records.evidence import LateAct
from pilotlight.runtime.records.point import COMPLETE, PARTIAL, REFUSED
from pilotlight.runtime.records.runs import RUNNING, SUPERSEDED, Entry, Journal
from pilotlight.runtime.store import rosters
from pilotlight.runtime.store.lease import FIRST_EPOCH, Held, Leases, holds
from pilotlight.runtime.store.rosters import Roster
from pilotlight.runtime.store.sightings import Sightings
from pilotlight.runtime.store.table import Change, Put, Table

SERVING = "serving"
FAILING_OVER = "failing-over"
SWITCHING = "switching"
POINTS_MAX = 50
"""How many points are looked at for one that proved a part; beyond it what was proven is older than any objective."""
KNOWN_MAX = 20_000
"""States of 16 characters: 340 KB, within the 400 KB of an item. What is left out is read again where it is asked
for."""
LINE = "line#"
LINES_MAX = 99
"""DynamoDB API Reference, TransactWriteItems: up to 100 actions; one is the look at the lease."""
TRANSACTION_BYTES_MAX = 3_000_000
"""Of evidence; the same page: a transaction has up to 4 MB."""
LINE_BYTES = 1_000
"""What a line is beside its evidence, at most."""
CUT = "cut"
"""The key of evidence that was too long to be kept."""
_EVIDENCE = json.JSONEncoder(default=str)
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
    away: bool = True
    """Whether the standby may have written since the primary served last; not known is so."""


@dataclass(frozen=True)
class PointLine:
    """One recovery point as the index lists it."""

    id: str
    status: str
    created_at: str
    sets: tuple[str, ...] = ()
    """The snapshot sets and images that the point stands on; pruning keeps them as long as the point."""
    manifests: tuple[str, ...] = ()
    """Records that list the objects of its datasets; pruning keeps them as long as the point."""
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
    by: str = ""
    """How strongly they are known to be equal, in words: so many by version, so many by checksum."""


_LISTS = ("sets", "manifests", "checkpoints")


def read_active(table: Table, primary: str) -> Active:
    """The active record, read consistently; where the table has none yet, the primary serves at the first epoch.

    The one way to read it. Whatever keeps it from being read is raised: a refusal says nothing about who serves.
    """
    item = table.get("active", "active")
    if item is None:
        return Active(primary, FIRST_EPOCH, "", "")
    away = bool(item.get("away", True))
    return Active(item["region"], item["epoch"], item["since"], item["run"], item.get("state", SERVING), away)


class Ledger:
    """Everything the journal table says of one workload."""

    def __init__(self, table: Table, workload: str, clock: Clock) -> None:
        self._table, self._workload, self._clock = table, workload, clock
        self.leases = Leases(table, workload, clock)
        self.sightings = Sightings(table, clock)

    # -- the active record -------------------------------------------------------------------------------------

    def initialise(self, primary: str) -> Active:
        """The first active record; an existing one is left as it is."""
        first = {"region": primary, "epoch": FIRST_EPOCH, "since": self._now(), "run": "", "state": SERVING, "away": 0}
        self._table.put("active", "active", first, new=True)
        return self.active(primary)

    def active(self, primary: str) -> Active:
        """The active record; before the first one, the primary serves at the first epoch."""
        return read_active(self._table, primary)

    def claim(self, held: Held, primary: str) -> None:
        """From now on nobody with an older epoch says who serves; done before anything else of a run. EpochStale where
        a newer one has claimed it already."""
        first = {"region": primary, "first": FIRST_EPOCH, "none": "", "serving": SERVING, "held": held.epoch}
        changes = (
            "#held = :held, #region = if_not_exists(#region, :region), #epoch = if_not_exists(#epoch, :first), "
            "#since = if_not_exists(#since, :none), #run = if_not_exists(#run, :none), "
            "#state = if_not_exists(#state, :serving)"
        )
        condition = "attribute_not_exists(#held) OR #held < :held"
        if self._table.update("active", "active", changes, first, condition) is None:
            raise self._stale(held)

    def set_active(self, region: str, state: str, run: str, epoch: int, held: int, away: bool | None = None) -> None:
        """Say who serves, and nothing where another run has claimed the record since: EpochStale then. `away`: whether
        the standby may have written since the primary served last; None leaves what is said of it."""
        values = {"region": region, "epoch": epoch, "since": self._now(), "run": run, "state": state, "held": held}
        changes = "#region = :region, #epoch = :epoch, #since = :since, #run = :run, #state = :state"
        if away is not None:
            changes, values = f"{changes}, #away = :away", values | {"away": int(away)}
        if self._table.update("active", "active", changes, values, "#held = :held") is None:
            raise EpochStale(workload=self._workload, held=held, current=self.leases.epoch())

    # -- runs --------------------------------------------------------------------------------------------------

    def open_run(self, run: str, kind: str, held: Held) -> None:
        """Begin a run, or take it up again under a newer epoch. EpochStale, here and below, where the lease was lost:
        nothing was written then."""
        values = {
            "kind": kind,
            "workload": self._workload,
            "started_at": self._now(),
            "epoch": held.epoch,
            "state": RUNNING,
            "none": "",
        }
        kept = ", ".join(f"#{name} = if_not_exists(#{name}, :{name})" for name in ("kind", "workload", "started_at"))
        changes = f"{kept}, #epoch = :epoch, #state = :state, #reason = :none, #finished_at = :none"
        listed = Put("runs", run, {"kind": kind, "open": 1})
        self._together(held, listed, Change(f"run#{run}", "run", changes, values))

    def append(self, run: str, entry: Entry, number: int, held: Held) -> None:
        """One line of the journal. `number` is its place: the clock of the machine that goes on may be behind."""
        self.append_first(run, [entry], number, held)

    def append_first(self, run: str, entries: Sequence[Entry], number: int, held: Held) -> int:
        """The first of these lines, as many as one transaction holds, all of them or none; how many. `number` is the
        place of the first."""
        puts, size = list[Put](), 0
        for place, each in enumerate(entries[:LINES_MAX], number):
            line = {"step": each.step, "state": each.state, "at": each.at, "epoch": each.epoch, "phase": each.phase}
            evidence = _bounded(each.evidence)
            size += len(evidence) + LINE_BYTES
            if puts and size > TRANSACTION_BYTES_MAX:
                break
            puts.append(Put(f"run#{run}", f"{LINE}{place:06d}", line | {"evidence": evidence}))
        self._together(held, *puts)
        return len(puts)

    def next_line(self, run: str) -> int:
        """The place of the next line: after every one that is there, also where one before it never arrived."""
        items = self._table.query(f"run#{run}", newest_first=True)
        newest = next((str(item["sk"]) for item in items if str(item["sk"]).startswith(LINE)), "")
        return int(newest.removeprefix(LINE)) + 1 if newest else 0

    def close_run(self, run: str, kind: str, held: Held, state: str, reason: str = "") -> None:
        """Say how a run ended; a later process may still take up one that did not succeed."""
        values = {"state": state, "reason": reason, "finished_at": self._now()}
        changes = "#state = :state, #reason = :reason, #finished_at = :finished_at"
        self._together(held, Put("runs", run, {"kind": kind}), Change(f"run#{run}", "run", changes, values))

    def open_runs(self) -> dict[str, str]:
        """Run -> kind, of those that have not ended."""
        return {str(item["sk"]): str(item["kind"]) for item in self._table.query("runs") if item.get("open")}

    def supersede(self, but: str, held: Held, reason: str) -> None:
        """Close every run that is open still but one: whoever was at them has lost the lease for good."""
        for run, kind in self.open_runs().items():
            if run != but:
                self.close_run(run, kind, held, SUPERSEDED, reason)

    def note_late(self, act: LateAct) -> None:
        """Keep an act that was done by who had lost the lease; the newer run names it, and has looked again."""
        self._table.put("late", f"{act.at}#{act.run}#{act.call}", asdict(act))

    def late_acts(self, epoch: int) -> list[LateAct]:
        """Those that were found when this epoch was the newest, or a later one; clocks of machines say less."""
        found = [{name: item[name] for name in LateAct.__dataclass_fields__} for item in self._table.query("late")]
        return [LateAct(**each) for each in found if each["current"] >= epoch]

    def _together(self, held: Held, *parts: Put | Change) -> None:
        if not self._table.together(holds(held), *parts):
            raise self._stale(held)

    def _stale(self, held: Held) -> EpochStale:
        return EpochStale(workload=self._workload, held=held.epoch, current=self.leases.epoch(held.purpose))

    def journal(self, run: str) -> Journal | None:
        """A run with all its entries."""
        header: dict[str, Any] | None = None
        entries = []
        for item in self._table.query(f"run#{run}"):
            if item["sk"] == "run":
                header = item
            else:
                entries.append(_entry(item))
        return _journal(run, header, tuple(entries)) if header else None

    def header(self, run: str) -> Journal | None:
        """A run without its entries: of which kind it is, and how it ended."""
        header = self._table.get(f"run#{run}", "run")
        return _journal(run, header, ()) if header else None

    def lines(self, run: str, after: int = -1) -> dict[int, Entry]:
        """Number -> entry, of the lines of a journal that come after one: who watches does not read it all again."""
        found = self._table.query(f"run#{run}", after=f"{LINE}{after:06d}" if after >= 0 else LINE)
        return {int(item["sk"].removeprefix(LINE)): _entry(item) for item in found if item["sk"].startswith(LINE)}

    def newest_run(self) -> tuple[str, str] | None:
        """(run, state) of the newest that has a journal, without its lines."""
        for item in self._table.query("runs", newest_first=True):
            if header := self._table.get(f"run#{item['sk']}", "run"):
                return str(item["sk"]), str(header["state"])
        return None

    def runs(self, kind: str = "", limit: int | None = None) -> list[Journal]:
        """The runs of a kind, or of all, the newest first: every one, or so many as whoever asks wants to see. One that
        was listed and died before it had a journal has done nothing, and is none."""
        found = [item["sk"] for item in self._table.query("runs", newest_first=True) if kind in ("", item["kind"])]
        journals = (journal for run in found if (journal := self.journal(run)))
        return list(islice(journals, limit))

    # -- recovery points ---------------------------------------------------------------------------------------

    def index_point(self, line: PointLine, held: Held) -> None:
        """List a point, by whoever has the lease of protecting; done after its record is written: what is listed can
        be read. EpochStale where another scheduled run began since: it may have let go of what this point stands
        on."""
        self._together(held, Put("points", line.id, _said(line)))

    def refuse_point(self, point: str, why: str) -> None:
        """List a point as refused from now on; its record stays as it was written."""
        self._table.update("points", point, "#status = :status, #why = :why", {"status": REFUSED, "why": why})

    def points(self) -> list[PointLine]:
        """Every point, the newest first."""
        items = self._table.query("points", newest_first=True)
        return [_line(item) for item in items]

    def let_go(self, line: PointLine) -> None:
        """Take a point off the list, and remember what it stands on: whoever has just chosen it may still get it."""
        self._table.put("let-go", line.id, _said(line) | {"at": self._now()})
        self._table.delete("points", line.id)

    def gone_points(self) -> list[tuple[PointLine, str]]:
        """(point, since when) of those that were taken off the list, and whose records and copies are there still."""
        return [(_line(item), str(item["at"])) for item in self._table.query("let-go")]

    def forget_point(self, point: str) -> None:
        """Nothing of it is kept any longer; done after its record was deleted."""
        self._table.delete("let-go", point)

    def choose_point(self, run: str, point: str) -> None:
        """A run is to recover from this point; said before it is asked whether the point is listed still, so that
        whoever prunes either sees the choice or was seen."""
        self._table.put("chosen", run, {"point": point, "at": self._now()})

    def chosen_point(self, run: str) -> str:
        """What a run has chosen; empty where it has not."""
        item = self._table.get("chosen", run)
        return str(item["point"]) if item else ""

    def choices(self) -> dict[str, str]:
        """Run -> the point that it has chosen."""
        return {str(item["sk"]): str(item["point"]) for item in self._table.query("chosen")}

    def forget_choice(self, run: str) -> None:
        """The run has ended, and reads no copies any more."""
        self._table.delete("chosen", run)

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

    def known_complete(self, asset: str) -> dict[str, None]:
        """The states of checkpoints in the standby region that scheduled runs found complete, the last ones first."""
        item = self._table.get("verdicts", asset)
        return dict.fromkeys(str(item["states"]).split() if item else ())

    def know_complete(self, asset: str, states: Iterable[str]) -> None:
        """Keep these instead, the first KNOWN_MAX; one item an asset, however many checkpoints there are."""
        self._table.put("verdicts", asset, {"states": " ".join(islice(states, KNOWN_MAX))})

    def protection(self, asset: str) -> Protection | None:
        """Whether a bucket is protected, as the last comparison found; None before the first."""
        item = self._table.get("protection", asset)
        if item is None:
            return None
        told = {name: str(item.get(name, "")) for name in ("state", "since", "why", "compared_at", "by")}
        return Protection(**told, objects=int(item.get("objects", 0)))

    def set_protection(
        self, asset: str, state: str, why: str, objects: int, by: str = "", compared_at: str = ""
    ) -> Protection:
        """Keep what a comparison found, now or at another moment; `since` moves only with the state."""
        before, now = self.protection(asset), self._now()
        since = before.since if before and before.state == state else now
        found = Protection(state, since, why, compared_at or now, objects, by)
        self._table.put("protection", asset, asdict(found))
        return found

    def fenced_at(self, asset: str) -> float | None:
        """Since when the primary's bucket is known to take no writes but those of a way home (seconds since 1970)."""
        item = self._table.get("fenced", asset)
        return parse_stamp(str(item["at"])) if item else None

    def keep_fence(self, asset: str, anew: bool) -> None:
        """It takes none from now on; where it was fenced already, the moment that is kept stays."""
        self._table.put("fenced", asset, {"at": self._now()}, new=not anew)

    def forget_fence(self, asset: str) -> None:
        """It is about to take writes again."""
        self._table.delete("fenced", asset)

    def position(self, asset: str) -> str:
        """The key that a backfill which did not finish had come to; empty where it begins."""
        item = self._table.get("backfill", asset)
        return str(item["key"]) if item else ""

    def set_position(self, asset: str, key: str) -> None:
        """Everything up to this key has been compared, and copied where it had to be; empty when all has."""
        self._table.put("backfill", asset, {"key": key, "at": self._now()})

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

    def reject_checkpoint(self, asset: str, path: str, why: str, by: str) -> None:
        """A person's word that a checkpoint is not to be used, however whole it is."""
        self._table.put("vetoes", f"{asset}#{path}", {"why": why, "by": by, "at": self._now()})

    def rejections(self, asset: str) -> dict[str, str]:
        """Path -> why, of every checkpoint of this asset that a person refused."""
        mine = [item for item in self._table.query("vetoes") if str(item["sk"]).startswith(f"{asset}#")]
        return {str(item["sk"]).partition("#")[2]: f"refused by {item['by']}: {item['why']}" for item in mine}

    def _now(self) -> str:
        return stamp(self._clock.now())


def _said(line: PointLine) -> dict[str, Any]:
    lists = {name: json.dumps(getattr(line, name)) for name in _LISTS}
    return {"status": line.status, "created_at": line.created_at, "outdated": line.outdated} | lists


def _entry(item: dict[str, Any]) -> Entry:
    evidence, phase = json.loads(item["evidence"]), str(item.get("phase", ""))
    return Entry(item["step"], item["state"], item["at"], item["epoch"], evidence, phase)


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
    text = _EVIDENCE.encode(evidence)
    if len(text) <= EVIDENCE_BYTES_MAX:
        return text
    return json.dumps({CUT: f"{len(text)} bytes of evidence", "keys": sorted(evidence)})
