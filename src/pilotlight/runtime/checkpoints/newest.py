"""Checkpoints of a long bucket, found from the newest step down: what only adds to its length is not listed again.

What fits into one page of S3's listing is read whole. A longer folder is asked for what lies directly in it: files, and
names of folders, a thousand a page (S3 API reference, ListObjectsV2, `Delimiter`). Of folders side by side whose names
tell steps only the newest are looked into; the others stay *closed* until somebody asks for more. What is found is what
the whole listing finds, as long as no closed folder holds another step than its name tells: where one that was looked
into does, all beside it are looked into, and so are those that a format may claim from above.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from pilotlight.runtime.checkpoints import claims, verify
from pilotlight.runtime.checkpoints.claims import Found, TooManyFiles
from pilotlight.runtime.checkpoints.format import File
from pilotlight.runtime.checkpoints.readers import BucketReader
from pilotlight.runtime.checkpoints.steps import step_of_name

FOLDERS_MAX = 100
"""Folders in one folder that are asked for one by one: more are read in one listing of all of it."""
LOOKS_MAX = 1_000
"""The same of all of a bucket."""
SHAPES_MAX = 20
"""Names without their numbers that steps in one folder may have: with more it is not numbers that tell them apart."""
PROBES = ("model-00001-of-00002.safetensors", "__0_0.distcp", "fp32.pt")
"""What a closed folder may hold so that a format claims a folder above it: shards of an index that lies there
(folder.py), parts of `weights/` (formats/nemo.py), states of `zero/` (formats/deepspeed_universal.py)."""
_NUMBER, _DIGIT = re.compile(r"\d+"), re.compile(r"\d")


@dataclass(eq=False)
class _Steps:
    """Folders side by side that are called alike; `closed` has path and step, the newest first."""

    parent: str
    closed: dict[str, int]
    opened: int = 0

    @property
    def newest(self) -> int:
        """Of those that are closed; -1 where none is."""
        return next(iter(self.closed.values()), -1)


class NewestFirst:
    """One look at a bucket, that can be widened."""

    def __init__(self, reader: BucketReader, format: str, at_first: int, step: Callable[[Found], int | None]) -> None:
        """`at_first`: how many folders of steps are looked into in any case, of each kind of name in each folder;
        `step` tells that of a checkpoint. CallRefused, RegionUnreachable; TooManyFiles where more than FILES_MAX lie
        in what is looked into, here and wherever more is looked into."""
        self._reader, self._formats, self._at_first, self._step = reader, verify.formats(format), at_first, step
        self._files: list[File] = []
        self._groups: list[_Steps] = []
        self._closed: dict[str, _Steps] = {}
        self._opened: dict[str, tuple[int, _Steps]] = {}
        self._looks = 0
        self._found: list[Found] | None = None
        self._look("")

    # -- what is known -----------------------------------------------------------------------------------------

    @property
    def found(self) -> list[Found]:
        """The checkpoints in what was looked into, in the order of their paths."""
        while self._found is None:
            standing = self._standing()
            reached = self._reached(standing)
            if not reached:
                found = self._claimed(standing)
                reached = self._untold(found)
            if reached:
                self.open(reached)
            else:
                self._found = found
        return self._found

    @property
    def newest_closed(self) -> int:
        """The newest step that a closed folder tells; -1 where none is closed."""
        return max((each.newest for each in self._groups), default=-1)

    def closed_below(self, path: str) -> list[str]:
        """Closed folders anywhere below a folder, in their order."""
        return sorted(each for each in self._closed if each.startswith(path))

    # -- looking into more -------------------------------------------------------------------------------------

    def down_to(self, step: int) -> None:
        """More of the folders that are called by steps beside which a closed one tells this step, or a later one."""
        self._double(each for each in self._groups if each.newest >= step)

    def beside(self, folder: str) -> bool:
        """More of the steps in this folder; whether there were any."""
        groups = [each for each in self._groups if each.parent == folder and each.closed]
        self._double(groups)
        return bool(groups)

    def reach(self, paths: Iterable[str]) -> None:
        """The closed folders that these are, or lie in."""
        wanted = list(paths)
        while closed := {
            each for path in wanted for each in _with_above(f"{path.rstrip('/')}/") if each in self._closed
        }:
            self.open(closed)

    def open(self, closed: Collection[str]) -> None:
        """These; all that are beside them where they are many."""
        parents: dict[str, list[str]] = {}
        for each in closed:
            parents.setdefault(self._closed[each].parent, []).append(each)
        for parent, wanted in sorted(parents.items()):
            if len(wanted) > self._looks_left:
                self._read_all(parent)
            else:
                for each in wanted:
                    self._take(each)
                    self._look(each)
        self._found = None

    def _double(self, groups: Iterable[_Steps]) -> None:
        """As many more of each as are known."""
        wanted = [path for each in groups for path in islice(each.closed, max(1, each.opened))]
        if wanted:
            self.open(wanted)

    @property
    def _looks_left(self) -> int:
        """How many folders of one folder are asked for one by one."""
        return min(FOLDERS_MAX, LOOKS_MAX - self._looks)

    def _look(self, folder: str) -> None:
        self._looks += 1
        pages = self._reader.pages(folder)
        first, more = next(pages)
        if not more:
            self._hold(first)
            return
        files, below = self._reader.folder(folder)
        told = {each: step_of_name(_name(each), above=True) for each in below}
        others = [each for each, step in told.items() if step is None]
        if len(others) > self._looks_left:
            self._hold(first)
            for rest, _ in pages:
                self._hold(rest)
            return
        self._hold(files)
        for each in others:
            self._look(each)
        for group in _alike(folder, {each: step for each, step in told.items() if step is not None}):
            self._groups.append(group)
            self._closed |= dict.fromkeys(group.closed, group)
            if newest := list(islice(group.closed, self._at_first)):
                self.open(newest)

    def _read_all(self, parent: str) -> None:
        """Every step in this folder, by one listing of it."""
        closed = {path for each in self._groups if each.parent == parent for path in each.closed}
        for files, _ in self._reader.pages(parent):
            self._hold([each for each in files if parent + _first(each.key[len(parent) :]) in closed])
        for each in closed:
            self._take(each)

    def _take(self, closed: str) -> None:
        group = self._closed.pop(closed)
        group.opened += 1
        self._opened[closed] = group.closed.pop(closed), group

    def _hold(self, files: list[File]) -> None:
        self._files += files
        if len(self._files) > claims.FILES_MAX:
            raise TooManyFiles(f"more than {claims.FILES_MAX} files")

    # -- whether what is closed may stay so --------------------------------------------------------------------

    def _standing(self) -> dict[str, _Steps]:
        """Closed folders that stand for those that are called like them, digit by digit: formats see no difference."""
        return {
            path: group
            for group in self._groups
            for path in {_DIGIT.sub("#", path): path for path in group.closed}.values()
        }

    def _claimed(self, standing: dict[str, _Steps]) -> list[Found]:
        """By name, closed folders being there."""
        return claims.claimed(self._with(PROBES[0], standing), self._formats, standing)

    def _reached(self, standing: dict[str, _Steps]) -> set[str]:
        """Closed folders whose files belong to a checkpoint above them, or may."""
        above = {path for each in standing for path in ("", *_with_above(each))} - standing.keys()
        reached = set[str]()
        for probe in PROBES if above else ():
            within = [each for each in claims.folders(self._with(probe, standing)) if each.path in above]
            keys = {file.key for each in claims.of(within, self._formats) for file in each.candidate.files}
            reached |= {path for each, group in standing.items() if each + probe in keys for path in group.closed}
        return reached

    def _untold(self, found: Iterable[Found]) -> set[str]:
        """Closed folders beside one that holds another step than its name tells."""
        reached = set[str]()
        for each in found:
            for path in _with_above(each.candidate.path):
                step, group = self._opened.get(path, (0, None))
                if group and group.closed and self._step(each) != step:
                    reached |= group.closed.keys()
        return reached

    def _with(self, probe: str, standing: Iterable[str]) -> list[File]:
        return sorted([*self._files, *(File(each + probe, 0) for each in standing)], key=lambda file: file.key)


def _alike(parent: str, steps: dict[str, int]) -> list[_Steps]:
    """Those that are called alike but for their numbers (pure)."""
    newest_first = sorted(steps.items(), key=lambda each: (each[1], each[0]), reverse=True)
    groups: dict[str, _Steps] = {}
    for path, step in newest_first:
        groups.setdefault(_NUMBER.sub("#", _name(path)), _Steps(parent, {})).closed[path] = step
    return list(groups.values()) if len(groups) <= SHAPES_MAX else [_Steps(parent, dict(newest_first))]


def _name(folder: str) -> str:
    return folder[:-1].rpartition("/")[2]


def _first(name: str) -> str:
    """The folder that a name begins with, with its slash; empty of what lies in none."""
    return name[: name.find("/") + 1]


def _with_above(path: str) -> Iterator[str]:
    """The folders that a path lies in, and itself where it is one (pure)."""
    position = path.find("/")
    while position >= 0:
        yield path[: position + 1]
        position = path.find("/", position + 1)
