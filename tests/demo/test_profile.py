"""What a user loses when one of these fails: they cannot tell whether a slow rehearsal computes or waits."""

from __future__ import annotations

import threading
import time

from pilotlight.demo.profile import ENDING, STARTING, Profile
from pilotlight.demo.waiting import wait_for
from pilotlight.runtime.clock import SystemClock
from pilotlight.runtime.kinds.kind import silent


def test_what_was_waited_for_is_told_in_its_chapter_with_its_seconds() -> None:
    profile = Profile()
    profile.enter("points")
    answers = iter([None] * 4 + ["there"])
    assert wait_for("a recovery point", lambda: next(answers), 5.0, SystemClock()) == "there"
    profile.enter(ENDING)
    profile.end()
    start, points, end = profile.chapters
    assert (start.name, points.name, end.name) == (STARTING, "points", ENDING)
    assert 0.2 < points.waits["a recovery point"] <= points.seconds < 3.0
    assert "a recovery point" not in end.waits
    lines = list(profile.lines())
    assert any("s  a recovery point" in each for each in lines) and lines[-1].startswith("all")


def test_who_computes_is_told_by_seconds_of_a_core() -> None:
    profile = Profile()
    thread = threading.Thread(target=SystemClock().sleep, args=(0.5,))
    thread.start()
    until = time.process_time() + 0.4
    while time.process_time() < until:
        silent("", 0)
    thread.join()
    profile.end()
    (start,) = profile.chapters
    assert start.cores["rehearsal"] >= 0.3 and start.seconds >= 0.4
