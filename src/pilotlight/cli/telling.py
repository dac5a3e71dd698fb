"""How runbooks and runs are printed by the verbs that run them: line by line as the journal is written, then the end.

A run that another process carries is followed in the same way. While nothing is written, a line says now and then what
is waited for, since when, and for how long at most.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from pilotlight.cli.talk import print_json, progress, say
from pilotlight.report.record import Report
from pilotlight.runtime.aws.pacing import Bound
from pilotlight.runtime.clock import Clock, parse_stamp
from pilotlight.runtime.errors import BadOption, NoSuchPoint, PilotlightError, RecordUnreadable, RunInterrupted
from pilotlight.runtime.readiness import people
from pilotlight.runtime.records.codec import encode
from pilotlight.runtime.records.evidence import Chosen
from pilotlight.runtime.records.point import RecoveryPoint
from pilotlight.runtime.records.runs import CHOSEN, FAILED, INTENDED, Entry, Journal, Runbook
from pilotlight.runtime.recovery import Recovery
from pilotlight.runtime.runs.run import TAKE_LEASE
from pilotlight.runtime.runs.watching import WAITS_FOR, WAITS_SECONDS, Observer

STILL_SECONDS = 10.0
"""Between two words about what is still waited for."""
FOLLOW_SECONDS = 12 * 3600.0
"""How long a command follows a run that another process carries: longer than Lambda goes on by itself."""

STARTED_BY_AN_ALARM = {"failover"}
"""Kinds of runs whose time begins before them, with what called for them."""

Run = Callable[[Observer], Journal | None]


def show_runbook(book: Runbook, bound: Bound | None, json: bool) -> None:
    """Phase by phase, the steps in order, each with what it waits for; then the least time that EC2 lets it take."""
    if json:
        print_json(encode(book) | {"lower_bound": encode(bound)})
        return
    phase = ""
    for step in book.steps:
        if step.phase != phase:
            phase = step.phase
            print(phase)
        print(f"  {step.name}" + (f"  after {', '.join(step.needs)}" if step.needs else ""))
    if bound is not None:
        print(bound.told)


@dataclass
class Lines:
    """The observer of whoever sits at the terminal."""

    tell: Callable[[str], None]
    clock: Clock
    run: str = ""
    began: float = 0.0
    holder: str = ""
    carrier: str = ""
    open: dict[str, Entry] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.began = self.clock.now()

    def wrote(self, run: str, entry: Entry) -> None:
        """One line, with the seconds since the command was typed."""
        with self._lock:
            if run != self.run:
                self.run = run
                self.tell(f"run {run}")
            if entry.step == TAKE_LEASE:
                self.carrier = str(entry.evidence.get("holder", ""))
            if entry.state == INTENDED:
                self.open[entry.step] = entry
            else:
                self.open.pop(entry.step, None)
            seconds = parse_stamp(entry.at) - self.began
            self.tell(f"{entry.at}  {seconds:+8.1f} s  {entry.phase:<10}  {entry.state:<9} {entry.step}{_more(entry)}")

    def beside(self, holder: str, seconds: float) -> None:
        """Said once for each holder."""
        if holder != self.holder:
            self.holder = holder
            self.tell(f"{holder} has the lease; its run is followed here, and Ctrl-C ends only the following")

    def still(self) -> None:
        """What is waited for, since when, for how long at most."""
        with self._lock:
            waiting = list(self.open.values())
        for each in waiting:
            seconds = self.clock.now() - parse_stamp(each.at)
            self.tell(f"  still {each.step}: {seconds:.0f} s{_at_most(each)}")


def _more(entry: Entry) -> str:
    if entry.state == FAILED:
        return f": {entry.evidence.get('reason', '')}"
    if entry.state != INTENDED:
        return ""
    return f"  ({entry.evidence.get('observed', '')}){_at_most(entry)}"


def _at_most(entry: Entry) -> str:
    if WAITS_SECONDS not in entry.evidence:
        return ""
    return f", at most {entry.evidence[WAITS_SECONDS]:g} s: {entry.evidence[WAITS_FOR]}"


@contextlib.contextmanager
def ticking(word: Callable[[], None], every: float = STILL_SECONDS) -> Iterator[None]:
    """Call this every so many seconds, beside the block."""
    over = threading.Event()

    def heartbeat() -> None:
        while not over.wait(every):
            word()

    thread = threading.Thread(target=heartbeat, name="still", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def watched(recovery: Recovery, run: Run, json: bool, report: Path | None, file: Path) -> None:
    """Carry out, or follow, a run before the eyes of whoever typed it, and end with its report."""
    writable(report)
    began_at = _called_for(recovery)
    lines = Lines(progress(json), recovery.context.clock)
    try:
        with ticking(lines.still):
            journal = run(lines)
    except PilotlightError:
        _end(recovery, _of(recovery, lines.run), began_at, json, report, file)
        raise
    except KeyboardInterrupt:
        raise _interrupted(recovery, lines) from None
    _end(recovery, journal or _of(recovery, lines.run), began_at, json, report, file)


def _interrupted(recovery: Recovery, lines: Lines) -> BaseException:
    """What becomes of the run that was begun or followed here; before there was one, nothing does."""
    if not lines.run:
        return KeyboardInterrupt()
    stands = f"goes on: {lines.carrier or lines.holder} carries it, and only the following of it ended"
    if lines.carrier == recovery.holder:
        at = ", ".join(sorted(lines.open)) or "the beginning of its next step"
        stands = f"stands at {at}; its lease is given back"
    runbook = lines.run.rpartition("-")[2]
    return RunInterrupted(workload=recovery.context.inventory.workload, run=lines.run, stands=stands, runbook=runbook)


def _of(recovery: Recovery, run: str) -> Journal | None:
    """The journal of the run that was seen, whoever carried it; a journal that cannot be read hides no error."""
    with contextlib.suppress(PilotlightError):
        return recovery.context.ledger.journal(run) if run else None
    return None


def _called_for(recovery: Recovery) -> str:
    """When the alarm went off for which somebody is asked; empty where nobody is."""
    request = recovery.context.ledger.request()
    return (request.alarm_at or request.requested_at) if request and request.is_open else ""


def _end(
    recovery: Recovery, journal: Journal | None, began_at: str, json: bool, report: Path | None, file: Path
) -> None:
    if journal is None:
        if json:
            print_json(None)
        say(f"{serving(recovery)}; nothing was done")
        return
    figures = _report(recovery, journal, began_at, file)
    if json:
        print_json(encode(journal) | {"report": figures})
    else:
        from pilotlight.report import terminal

        terminal.show_run(figures, Console())
        print(f"{journal.run}: {journal.state}")
        for each in people.cautions(journal):
            say(each)
    if report:
        from pilotlight.report import page

        report.write_text(page.render(figures), encoding="utf-8")
        say(f"Report: {report}")


def _report(recovery: Recovery, journal: Journal, began_at: str, file: Path) -> Report:
    from pilotlight.report.of_run import of_run

    chosen = journal.proven(CHOSEN)
    point = _point(recovery, chosen.read(Chosen).point) if chosen else None
    called = began_at if journal.kind in STARTED_BY_AN_ALARM else ""
    return of_run(journal, recovery.context.inventory, point, called, str(file))


def _point(recovery: Recovery, point: str) -> RecoveryPoint | None:
    """The point of the run; one that is gone since leaves the loss unknown, and the run as it is."""
    try:
        return recovery.point(point)
    except (NoSuchPoint, RecordUnreadable):
        return None


def serving(recovery: Recovery) -> str:
    """Who serves, in words; since when, where anything ever changed that."""
    active = recovery.active()
    return f"{active.region} serves" + (f" since {active.since}" if active.since else "")


def writable(path: Path | None) -> None:
    """BadOption before anything is done for a report that could not be kept."""
    if path is None:
        return
    wanted = "the name of a file that can be written"
    if path.is_dir():
        raise BadOption(option="FILE", value=path, reason="is a folder", expected=wanted)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    except OSError as problem:
        reason = f"cannot be written ({problem.strerror})"
        raise BadOption(option="FILE", value=path, reason=reason, expected=wanted) from problem
