"""A checkpoint as it was: the newest that was complete and healthy before a moment, or the one of a step, whole.

It is judged by the versions of that moment, whatever lies there now, as a failover judges it. What points to the newest
(`latest`, `checkpoint`) is left alone unless it is asked for; then a version of it comes back that names the
checkpoint, after the checkpoint's files.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from pilotlight.runtime.aws.pages import Row
from pilotlight.runtime.checkpoints.claims import FILES_MAX, Found
from pilotlight.runtime.checkpoints.format import File
from pilotlight.runtime.checkpoints.readers import BucketReader
from pilotlight.runtime.clock import stamp
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import NotRestorable
from pilotlight.runtime.kinds.buckets import restoring
from pilotlight.runtime.kinds.buckets.listing import Bucket, Current
from pilotlight.runtime.kinds.buckets.restoring import COPY, LOST
from pilotlight.runtime.kinds.buckets.versions import AsOf, History, histories, of_key
from pilotlight.runtime.kinds.checkpoints.listing import CheckpointListing, Choice, choose
from pilotlight.runtime.kinds.checkpoints.reference import CheckpointReference
from pilotlight.runtime.kinds.restore import Item, Planned, Wanted
from pilotlight.runtime.records.codec import encode
from pilotlight.runtime.records.inventory import Datasets

POINTERS = ("latest", "latest_checkpointed_iteration.txt", "checkpoint", "last_checkpoint")
"""What DeepSpeed, Megatron-LM, TensorFlow and others name the newest checkpoint by, beside it."""
POINTER_BYTES_MAX = 4096
POINTER_VERSIONS_MAX = 1000
"""So many versions of a pointer are read, the newest first."""
PASSED_MAX = 10
"""So many checkpoints are named that were passed over."""


def plan(context: RecoveryContext, asset: Datasets, wanted: Wanted) -> Planned:
    """The files of one checkpoint; with a prefix what lay below that, whatever it was."""
    if wanted.latest and not wanted.in_place:
        reason = "pointers to the newest checkpoint are rewritten in place alone"
        raise NotRestorable(asset=asset.name, region=wanted.region, reason=reason, instead="Leave --latest out")
    if wanted.prefix:
        return restoring.plan(context, asset, wanted)
    where = restoring.place(context, asset, wanted)
    path, owns, told = _of_point(asset, wanted) or _chosen(context, asset, wanted, where.source)
    found = restoring.plan(context, asset, replace(wanted, prefix=path), owns)
    found.where |= told
    if wanted.latest:
        pointers = list(_pointers(context, where.source, asset.prefix + path, told.get("step")))
        found.where |= {"pointers": True, "prefix": _beside(asset.prefix + path)}
        found.items = _with(found.items, pointers, found.totals)
    return found


def _of_point(asset: Datasets, wanted: Wanted) -> tuple[str, Callable[[str], bool], dict[str, Any]] | None:
    """The checkpoint that a point names, by its list; None where a step, or a moment, is asked for."""
    named = wanted.point.reference(asset.name, CheckpointReference) if wanted.point else None
    if named is None or wanted.step is not None or not named.listed_in:
        return None
    path = named.prefix.removeprefix(asset.prefix)
    return path, lambda key: True, {"checkpoint": path, "step": named.step}


def _chosen(
    context: RecoveryContext, asset: Datasets, wanted: Wanted, source: Bucket
) -> tuple[str, Callable[[str], bool], dict[str, Any]]:
    """The newest one that was complete and healthy then, or that of a step; its path, and which keys are its own."""
    moment = restoring.moment(asset, wanted)
    listing = _then(context, asset, source, moment, wanted)
    choice = choose(listing, asset, context.ledger.rejections(asset.name))
    if choice.taken is None:
        raise NotRestorable(
            asset=asset.name,
            region=wanted.region,
            reason=_none(choice, wanted, stamp(moment)),
            instead="Name another moment or --step, or restore what lay there by --prefix",
        )
    path = choice.taken.path
    taken = next(each.candidate for each in listing.found if each.candidate.path == path)
    own = {asset.prefix + file.key for file in taken.files}
    others = [asset.prefix + each.candidate.path for each in listing.found if each.candidate.path not in ("", path)]
    below = [each for each in others if each.startswith(asset.prefix + path)]

    def owns(key: str) -> bool:
        """Its files; and in a folder of its own what came into it since."""
        return key in own or (path.endswith("/") and not any(key.startswith(each) for each in below))

    told = {"checkpoint": path, "step": choice.taken.step}
    passed = [{"path": each.path, "why": each.why} for each in choice.passed_over]
    torn = [{"path": each.path, "why": f"not complete: {encode(each.problems[:1])}"} for each in choice.torn]
    return path, owns, told | {"passed_over": [*passed, *torn][:PASSED_MAX]}


def _none(choice: Choice, wanted: Wanted, at: str) -> str:
    """Why there is none, in words."""
    what = "no checkpoint" if wanted.step is None else f"no checkpoint of step {wanted.step}"
    against = [f"{each.path} is not complete" for each in choice.torn] + [
        f"{each.path}: {each.why}" for each in choice.passed_over
    ]
    return f"{what} was complete and healthy at {at}" + (f" ({'; '.join(against[:3])})" if against else "")


class _Past(BucketReader):
    """A bucket as it was: every file is read in the version of then."""

    def __init__(self, context: RecoveryContext, source: Bucket, asset: Datasets, listing: list[Current]) -> None:
        super().__init__(context.client, source.region, source.name, asset.prefix)
        self._listing = listing
        self._versions = {each.key: each.version for each in listing}

    def pages(self, folder: str = "") -> Iterator[tuple[list[File], bool]]:
        """See BucketReader.pages: all of it is known; folder markers are no files."""
        there = (each for each in self._listing if each.key.startswith(self.prefix + folder))
        yield [_file(each, self.prefix) for each in there if not each.key.endswith("/")], False

    def which(self, file: File) -> dict[str, str]:
        """See BucketReader.which."""
        version = self._versions.get(self.prefix + file.key, "")
        return {"VersionId": version} if version else {}


@dataclass
class _Then(CheckpointListing):
    """What lay there; of a step alone, where one is asked for."""

    of_step: int | None = None

    def newest_first(self) -> Iterator[Found]:
        """See CheckpointListing."""
        return (each for each in super().newest_first() if self.of_step is None or self.step(each) == self.of_step)


def _file(item: Current, prefix: str) -> File:
    written = datetime.fromtimestamp(item.modified, tz=UTC).isoformat()
    return File(item.key.removeprefix(prefix), item.size, item.etag, written)


def _then(
    context: RecoveryContext, asset: Datasets, source: Bucket, moment: float, wanted: Wanted
) -> CheckpointListing:
    """The checkpoints that lay there at a moment."""
    found = (_current(each) for each in histories(context.client, source, lambda _: AsOf(moment)))
    there = list(itertools.islice((each for each in found if each is not None), FILES_MAX + 1))
    if len(there) > FILES_MAX:
        reason = f"it had more than {FILES_MAX} files, which is more than are judged at once"
        instead = "Name the folder of a checkpoint by --prefix"
        raise NotRestorable(asset=asset.name, region=wanted.region, reason=reason, instead=instead)
    return _Then(_Past(context, source, asset, there), asset.format, of_step=wanted.step)


def _current(key: History) -> Current | None:
    was = key.was
    if was is None or was.deleted:
        return None
    return Current(key.key, was.version, was.seconds, was.size, was.etag)


# -- pointers --------------------------------------------------------------------------------------------------


class _All:
    """Keeps the entries of one key, the newest first, as many as are read."""

    found: Row | None = None

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def see(self, row: Row) -> None:
        """See Pick."""
        if len(self.rows) < POINTER_VERSIONS_MAX:
            self.rows.append(row)


def _pointers(context: RecoveryContext, source: Bucket, path: str, step: int | None) -> Iterator[Item]:
    """An item for each pointer beside a checkpoint that names another one now."""
    beside = _beside(path)
    for name in POINTERS:
        seen = _All()
        if (found := of_key(context.client, source, beside + name, seen)) is None:
            continue
        small = [each for each in seen.rows if not each.deleted and each.size <= POINTER_BYTES_MAX]
        names = next((each for each in small if _names(_text(context, source, each), path, step)), None)
        shadows = restoring.version_told(found.now)
        if names is None:
            why = f"no version of it names {path}; write it by hand where a training reads it"
            yield Item(beside + name, None, LOST, shadows, why)
        elif names.version != found.now.version:
            yield Item(beside + name, restoring.version_told(names) | {"pointer": True}, COPY, shadows)


def _beside(path: str) -> str:
    """The folder that a checkpoint lies in."""
    folder = path.rstrip("/").rpartition("/")[0]
    return f"{folder}/" if folder else ""


def _text(context: RecoveryContext, source: Bucket, row: Row) -> str:
    where = {"Bucket": source.name, "Key": row.key} | ({"VersionId": row.version} if row.version else {})
    body: bytes = context.client.call("s3", "get_object", source.region, **where)["Body"]
    return body.decode(errors="replace").strip()


def _names(text: str, path: str, step: int | None) -> bool:
    """Whether a pointer's text is the checkpoint's: its folder's name in a word of its own, or its step."""
    name = path.rstrip("/").rpartition("/")[2]
    words = text.replace('"', " ").replace("/", " ").split()
    return (bool(name) and name in words) or (step is not None and text.isdigit() and int(text) == step)


def _with(items: Iterator[Item], pointers: list[Item], totals: dict[str, Any]) -> Iterator[Item]:
    """Both in the order of their keys; the totals count pointers, too."""
    left = sorted(pointers, key=lambda each: each.item.encode())
    for item in items:
        while left and left[0].item.encode() < item.item.encode():
            yield left.pop(0)
        if left and left[0].item == item.item:
            left.pop(0)
        yield item
    yield from left
    for each in pointers:
        totals[each.action] = totals.get(each.action, 0) + 1
    size = sum(int(each.source["size"]) for each in pointers if each.source)
    totals["bytes"] = totals.get("bytes", 0) + size
