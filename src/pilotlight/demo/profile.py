"""Where the rehearsal's time goes: by chapter, what its threads waited for, and who used the cores meanwhile.

A thread looks at the others twenty times a second. What they wait for is read where they stand: the waits of the engine
and of the rehearsal have words for it, a call to the cloud has its name, a pause of the runtime the function it is in.
A wait counts once however many threads share it; waits overlap, so they do not add up to the chapter's seconds.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import FrameType

import psutil

LOOK_SECONDS = 0.05
PROCESSES_SECONDS = 0.5
"""Between two looks at what each process has used; one that lives less long may not be seen."""
TOLD_MAX = 6
"""Waits of a chapter that are told, the longest first."""
TOLD_SECONDS_MIN = 0.2
STARTING, ENDING = "start", "end"

WAITS = {("engine/resources/waiting.py", "until"): "what", ("demo/waiting.py", "wait_for"): "what"}
"""(file, function) -> its argument that says what is waited for."""
CALL = ("runtime/aws/boto.py", "call")
PAUSE = ("runtime/clock.py", "sleep")
PROGRAMS = (
    ("pilotlight.local.serve", "embedded cloud"),
    ("postgres", "PostgreSQL"),
    ("/traffic/", "traffic"),
    ("lambda", "functions"),
)
"""What a command line holds -> whose process it is."""
OURS, OTHERS = "rehearsal", "instances"


@dataclass
class Chapter:
    """One phase: seconds in all, seconds of a core by whose processes, seconds in which something was waited for."""

    name: str
    began: float
    seconds: float = 0.0
    cores: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    waits: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    def lines(self) -> Iterator[str]:
        """As it is printed."""
        used = ", ".join(f"{name} {seconds:.1f}" for name, seconds in _longest(self.cores) if seconds >= 0.05)
        yield f"{self.name:18} {self.seconds:6.1f} s, of cores {sum(self.cores.values()):5.1f} s" + (
            f" ({used})" if used else ""
        )
        for what, seconds in _longest(self.waits)[:TOLD_MAX]:
            if seconds >= TOLD_SECONDS_MIN:
                yield f"    {seconds:6.1f} s  {what}"


class Profile:
    """Looks from when it is made until `end`."""

    def __init__(self) -> None:
        self.chapters = [Chapter(STARTING, time.monotonic())]
        self._used: dict[int, float] = {}
        self._names: dict[int, str] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, name="profile", daemon=True)
        self._account()
        self._thread.start()

    def enter(self, name: str) -> None:
        """From here on it is this chapter."""
        self._account()
        now = time.monotonic()
        self.chapters[-1].seconds = now - self.chapters[-1].began
        self.chapters.append(Chapter(name, now))

    def end(self) -> None:
        """Nothing more is looked at."""
        self._ended.set()
        self._thread.join()
        self.chapters[-1].seconds = time.monotonic() - self.chapters[-1].began

    def lines(self) -> Iterator[str]:
        """All chapters, then their sum."""
        whole = Chapter("all", self.chapters[0].began)
        for each in self.chapters:
            whole.seconds += each.seconds
            for whose, seconds in each.cores.items():
                whole.cores[whose] += seconds
            yield from each.lines()
        yield from whole.lines()

    def _look(self) -> None:
        before = accounted = time.monotonic()
        while not self._ended.wait(LOOK_SECONDS):
            now = time.monotonic()
            for what in _waits(threading.get_ident()):
                self.chapters[-1].waits[what] += now - before
            before = now
            if now - accounted >= PROCESSES_SECONDS:
                self._account()
                accounted = now

    def _account(self) -> None:
        """What each process has used since the last look."""
        with self._lock:
            ours = psutil.Process()
            for process in (ours, *ours.children(recursive=True)):
                with contextlib.suppress(psutil.Error):
                    times = process.cpu_times()
                    used = times.user + times.system
                    if process.pid not in self._names:
                        self._names[process.pid] = OURS if process is ours else _whose(process)
                    self.chapters[-1].cores[self._names[process.pid]] += used - self._used.get(process.pid, 0.0)
                    self._used[process.pid] = used


def _longest(seconds: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(seconds.items(), key=lambda each: -each[1])


def _whose(process: psutil.Process) -> str:
    command = " ".join(process.cmdline())
    return next((whose for word, whose in PROGRAMS if word in command), OTHERS)


def _waits(own: int) -> set[str]:
    """What all threads but one's own wait for at this moment."""
    frames = [frame for thread, frame in sys._current_frames().items() if thread != own]
    return {what for what in map(_wait, frames) if what}


def _wait(frame: FrameType | None) -> str:
    """The innermost wait of a thread, in words; empty where there is none that is known."""
    paused = ""
    while frame is not None:
        file, name = frame.f_code.co_filename.rpartition("pilotlight/")[2], frame.f_code.co_name
        if (file, name) in WAITS:
            return str(frame.f_locals.get(WAITS[file, name], ""))
        if (file, name) == CALL:
            return (
                f"{frame.f_locals.get('service')}:{frame.f_locals.get('operation')} in {frame.f_locals.get('region')}"
            )
        if paused == PAUSE[0] and file != PAUSE[0]:
            return f"a pause of {file.removesuffix('.py')}, {name}"
        if (file, name) == PAUSE:
            paused = file
        frame = frame.f_back
    return ""
