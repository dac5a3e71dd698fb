"""A checkpoint listing: every checkpoint below one prefix of one bucket, listed once, each judged at most once.

The part of a point and the rows that name checkpoints look at the same listing, so they speak of the same moment. What
was found complete, and has not changed by name, size and entity tag, is not read again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from pilotlight.runtime.aws.client import AwsClient
from pilotlight.runtime.checkpoints import health, verify
from pilotlight.runtime.checkpoints.format import File, Problem, Verdict
from pilotlight.runtime.checkpoints.readers import BucketReader
from pilotlight.runtime.checkpoints.siblings import suspects
from pilotlight.runtime.checkpoints.verify import Found
from pilotlight.runtime.clock import parse_stamp
from pilotlight.runtime.kinds.buckets.listing import Current
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
    not here yet is torn, also where its format does not know them.
    """

    reader: BucketReader
    found: list[Found]
    known: frozenset[str] = frozenset()
    there: CheckpointListing | None = None
    learned: set[str] = field(default_factory=set)
    _verdicts: dict[str, Verdict] = field(default_factory=dict)
    _steps: dict[str, int | None] = field(default_factory=dict)

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
        others = self.there.found if self.there else []
        source = next((each for each in others if each.candidate.path == verdict.path), None)
        if source is None or not verdict.loadable:
            return verdict
        here = {file.key for file in found.candidate.files}
        lacking = [source.candidate.name(file) for file in source.candidate.files if file.key not in here]
        problems = tuple(Problem(name, "is in the primary region and has not arrived") for name in lacking)
        if not problems:
            return verdict
        return replace(
            verdict, complete=False, resumable=False, loadable=False, problems=(*verdict.problems, *problems)
        )

    def step(self, found: Found) -> int | None:
        """What its name tells, else its files, read at most once."""
        path = found.candidate.path
        if path not in self._steps:
            self._steps[path] = verify.step(found, self.reader)
        return self._steps[path]

    def at(self, path: str) -> Found | None:
        """The checkpoint at this path, or the one that has a file at it or below it; None where nothing lies there."""
        plain = path.rstrip("/")
        for each in self.found:
            if each.candidate.path.rstrip("/") == plain:
                return each
        below = f"{plain}/"
        return next((each for each in self.found for file in each.candidate.files
                     if file.key == plain or file.key.startswith(below)), None)  # fmt: skip

    @property
    def newest_begun_step(self) -> int | None:
        """Of all that lie there, whole or torn."""
        steps = [each.candidate.step for each in self.found if each.candidate.step is not None]
        return max(steps, default=None)


def list_checkpoints(
    client: AwsClient,
    region: str,
    bucket: str,
    asset: Datasets,
    known: frozenset[str] = frozenset(),
    there: CheckpointListing | None = None,
) -> CheckpointListing:
    """List one."""
    reader = BucketReader(client, region, bucket, asset.prefix)
    return CheckpointListing(reader, verify.find(reader, asset.format), known, there)


class ListedBucket(BucketReader):
    """A bucket whose listing somebody has: it is not asked for again."""

    def __init__(self, client: AwsClient, region: str, bucket: str, prefix: str, listing: Iterable[Current]) -> None:
        super().__init__(client, region, bucket, prefix)
        self._listing = listing

    def files(self) -> Iterator[File]:
        """See Reader.files; what is deleted, and folder markers, are no files."""
        for each in self._listing:
            if not each.deleted and not each.key.endswith("/"):
                written = datetime.fromtimestamp(each.modified, tz=UTC).isoformat()
                yield File(each.key.removeprefix(self.prefix), each.size, each.etag, written)


def listing_from(
    reader: ListedBucket, asset: Datasets, known: frozenset[str] = frozenset(), there: CheckpointListing | None = None
) -> CheckpointListing:
    """The same of a listing that was made before."""
    return CheckpointListing(reader, verify.find(reader, asset.format), known, there)


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
    odd, tests = suspects(listing.found), _tests(listing, asset, rejections, before)
    for each in sorted(listing.found, key=lambda found: _age(listing, found), reverse=True):
        verdict = listing.verdict(each)
        if not verdict.serves(asset.needs):
            torn.append(verdict)
            continue
        newest_complete = verdict.step if newest_complete is None else newest_complete
        against = next(_objections(each, verdict, tests), None)
        if against is None and each.candidate.path not in odd:
            return Choice(verdict, listing.newest_begun_step, newest_complete, tuple(torn), tuple(passed))
        if against is None:
            suspect = suspect or verdict
            against = PassedOver(verdict.path, verdict.step, "; ".join(odd[verdict.path]), suspect=True)
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


def _age(listing: CheckpointListing, found: Found) -> tuple[int, str]:
    step = listing.step(found)
    return (-1 if step is None else step, found.candidate.path)
