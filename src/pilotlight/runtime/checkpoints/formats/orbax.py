"""Orbax: a step's folder with its items, arrays in OCDBT, and the markers that say that all of it was written.

Layout: github.com/google/orbax, checkpoint/orbax/checkpoint/_src: metadata/step_metadata_serialization.py
(`_CHECKPOINT_METADATA`, with the times of beginning and commit), path/atomicity.py (`commit_success.txt` where renaming
is not atomic, `.orbax-checkpoint-tmp` in the name where it is), serialization/ocdbt_utils.py (one database for each
process, merged into one). Proven by content: every file that a database names, each node's CRC-32C, that the merged
tree holds what the processes wrote, and that it was committed between the two times. What lies in the databases as
plain values has no checksum. Written for Orbax 0.6 and later; arrays outside of OCDBT are judged by zarr.py.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pilotlight.runtime.checkpoints.encodings.json_text import read_object
from pilotlight.runtime.checkpoints.encodings.ocdbt import MANIFEST, Database, Walk
from pilotlight.runtime.checkpoints.format import Candidate, Damaged, Problem, Reader, Unreadable
from pilotlight.runtime.checkpoints.formats import zarr

METADATA = "_CHECKPOINT_METADATA"
COMMITTED = "commit_success.txt"
TREE = "_METADATA"
SHARDING = "_sharding"
ARRAYS = "array_metadatas/"
FIRST_PROCESS = "ocdbt.process_0/"
TEMPORARY = ".orbax-checkpoint-tmp"
TREE_HANDLER = "StandardCheckpointHandler"
TREE_HANDLERS = (TREE_HANDLER, "PyTreeCheckpointHandler")
JSON_HANDLERS = ("JsonCheckpointHandler",)
COMMIT_TIME = "commit_timestamp_nsecs"
JSON_BYTES_MAX = 256 * 1024 * 1024
MARKER_BYTES_MAX = 4096

_PROCESS = re.compile(r"^(ocdbt\.process_[^/]+/)")
_COMMIT_TEXT = re.compile(r"^Checkpoint commit was successful to (?P<path>\S(?:.*\S)?)\Z", re.DOTALL)


class Orbax:
    """A step of a CheckpointManager, or one item saved alone."""

    name = "orbax"
    knows = (METADATA, f"*{COMMITTED}", f"*{TREE}", f"*{SHARDING}", f"*{MANIFEST}", "*array_metadatas/*", "*d/*",
             f"*/{zarr.DESCRIPTION}", "*/[0-9]*", f"*{zarr.STRINGS}")  # fmt: skip

    def find(self, folders: Iterable[Candidate]) -> Iterator[Candidate]:
        """See Format.find; a step is recognised by what lies directly in it, an item by its tree."""
        marks = (METADATA, COMMITTED, TREE, MANIFEST)
        return (folder for folder in folders if _is_unfinished(folder) or any(folder.named(mark) for mark in marks))

    def verify(self, candidate: Candidate, reader: Reader) -> tuple[Problem, ...]:
        """See Format.verify."""
        return tuple(_problems(candidate, reader))


@dataclass(frozen=True)
class _Times:
    """When the checkpoint was begun and committed, in nanoseconds since the Unix epoch; None where it is not told."""

    begun: int | None
    committed: int | None


def _is_unfinished(folder: Candidate) -> bool:
    return TEMPORARY in folder.path.rstrip("/").rpartition("/")[2]


def _problems(candidate: Candidate, reader: Reader) -> Iterator[Problem]:
    if _is_unfinished(candidate):
        yield Problem(candidate.path, f"is what Orbax was still writing ({TEMPORARY}): it was never committed")
        return
    try:
        metadata = _object(candidate, METADATA, reader)
    except (Damaged, Unreadable) as damage:
        yield Problem(METADATA, str(damage))
        metadata = {}
    else:
        for name in ("item_handlers", "init_timestamp_nsecs", COMMIT_TIME):
            if name not in metadata:
                yield Problem(METADATA, f"has no {name}")
    times = _Times(_time(metadata, "init_timestamp_nsecs"), _time(metadata, COMMIT_TIME))
    if COMMIT_TIME in metadata and metadata[COMMIT_TIME] is None:
        yield Problem(METADATA, "tells no time of commit: the checkpoint was never finished")
    items = _items(candidate, metadata)
    wrong = [problem for item, handler in items for problem in _item(candidate, item, handler, times, reader)]
    yield from wrong
    yield from _markers(candidate, [item for item, _ in items], bool(wrong), reader)


def _time(metadata: dict[str, Any], name: str) -> int | None:
    value = metadata.get(name)
    return value if type(value) is int and value > 0 else None


def _items(candidate: Candidate, metadata: dict[str, Any]) -> list[tuple[str, str]]:
    """(folder of each item, relative, ending in / or empty, its handler's name); what the metadata names, else what
    lies there."""
    handlers = metadata.get("item_handlers")
    if isinstance(handlers, dict) and handlers:
        return [(f"{name}/", str(handler).rpartition(".")[2]) for name, handler in sorted(handlers.items())]
    if candidate.named(TREE) or candidate.named(MANIFEST):
        return [("", TREE_HANDLER)]
    folders = {candidate.name(file).rpartition("/")[0] for file in candidate.files}
    trees = sorted(each for each in folders if each and "/" not in each and candidate.named(f"{each}/{TREE}"))
    return [(f"{each}/", TREE_HANDLER) for each in trees] or [("", TREE_HANDLER)]


def _item(candidate: Candidate, item: str, handler: str, times: _Times, reader: Reader) -> Iterator[Problem]:
    own = [candidate.name(file) for file in candidate.files if candidate.name(file).startswith(item)]
    if not own:
        yield Problem(item, "missing")
    elif handler in TREE_HANDLERS:
        yield from _tree(candidate, item, own, times, reader)
    elif handler in JSON_HANDLERS:
        yield from _json_item(candidate, item, own, reader)
    else:
        yield Problem(item, f"is kept by {handler}, whose files are not known here: it cannot be judged")


def _json_item(candidate: Candidate, item: str, own: list[str], reader: Reader) -> Iterator[Problem]:
    contents = [name for name in own if name != item + COMMITTED]
    if not contents:
        yield Problem(item, "missing")
    for name in contents:
        try:
            _object(candidate, name, reader)
        except (Damaged, Unreadable) as damage:
            yield Problem(name, str(damage))


# -- a tree of arrays ------------------------------------------------------------------------------------------


def _tree(candidate: Candidate, item: str, own: list[str], times: _Times, reader: Reader) -> Iterator[Problem]:
    processes = sorted({match[1] for name in own if (match := _PROCESS.match(name.removeprefix(item)))})
    try:
        tree = _object(candidate, item + TREE, reader)
        arrays = set(_arrays(tree))
        outside = tree.get("use_ocdbt") is not True
        yield from _described(candidate, item, own, tree, arrays, [FIRST_PROCESS] if outside else processes, reader)
        if outside:
            yield from zarr.problems(candidate, item, tree, reader)
            return
    except (Damaged, Unreadable) as damage:
        yield Problem(item + TREE, str(damage))
        if not candidate.named(item + MANIFEST):
            return
    merged = Walk(candidate, item, reader).walk()
    parts = [Walk(candidate, item + process, reader).walk() for process in processes]
    for each in (merged, *parts):
        yield from (Problem(name, what) for name, what in each.wrong)
        yield from _out_of_time(each, times)
    yield from _covered(candidate, own, [merged, *parts])
    yield from _same_entries(merged, parts)


def _arrays(tree: dict[str, Any]) -> Iterator[str]:
    """Names of the arrays, as the other files have them: keys joined by dots."""
    entries = tree.get("tree_metadata")
    if not isinstance(entries, dict):
        raise Damaged("has no tree_metadata")
    for entry in entries.values():
        try:
            if entry["value_metadata"]["value_type"] == "jax.Array":
                yield ".".join(str(key["key"]) for key in entry["key_metadata"])
        except (KeyError, TypeError) as problem:
            raise Damaged("describes a value in a way that is not known") from problem


def _described(
    candidate: Candidate,
    item: str,
    own: list[str],
    tree: dict[str, Any],
    arrays: set[str],
    processes: list[str],
    reader: Reader,
) -> Iterator[Problem]:
    """`_sharding`, and what each process says of its arrays (Orbax 0.10 and later), speak of the arrays of the tree."""
    if arrays:
        yield from _names(candidate, item + SHARDING, arrays, reader)
    present = sorted(name for name in own if name.startswith(item + ARRAYS))
    if not present and "store_array_data_equal_to_fill_value" not in tree:
        return
    expected = {item + ARRAYS + process.removeprefix("ocdbt.").rstrip("/") for process in processes}
    for name in sorted(expected | set(present)):
        yield from _names(candidate, name, arrays, reader)


def _names(candidate: Candidate, name: str, arrays: set[str], reader: Reader) -> Iterator[Problem]:
    """A file that lists arrays lists no others, and `_sharding` lists them all."""
    try:
        parsed = _object(candidate, name, reader)
        is_sharding = name.endswith(SHARDING)
        listed = set(_sharded(parsed) if is_sharding else _measured(parsed))
    except (Damaged, Unreadable) as damage:
        yield Problem(name, str(damage))
        return
    if listed - arrays:
        yield Problem(name, f"speaks of {sorted(listed - arrays)[0]}, which the tree does not have")
    if is_sharding and arrays - listed:
        yield Problem(name, f"does not speak of {sorted(arrays - listed)[0]}, which the tree has")


def _sharded(parsed: dict[str, Any]) -> Iterator[str]:
    for name in parsed:
        try:
            yield base64.b64decode(name, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as problem:
            raise Damaged("holds a name that is not in base 64") from problem


def _measured(parsed: dict[str, Any]) -> Iterator[str]:
    try:
        yield from (str(each["array_metadata"]["param_name"]) for each in parsed["array_metadatas"])
    except (KeyError, TypeError) as problem:
        raise Damaged("describes an array in a way that is not known") from problem


def _out_of_time(database: Database, times: _Times) -> Iterator[Problem]:
    """A database that was committed before the checkpoint was begun, or after it was finished, is of another one."""
    for version in database.versions:
        early = times.begun is not None and version.committed_nsecs < times.begun
        late = times.committed is not None and version.committed_nsecs > times.committed
        if early or late:
            what = "was not written at the same time as {}: one of the two is of another checkpoint"
            yield Problem(database.folder + MANIFEST, what.format(METADATA))
            yield Problem(METADATA, what.format(database.folder + MANIFEST))
            return


def _covered(candidate: Candidate, own: list[str], databases: list[Database]) -> Iterator[Problem]:
    """Every file that is named is there, and ends where what is named in it ends; no other lies beside them."""
    ends, named_by = dict[str, set[int]](), dict[str, str]()
    for database in databases:
        for span, by in database.spans.items():
            path = database.folder + span.path
            ends.setdefault(path, set()).add(span.offset + span.length)
            named_by.setdefault(path, by)
    lost = set()
    for path, end in sorted((path, max(each)) for path, each in ends.items()):
        file = candidate.named(path)
        if file is None:
            lost.add(named_by[path])
            yield Problem(path, f"missing; {named_by[path]} names it")
        elif file.size != end:
            yield Problem(path, f"has {file.size} bytes, what is named in it ends at {end}")
    broken = any(database.wrong for database in databases)
    strays = [name for name in own if "/d/" in f"/{name}" and name not in ends]
    for name in strays if not broken else ():
        yield Problem(name, "foreign: no tree names it")
    for name in sorted(lost) if strays else ():
        yield Problem(name, "names files that are not here, and others lie here: it may be of another checkpoint")


def _same_entries(merged: Database, parts: list[Database]) -> Iterator[Problem]:
    """The merged tree holds what the processes' trees hold, key by key."""
    if not parts or any(each.wrong for each in (merged, *parts)):
        return
    together = set().union(*(each.entries for each in parts))
    if merged.entries == together:
        return
    for each in (merged, *parts):
        root = each.versions[-1].root
        name = each.folder + (root.span.path if root else MANIFEST)
        yield Problem(name, "holds other values than the trees it belongs to: one of them is of another checkpoint")


# -- markers ---------------------------------------------------------------------------------------------------


def _markers(candidate: Candidate, items: list[str], is_damaged: bool, reader: Reader) -> Iterator[Problem]:
    """`commit_success.txt` of the step and of every item; each names the folder that it was written for."""
    step = candidate.path.rstrip("/").rpartition("/")[2]
    for folder in dict.fromkeys(["", *items]):
        name, own = folder + COMMITTED, folder.rstrip("/") or step
        file = candidate.named(name)
        if file is None:
            yield Problem(name, _unmarked(is_damaged))
            continue
        try:
            text = reader.read_range(file, 0, min(file.size, MARKER_BYTES_MAX)).decode()
            match = _COMMIT_TEXT.match(text)
            written_for = match["path"].split("/") if match else []
        except (Unreadable, UnicodeDecodeError) as damage:
            yield Problem(name, str(damage))
            continue
        if not written_for:
            yield Problem(name, "is not what Orbax writes into it")
        elif own and written_for[-1] != own:
            yield Problem(name, f"was written for {written_for[-1]}: of another checkpoint, or the folder was renamed")
        elif folder and step and written_for[-2:-1] not in ([], [step], [step + TEMPORARY]):
            yield Problem(name, f"was written for {written_for[-2]}: of another checkpoint, or the folder was renamed")


def _unmarked(is_damaged: bool) -> str:
    if is_damaged:
        return "missing: the checkpoint was not finished, or has not arrived whole"
    return (
        "missing, and all that it stands for is here: a finished checkpoint whose marker was not copied, or one from a "
        "file system where Orbax needs none. In a bucket Orbax takes it for unfinished, and may delete it"
    )


def _object(candidate: Candidate, name: str, reader: Reader) -> dict[str, Any]:
    return read_object(candidate.required(name), reader, JSON_BYTES_MAX)
