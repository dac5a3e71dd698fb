"""What a user loses when this fails: trust. Random damage to every checkpoint that a framework wrote, 500 cases.

A case takes a fixture and does one thing to one of its files, or to what lies around it: never a crash, never
"complete". Bits are flipped only where a flip says something (an archive's every byte; of the others the first eight):
what is only text for people may change. Bytes that no checksum covers are for `--deep`, and are left alone here.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from damage import FIXTURES, files, flipped
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from layouts import Files, Kept
from test_fixtures import PROVES_NOTHING, WRITTEN

from pilotlight.runtime.checkpoints.format import File, Unreadable, Verdict
from pilotlight.runtime.checkpoints.verify import verify_all

CONTENTS: dict[str, Files] = {
    fixture: {file: (FIXTURES / fixture / file).read_bytes() for file in files(fixture)} for fixture in WRITTEN
}
MATTERS = [
    (fixture, file) for fixture in WRITTEN for file in CONTENTS[fixture] if (fixture, file) not in PROVES_NOTHING
]
ARCHIVES = (".pt", ".bin", ".ckpt", ".distcp")
POINTERS = tuple(file for _, file in PROVES_NOTHING)
HEAD_BYTES = 8
PROTOCOL_BYTE = 1
"""Of a pickle: any protocol up to 5 may read what was written with an older one."""


def judged(contents: Files) -> list[Verdict]:
    return verify_all(Kept(contents))


def remove(draw: st.DrawFn, contents: Files, file: str) -> None:
    del contents[file]


def truncate(draw: st.DrawFn, contents: Files, file: str) -> None:
    contents[file] = contents[file][: -draw(st.integers(1, len(contents[file])))]


def extend(draw: st.DrawFn, contents: Files, file: str) -> None:
    """By anything that is more than white space: that is no damage to JSON."""
    contents[file] += draw(st.binary(min_size=1, max_size=200)) + b"\0"


def empty(draw: st.DrawFn, contents: Files, file: str) -> None:
    contents[file] = b""


def overwrite(draw: st.DrawFn, contents: Files, file: str) -> None:
    """The same length, other bytes."""
    contents[file] = bytes(byte ^ 0xA5 for byte in contents[file])


def exchange(draw: st.DrawFn, contents: Files, file: str) -> None:
    """Two files change places."""
    other = draw(st.sampled_from(sorted(contents)))
    contents[file], contents[other] = contents[other], contents[file]


def flip(draw: st.DrawFn, contents: Files, file: str) -> None:
    end = len(contents[file]) if file.endswith(ARCHIVES) else min(HEAD_BYTES, len(contents[file]))
    position = draw(st.integers(0, end - 1))
    if position != PROTOCOL_BYTE or not file.endswith(".metadata"):
        contents[file] = flipped(contents[file], position, draw(st.integers(0, 7)))


def rename(draw: st.DrawFn, contents: Files, file: str) -> None:
    """To a key that S3 takes and that leads elsewhere on a disk."""
    folder, _, name = file.rpartition("/")
    contents[f"{folder}/../{name}" if folder else f"../{name}"] = contents.pop(file)


def cut_out(draw: st.DrawFn, contents: Files, file: str) -> None:
    """Some bytes from the middle are gone; text in braces may still say the same after it, and is left alone."""
    body = contents[file]
    if body.startswith(b"{"):
        return
    start = draw(st.integers(0, len(body) - 1))
    contents[file] = body[:start] + body[start + draw(st.integers(1, 4096)) :]


WAYS: list[Callable[[st.DrawFn, Files, str], None]] = [
    remove, truncate, extend, empty, overwrite, exchange, flip, flip, rename, cut_out,
]  # fmt: skip


class Case:
    """What was done to which file, and what lies there after it; told without the bytes."""

    def __init__(self, fixture: str, file: str, way: str, contents: Files) -> None:
        self.fixture, self.file, self.way, self.contents = fixture, file, way, contents

    def __repr__(self) -> str:
        return f"{self.fixture}/{self.file}: {self.way}"


@st.composite
def damaged(draw: st.DrawFn) -> Case:
    """One thing done to one file."""
    fixture, file = draw(st.sampled_from(MATTERS))
    contents = dict(CONTENTS[fixture])
    way = draw(st.sampled_from(WAYS))
    way(draw, contents, file)
    return Case(fixture, file, way.__name__, contents)


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(case=damaged())
def test_no_damage_is_called_complete_and_none_is_a_crash(case: Case) -> None:
    before = CONTENTS[case.fixture]
    whole = {verdict.path for verdict in judged(case.contents) if verdict.complete}
    for path in [path for path, _, _ in WRITTEN[case.fixture] if of(path, case.contents) != of(path, before)]:
        assert path not in whole, f"{case.fixture}/{case.file}: {case.way} was not found"


def of(path: str, contents: Files) -> Files:
    """The files that matter of one checkpoint."""
    return {key: body for key, body in contents.items() if key.startswith(path) and not key.endswith(POINTERS)}


@pytest.mark.parametrize("fixture", WRITTEN)
def test_a_reader_whose_files_vanish_while_they_are_read_is_no_crash(fixture: str) -> None:
    class Vanishing(Kept):
        def read_range(self, file: File, start: int, length: int) -> bytes:
            raise Unreadable("is gone")

    assert not any(verdict.complete for verdict in verify_all(Vanishing(CONTENTS[fixture])))
