"""make simulate: many disasters, the table of faults and invariants, and the smallest story of each that broke one.

python tests/simulation/simulate.py --seconds 120 --seed 1 [--disasters 10000] [--processes 2]
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing import Pool
from pathlib import Path

import deltas
from disaster_world import FAILED_OVER, PROTECTED, world
from disasters import Outcome, play
from judging import INVARIANTS
from plans import FAULTS, plan_of
from shrinking import shrink, story

OUTPUT = Path("build/simulation.json")
SECONDS = 120.0
"""Of a run that names no number of disasters."""
BATCH = 20
HISTORIES_SHARE = 0.25
"""To so many disasters a history of a long bucket, of which a loss would be told too small (deltas.py)."""
HISTORIES_REACH = ("proven", "not proven", "nothing known yet", "exact", "held back", "failure told")
MUST_REACH = (
    "EpochStale",
    "LeaseHeld",
    "RegionUnreachable",
    "CallRefused",
    "StepTimedOut",
    "NothingToApprove",
    "failover succeeded",
    "failback succeeded",
    "run resumed",
    "run superseded",
    "run interrupted by a person",
    "request approved",
    "alarm: waiting-for-approval",
    "alarm: over",
    "alarm: well",
    "alarm: going home",
    "alarm: succeeded",
    "function invoked itself",
    "older point taken",
    "choice withdrawn",
    "never served, nothing brought home",
    "an older run's act took effect",
    "late act noted",
    "late acts named",
    "look-again acted",
    "act done again",
    "people told of a fence left",
)
"""What a number of disasters has to have come through at least once, beside every fault and every invariant."""


@dataclass
class Histories:
    """Of all histories of a long bucket (deltas.py)."""

    played: int = 0
    points: int = 0
    wrong: dict[int, str] = field(default_factory=dict)
    """Seed -> the first thing that may not be."""
    reached: Counter[str] = field(default_factory=Counter)
    worst_alarm_seconds: float = 0.0
    metric_optimistic: int = 0

    def add(self, outcome: deltas.Outcome) -> None:
        """One more."""
        self.played += 1
        self.points += outcome.points
        self.reached += outcome.reached
        self.metric_optimistic += outcome.metric_optimistic
        self.worst_alarm_seconds = max(self.worst_alarm_seconds, outcome.worst_alarm_seconds)
        for wrong in outcome.wrong[:1]:
            self.wrong[outcome.seed] = f"at {wrong.at:.0f} s: {wrong.what}"

    def unreached(self) -> list[str]:
        """Of HISTORIES_REACH."""
        return [f"history: {each}" for each in HISTORIES_REACH if not self.reached[each]]


@dataclass
class Tally:
    """Of all disasters."""

    disasters: int = 0
    calls: int = 0
    virtual_seconds: float = 0.0
    reached: Counter[str] = field(default_factory=Counter)
    cells: dict[str, Counter[str]] = field(default_factory=lambda: {fault: Counter() for fault in FAULTS})
    broken: dict[str, list[int]] = field(default_factory=dict)
    """Invariant -> seeds."""
    broken_cells: set[tuple[str, str]] = field(default_factory=set)

    def add(self, seed: int, outcome: Outcome) -> None:
        """One more."""
        self.disasters += 1
        self.calls += outcome.calls
        self.virtual_seconds += outcome.seconds
        self.reached.update({what: count for what, count in outcome.reached.items() if count})
        wrong = {each.invariant for each in outcome.broken}
        for fault in FAULTS:
            if outcome.met[fault]:
                self.cells[fault].update(outcome.checked.keys())
                self.broken_cells |= {(fault, invariant) for invariant in wrong}
        for invariant in sorted(wrong):
            self.broken.setdefault(invariant, []).append(seed)

    def unreached(self) -> list[str]:
        """Faults that met nobody, invariants that nothing was held against, events of MUST_REACH that never came."""
        faults = [f"fault {fault}" for fault in FAULTS if not self.cells[fault]]
        held = {invariant for cells in self.cells.values() for invariant in cells}
        unheld = [f"invariant {each}" for each in INVARIANTS if each not in held]
        return faults + unheld + [each for each in MUST_REACH if not self.reached[each]]


def prepare() -> None:
    """What every disaster begins from is made once in each process, and is not looked through for garbage again."""
    logging.disable(logging.WARNING)
    for start in (PROTECTED, FAILED_OVER):
        world(start)
    gc.collect()
    gc.freeze()
    gc.disable()


def played(seeds: range) -> list[tuple[int, Outcome]]:
    """One batch, without its stories: they are told anew where one is needed."""
    gc.collect()
    found = []
    for seed in seeds:
        outcome = play(plan_of(seed))
        outcome.story = []
        found.append((seed, outcome))
    return found


def batches(first: int, disasters: int | None, until: float) -> Iterator[range]:
    """Seeds in order: so many, or until the time is over."""
    done = 0
    while (disasters is None and time.monotonic() < until) or (disasters is not None and done < disasters):
        count = BATCH if disasters is None else min(BATCH, disasters - done)
        yield range(first + done, first + done + count)
        done += count


def run(first: int, disasters: int | None, seconds: float, processes: int) -> tuple[Tally, float]:
    """All of them, and how many seconds of the machine's time they took."""
    tally, began = Tally(), time.monotonic()
    with Pool(processes, prepare) as pool:
        ahead = list[object]()
        coming = batches(first, disasters, began + seconds)
        for seeds in coming:
            ahead.append(pool.apply_async(played, (seeds,)))
            if len(ahead) > processes:
                _take(tally, ahead.pop(0))
        for each in ahead:
            _take(tally, each)
    return tally, time.monotonic() - began


