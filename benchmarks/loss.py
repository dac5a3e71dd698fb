"""B8: is a loss ever told smaller than it is? Peer: S3's own metric, the age of the oldest object that is pending.

Histories of a bucket that is too long for every scheduled run (tests/simulation/deltas.py): replicas that come late or
never, events of it that get lost, doubled, late and out of order. At each recovery point what is told is held against
an oracle that sees both sides whole. Nothing is timed: seconds are virtual.
"""

from __future__ import annotations

import sys
from multiprocessing import Pool
from pathlib import Path

from measuring.results import QUICK, Result

TESTS = Path(__file__).parents[1] / "tests"
HISTORIES = 100 if QUICK else 10_000
FIRST = 100_000
ALARM_SECONDS_MAX = 60.0
"""The probe looks every minute: what S3 has told is a metric by then."""


def main() -> int:
    """Print the figures; 1 where a point said more than was so."""
    sys.path[:0] = [str(TESTS), str(TESTS / "simulation")]
    import deltas

    points = wrong = optimistic = 0
    slowest = 0.0
    with Pool() as pool:
        for each in pool.imap_unordered(deltas.play, range(FIRST, FIRST + HISTORIES), 20):
            points, wrong = points + each.points, wrong + bool(each.wrong)
            optimistic, slowest = optimistic + each.metric_optimistic, max(slowest, each.worst_alarm_seconds)
    result = Result(
        "B8",
        ours={"histories": HISTORIES, "points": points, "histories with an optimistic loss or a silent failure": wrong},
        peers={"S3's pending objects": {"points with an optimistic loss": optimistic, "share": optimistic / points}},
        ratios={"optimistic histories": float(wrong), "alarm seconds": slowest},
        goal={"optimistic histories": 0.0, "alarm seconds": ALARM_SECONDS_MAX},
    )
    result.met = not wrong and slowest <= ALARM_SECONDS_MAX
    return result.tell()


if __name__ == "__main__":
    sys.exit(main())
