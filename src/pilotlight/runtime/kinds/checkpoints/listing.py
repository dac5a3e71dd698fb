"""A checkpoint listing: the checkpoints below one prefix of one bucket, each listed and judged at most once.

The newest come first, and old steps are looked into only where somebody asks for them. The part of a point and the rows
that name checkpoints look at the same listing, so they speak of the same moment. What was found complete, and has not
changed by name, size and entity tag, is not read again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace

from pilotlight.runtime.aws.client import AwsClient
from pilotlight.runtime.checkpoints import health, verify
from pilotlight.runtime.checkpoints.format import Problem, Verdict
from pilotlight.runtime.checkpoints.newest import NewestFirst
from pilotlight.runtime.checkpoints.readers import BucketReader
from pilotlight.runtime.checkpoints.siblings import NEIGHBOURS_MIN, lacking, run_of
from pilotlight.runtime.checkpoints.verify import Found
from pilotlight.runtime.clock import parse_stamp
from pilotlight.runtime.records.inventory import Datasets

STATE_LENGTH = 16
"""Hexadecimal digits of a remembered state: 64 bits, so that tens of thousands fit into one item."""


@dataclass(frozen=True)
class PassedOver:
    """A complete checkpoint that was not taken, and why."""

    path: str
    step: int | None
    why: str
    unhealthy: bool = False
    """Refused for its health or by a person; else it is only newer than the data it may refer to, or suspect."""
    suspect: bool = False
    """It lacks what all its neighbours have."""


@dataclass(frozen=True)
class Choice:
    """The newest checkpoint to resume from, and what is newer: `torn` is not complete, `passed_over` not taken."""

    taken: Verdict | None
    newest_begun_step: int | None
    newest_complete_step: int | None
    torn: tuple[Verdict, ...] = ()
    passed_over: tuple[PassedOver, ...] = ()


@dataclass
class CheckpointListing:
    """`known` are fingerprints of what was found complete before; `learned` those that this look added.

    `there` is the same prefix in the primary region, where that answers: a checkpoint that has files there which are
    not here yet is torn, also where its format does not know them. `at_first` is how many of the newest of each folder
    are looked into in any case. Of a `named` listing nothing is read: names alone tell its steps.
    """

    reader: BucketReader
    format: str
    known: Collection[str] = ()
    there: CheckpointListing | None = None
    at_first: int = NEIGHBOURS_MIN + 1
    named: bool = False
    learned: set[str] = field(default_factory=set)
    _verdicts: dict[str, Verdict] = field(default_factory=dict)
    _steps: dict[str, int | None] = field(default_factory=dict)
    _lacking: dict[tuple[str, str], tuple[list[Found], dict[str, tuple[str, ...]]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._newest = NewestFirst(self.reader, self.format, self.at_first, self.step)

    @property
    def found(self) -> list[Found]:
        """Those that were looked at by now, in the order of their paths."""
        return self._newest.found

    def newest_first(self) -> Iterator[Found]:
        """All of them, by step and path; what tells no step last."""
        seen, known, left = set[str](), list[Found](), list[Found]()
        while True:
            if known is not self.found:
                known = self.found
                left = sorted((each for each in known if each.candidate.path not in seen), key=self._age)
            oldest = max(0, self._age(left[-1])[0]) if left else 0
            if self._newest.newest_closed >= oldest:
                self._newest.down_to(oldest)
            elif left:
                seen.add(left[-1].candidate.path)
                yield left.pop()
            else:
                return

    def _age(self, found: Found) -> tuple[int, str]:
        step = self.step(found)
        return (-1 if step is None else step, found.candidate.path)

    def verdict(self, found: Found) -> Verdict:
        """Judge one, or remember it."""
        path = found.candidate.path
        if path not in self._verdicts:
            state = verify.fingerprint(found.candidate)[:STATE_LENGTH]
            is_known = state in self.known
            verdict = verify.believed(found, self.reader) if is_known else verify.verify(found, self.reader)
            if verdict.complete:
                self.learned.add(state)
            self._verdicts[path] = self._arrived(found, verdict)
        return self._verdicts[path]

    def _arrived(self, found: Found, verdict: Verdict) -> Verdict:
        source = self.there.of(verdict.path) if self.there and verdict.loadable else None
        if source is None:
            return verdict
        here = {file.key for file in found.candidate.files}
        lacking = [source.candidate.name(file) for file in source.candidate.files if file.key not in here]
        problems = tuple(Problem(name, "is in the primary region and has not arrived") for name in lacking)
        if not problems:
            return verdict
        return replace(
            verdict, complete=False, resumable=False, loadable=False, problems=(*verdict.problems, *problems)
        )

    def lacking(self, found: Found) -> tuple[str, ...]:
        """What it lacks of that which all its neighbours have; more of them are looked at as long as it lacks
        something."""
        run = run_of(found)
        while True:
            others = [each for each in self.found if run_of(each) == run]
            if run not in self._lacking or self._lacking[run][0] != others:
                self._lacking[run] = others, lacking(others)
            words = self._lacking[run][1].get(found.candidate.path, ())
            if (len(others) > 1 and not words) or not self._newest.beside(f"{run[0]}/" if run[0] else ""):
                return words if len(others) > NEIGHBOURS_MIN else ()

    def step(self, found: Found) -> int | None:
        """What its name tells, else its files, read at most once."""
        if self.named:
            return found.candidate.step
        path = found.candidate.path
        if path not in self._steps:
            self._steps[path] = verify.step(found, self.reader)
        return self._steps[path]

    def of(self, path: str) -> Found | None:
        """The checkpoint at this very path."""
        self.reach([path])
        return next((each for each in self.found if each.candidate.path == path), None)

    def at(self, path: str) -> Found | None:
        """The checkpoint at this path, or the first that has a file at it or below it; None where there is none."""
        self.reach([path])
        plain = path.rstrip("/")
        for each in self.found:
            if each.candidate.path.rstrip("/") == plain:
                return each
        below = f"{plain}/"
        while True:
            first = next((each for each in self.found for file in each.candidate.files
                          if file.key == plain or file.key.startswith(below)), None)  # fmt: skip
            before = [each for each in self._newest.closed_below(below) if not first or each < first.candidate.path]
            if not before:
                return first
            self._newest.open(before[: self.at_first])

    def reach(self, paths: Iterable[str]) -> None:
        """Look into what these name, all at once."""
        self._newest.reach(paths)

    def leaves(self, begins: str) -> bool:
        """Whether there are folders whose paths begin so that were not looked into."""
        return bool(self._newest.closed_below(begins))

    @property
    def newest_begun_step(self) -> int | None:
        """Of all that lie there, whole or torn."""
        while True:
            newest = max((each.candidate.step for each in self.found if each.candidate.step is not None), default=None)
            if self._newest.newest_closed <= (-1 if newest is None else newest):
                return newest
            self._newest.down_to(0 if newest is None else newest + 1)


def list_checkpoints(
    client: AwsClient,
    region: str,
    bucket: str,
    asset: Datasets,
    known: Collection[str] = (),
    there: CheckpointListing | None = None,
) -> CheckpointListing:
    """Those of one bucket, as far as they are asked for."""
    return CheckpointListing(BucketReader(client, region, bucket, asset.prefix), asset.format, known, there)


def choose(
    listing: CheckpointListing, asset: Datasets, rejections: dict[str, str], before: float | None = None
) -> Choice:
    """From the newest step down, the first that is complete, healthy, not refused by a person, and not too new.

    Complete is what the asset needs of it: to be resumed from, or to be loaded. One that lacks what all its neighbours
    have is taken only where there is no other.

    `rejections`: path -> why. `before`: seconds since 1970, up to which the datasets that it uses are proven; S3 tells
    whole seconds, so a checkpoint of the same second may be newer than what it refers to, and is not taken.
    """
    torn: list[Verdict] = []
    passed: list[PassedOver] = []
    newest_complete: int | None = None
    suspect: Verdict | None = None
    tests = _tests(listing, asset, rejections, before)
    for each in listing.newest_first():
        verdict = listing.verdict(each)
        if not verdict.serves(asset.needs):
            torn.append(verdict)
            continue
        newest_complete = verdict.step if newest_complete is None else newest_complete
        against = next(_objections(each, verdict, tests), None)
        if against is None:
            lacks = listing.lacking(each)
            if not lacks:
                return Choice(verdict, listing.newest_begun_step, newest_complete, tuple(torn), tuple(passed))
            suspect = suspect or verdict
            against = PassedOver(verdict.path, verdict.step, "; ".join(lacks), suspect=True)
        passed.append(against)
    left = tuple(each for each in passed if suspect is None or each.path != suspect.path)
    return Choice(suspect, listing.newest_begun_step, newest_complete, tuple(torn), left)


Test = tuple[Callable[[Found, Verdict], str], bool]
"""(why it must not be taken, or nothing; whether that makes it unhealthy)"""


def _tests(
    listing: CheckpointListing, asset: Datasets, rejections: dict[str, str], before: float | None
) -> tuple[Test, ...]:
    def refused(found: Found, verdict: Verdict) -> str:
        return rejections.get(verdict.path, "")

    def too_new(found: Found, verdict: Verdict) -> str:
        if before is None or not verdict.written_at or parse_stamp(verdict.written_at) < before:
            return ""
        return f"written {verdict.written_at}, not before the moment up to which the data it uses is proven"

    def sick(found: Found, verdict: Verdict) -> str:
        if asset.health is None:
            return ""
        rule = health.Rule(asset.health.file, asset.health.key, asset.health.at_most)
        return health.ailment(found, listing.reader, rule)

    return (refused, True), (too_new, False), (sick, True)


def _objections(found: Found, verdict: Verdict, tests: tuple[Test, ...]) -> Iterator[PassedOver]:
    for test, unhealthy in tests:
        if why := test(found, verdict):
            yield PassedOver(verdict.path, verdict.step, why, unhealthy)