def _take(tally: Tally, result: object) -> None:
    for seed, outcome in result.get():  # type: ignore[attr-defined]
        tally.add(seed, outcome)


def table(tally: Tally) -> str:
    """Rows are faults, columns invariants; how many disasters had both, `!` where one of them broke."""
    names = list(INVARIANTS)
    heads = [f"  {number + 1:>2} {name}: {INVARIANTS[name]}" for number, name in enumerate(names)]
    width = max(len(fault) for fault in FAULTS)
    lines = [f"{'':<{width}}" + "".join(f"{number + 1:>8}" for number in range(len(names)))]
    for fault in FAULTS:
        marked = (f"{tally.cells[fault][name]}{'!' if (fault, name) in tally.broken_cells else ''}" for name in names)
        lines.append(f"{fault:<{width}}" + "".join(f"{each:>8}" for each in marked))
    return "\n".join([*heads, "", *lines])


def tell(tally: Tally, seconds: float, first: int, processes: int) -> None:
    """On the terminal."""
    rate, last, many = tally.disasters / seconds, first + tally.disasters - 1, max(1, tally.disasters)
    print(
        f"{tally.disasters} disasters (seeds {first} to {last}) in {seconds:.0f} s on {processes} processes: {rate:.1f}"
        f" a second, {rate / processes:.1f} a process; {tally.calls / many:.0f} calls each, "
        f"{tally.virtual_seconds / 86400:.0f} virtual days\n"
    )
    print(table(tally))
    print("\nreached: " + ", ".join(f"{what} {count}" for what, count in sorted(tally.reached.items())))
    print("never reached: " + (", ".join(tally.unreached()) or "nothing"))
    for invariant, seeds in tally.broken.items():
        print(
            f"\nBROKEN {invariant}: {len(seeds)} disasters, seeds {', '.join(map(str, seeds[:10]))}; the first, shrunk:"
        )
        print(story(play(shrink(plan_of(seeds[0]), invariant))))


def lived(first: int, histories: int, processes: int) -> Histories:
    """So many histories of a long bucket."""
    found = Histories()
    with Pool(processes) as pool:
        for outcome in pool.imap_unordered(deltas.play, range(first, first + histories), BATCH):
            found.add(outcome)
    return found


def tell_histories(found: Histories, first: int) -> None:
    """On the terminal."""
    print(
        f"\n{found.played} histories of a long bucket (seeds {first} to {first + found.played - 1}): {found.points} "
        f"points, {len(found.wrong)} that say more than is so; S3's own metric would have said less loss than was "
        f"{found.metric_optimistic} times; reached: "
        + ", ".join(f"{what} {count}" for what, count in sorted(found.reached.items()))
    )
    for seed, what in list(found.wrong.items())[:10]:
        print(f"WRONG history {seed}: {what}")
    if found.unreached():
        print("never reached: " + ", ".join(found.unreached()))


def write(tally: Tally, histories: Histories, seconds: float, path: Path) -> None:
    """What other programs read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "disasters": tally.disasters,
        "per_second": round(tally.disasters / seconds, 2),
        "broken": tally.broken,
        "cells": {fault: {name: tally.cells[fault][name] for name in INVARIANTS} for fault in FAULTS},
        "unreached": [*tally.unreached(), *histories.unreached()],
        "histories": {"played": histories.played, "points": histories.points, "wrong": histories.wrong},
    }
    path.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n")


def main() -> int:
    """1 where an invariant broke or something was never reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--disasters", type=int, default=None)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument(
        "--story", action="store_true", help="tell what happened in the disaster of --seed, shrunk or not"
    )
    given = parser.parse_args()
    if given.story:
        print(story(play(plan_of(given.seed))))
        return 0
    tally, seconds = run(given.seed, given.disasters, given.seconds, given.processes)
    histories = lived(given.seed, max(1, int(tally.disasters * HISTORIES_SHARE)), given.processes)
    write(tally, histories, seconds, OUTPUT)
    tell(tally, seconds, given.seed, given.processes)
    tell_histories(histories, given.seed)
    return 1 if tally.broken or tally.unreached() or histories.wrong or histories.unreached() else 0


if __name__ == "__main__":
    sys.exit(main())
