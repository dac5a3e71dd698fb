"""Who watches a run: hears every line of its journal as it is written, by whichever process writes it.

Handed in as an argument, like the clock. A run goes the same way whether anybody watches or not; what a watcher hears
is what the journal keeps, so a person at a terminal, a file and the journal never tell different stories.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import Any, Protocol

from pilotlight.runtime.errors import RegionUnreachable, Throttled
from pilotlight.runtime.records.runs import RUNNING, Entry
from pilotlight.runtime.store.ledger import Ledger

WAITS_FOR = "waits_for"
WAITS_SECONDS = "waits_seconds"
"""Keys of an intention's evidence: why the step is waited for, and for how long at most."""


class Observer(Protocol):
    """Whoever watches; called from the threads of the run, one line at a time or several at once."""

    def wrote(self, run: str, entry: Entry) -> None:
        """The journal of this run has one line more."""
        ...

    def beside(self, holder: str, seconds: float) -> None:
        """Another has the lease; it is waited for, `seconds` more at most."""
        ...


class Unwatched:
    """Nobody watches."""

    def wrote(self, run: str, entry: Entry) -> None:
        """Nothing."""

    def beside(self, holder: str, seconds: float) -> None:
        """Nothing."""


UNWATCHED = Unwatched()


def waiting(observed: str, reason: str, seconds: float) -> dict[str, Any]:
    """The evidence of an intention: what was seen before the act, and what is waited for after it."""
    return {"observed": observed, WAITS_FOR: reason, WAITS_SECONDS: seconds}


@dataclass
class Beside:
    """While another process has the lease: its journal is read again and again, and what is new in it is told."""

    ledger: Ledger
    observer: Observer
    _waited: bool = False
    _told: dict[str, int] = field(default_factory=dict)
    """Run -> the number of its last line that was told."""

    def waited(self, holder: str, seconds: float) -> None:
        """Called before every look at the lease but the first."""
        self._waited = True
        self.observer.beside(holder, seconds)
        self.catch_up()

    def last(self) -> None:
        """Called once the lease is here: what was written since the last look, where anybody was waited for."""
        if self._waited:
            self.catch_up()

    def catch_up(self) -> None:
        """Tell every line that was not told yet; a look that fails is made up for by the next one. Nothing is read
        where nobody watches."""
        if self.observer is UNWATCHED:
            return
        with contextlib.suppress(RegionUnreachable, Throttled):
            run, state = self.ledger.newest_run() or ("", "")
            if state == RUNNING or run in self._told:
                for number, entry in self.ledger.lines(run, self._told.get(run, -1)).items():
                    self._told[run] = number
                    self.observer.wrote(run, entry)
