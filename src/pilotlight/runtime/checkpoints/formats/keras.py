"""Keras: archives `.keras`, weights `.weights.h5`, the older `.h5` and `.hdf5`, and weights in shards.

keras-team/keras, keras/src/saving/saving_lib.py: `_save_model_to_fileobj` writes a zip, stored, with `metadata.json`,
`config.json`, `model.weights.h5` (or `.npz`) and `assets/`; `ShardedH5IOStore` writes `NAME.weights.json` with
`weight_map`, names of variables -> one shard or several, and `NAME_00000.weights.h5`. HDF5 is judged by its superblock
(hdf5.py), in an archive too where it is stored. The archive's members lie one behind the other from its first byte to
its directory; the CRC-32 of small ones, and of all in small archives, is compared, of the others with `--deep`.
Of shards without their map, those are known that begin with number 0: what begins later may be saves of later epochs.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator

from pilotlight.runtime.checkpoints.encodings import hdf5
from pilotlight.runtime.checkpoints.encodings.json_text import parse
from pilotlight.runtime.checkpoints.format import (
    SAID_CHARACTERS_MAX,
    BudgetSpent,
    Candidate,
    Damaged,
    File,
    Problem,
    Reader,
    Unreadable,
)
from pilotlight.runtime.checkpoints.steps import step_of

ARCHIVE, MAP = ".keras", ".weights.json"
WEIGHTS = (".weights.h5", ".h5", ".hdf5")
REQUIRED = ("metadata.json", "config.json")
STATES = ("model.weights.h5", "model.weights.npz")
SMALL_BYTES_MAX = 256 * 1024
"""A member that is read at once."""
WHOLE_BYTES_MAX = 512 * 1024
"""An archive that is read whole: it is within the smallest budget."""
MAP_BYTES_MAX = 64 * 1024 * 1024
CHUNK_BYTES = 1024 * 1024
READ_BYTES_MAX = 64 * 1024 * 1024
"""What zipfile may read at once: the directory is the largest."""
EXPANSION_MAX, EXPANSION_BYTES_MIN = 100, 4 * 1024 * 1024
"""What a member may be more than its bytes in the archive; Keras has a limit of the same kind (`_reject_zip_bomb`)."""

_SHARD = re.compile(r"^(?P<stem>.+)_(?P<number>\d{5})\.weights\.h5$")
_LOCAL = struct.Struct("<4s5H3L2H")
_END_BYTES = 22
_DESCRIPTOR, _ENCRYPTED = 0x08, 0x01
_DESCRIPTOR_BYTES = (12, 16, 20, 24)
"""APPNOTE 4.3.9: with or without signature, sizes of 4 or 8 bytes."""


class Keras:
    """Every file by itself; shards with their map, under its name."""

    name = "keras"

    def find(self, folders: Iterable[Candidate]) -> Iterator[Candidate]:
        """See Format.find; shards whose map has not arrived are a checkpoint in the making."""
        for folder in folders:
            own = folder.direct
            groups: dict[str, list[File]] = {}
            for name, file in own.items():
                if name.endswith((ARCHIVE, MAP, *WEIGHTS)):
                    groups.setdefault(folder.path + _group(name, own), []).append(file)
            yield from (Candidate(path, tuple(files)) for path, files in groups.items())

    def verify(self, candidate: Candidate, reader: Reader) -> tuple[Problem, ...]:
        """See Format.verify."""
        if candidate.path.endswith(MAP):
            return tuple(_sharded(candidate, reader))
        (file,) = candidate.files
        problem = _checked(candidate.name(file), file, reader)
        return (problem,) if problem else ()

    def deep(self, candidate: Candidate, reader: Reader) -> tuple[Problem, ...]:
        """See ChecksDeeply: the CRC-32 of every member of an archive."""
        problems = []
        for file in candidate.files:
            if file.key.endswith(ARCHIVE):
                try:
                    _archive(file, reader, whole=True)
                except (Damaged, Unreadable) as damage:
                    problems.append(Problem(candidate.name(file), str(damage)))
        return tuple(problems)

    def step(self, candidate: Candidate, reader: Reader) -> int | None:
        """See TellsStep: the digits of `.h5` and `.hdf5` are no step."""
        name = candidate.path.rpartition("/")[2]
        ending = next(ending for ending in (ARCHIVE, MAP, *WEIGHTS) if name.endswith(ending))
        return step_of(candidate.prefix + name.removesuffix(ending))


def _group(name: str, own: dict[str, File]) -> str:
    """The file that stands for the checkpoint this one belongs to."""
    shard = _SHARD.match(name)
    if shard and (shard["stem"] + MAP in own or f"{shard['stem']}_00000.weights.h5" in own):
        return shard["stem"] + MAP
    return name


def _sharded(candidate: Candidate, reader: Reader) -> Iterator[Problem]:
    """Every shard that the map names there and whole, none besides."""
    map_name = candidate.path.rpartition("/")[2]
    file = candidate.named(map_name)
    try:
        if file is None:
            raise Damaged("missing: there are shards, but nothing says which belong to it")
        wanted = _map(file, reader)
    except BudgetSpent:
        raise
    except (Damaged, Unreadable) as damage:
        yield Problem(map_name, str(damage))
        return
    for name in sorted(wanted):
        shard = candidate.named(name)
        problem = _checked(name, shard, reader) if shard else Problem(name, "missing")
        if problem:
            yield problem
    present = {candidate.name(file) for file in candidate.files} - {map_name}
    yield from (Problem(name, "foreign: the map does not name it") for name in sorted(present - wanted))


def _map(file: File, reader: Reader) -> set[str]:
    """The shards that a map names."""
    if file.size > MAP_BYTES_MAX:
        raise Damaged(f"{file.size} bytes are too many for a map")
    parsed = parse(reader.read_range(file, 0, file.size))
    weights = parsed.get("weight_map") if isinstance(parsed, dict) else None
    if not isinstance(weights, dict) or not weights:
        raise Damaged("has no weight_map")
    names = {name for value in weights.values() for name in (value if isinstance(value, list) else [value])}
    if strange := [name for name in names if not isinstance(name, str) or not _SHARD.match(name) or "/" in name]:
        raise Damaged(f"weight_map names {strange[0]!r}, which is no shard"[:SAID_CHARACTERS_MAX])
    return names


def _checked(name: str, file: File, reader: Reader) -> Problem | None:
    """What is wrong with one file."""
    try:
        if name.endswith(ARCHIVE):
            _archive(file, reader, whole=file.size <= WHOLE_BYTES_MAX)
        else:
            hdf5.check(_within(file, reader, 0), file.size)
    except BudgetSpent:
        raise
    except (Damaged, Unreadable) as damage:
        return Problem(name, str(damage))
    return None


class _Ranged(io.RawIOBase):
    """A file for zipfile, which reads of it what it asks for and no more."""

    def __init__(self, file: File, reader: Reader) -> None:
        self._file, self._reader, self._position = file, reader, 0

    def readable(self) -> bool:
        """See io.IOBase."""
        return True

    def seekable(self) -> bool:
        """See io.IOBase."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """See io.IOBase."""
        position = offset + (0, self._position, self._file.size)[whence]
        if position < 0:
            raise OSError("before the beginning")
        self._position = position
        return position

    def tell(self) -> int:
        """See io.IOBase."""
        return self._position

    def read(self, size: int = -1) -> bytes:
        """See io.RawIOBase."""
        left = max(0, self._file.size - self._position)
        count = left if size < 0 else min(size, left)
        if count > READ_BYTES_MAX:
            raise Damaged(f"has a directory or a header of {count} bytes")
        data = self._reader.read_range(self._file, self._position, count) if count else b""
        self._position += count
        return data


def _archive(file: File, reader: Reader, whole: bool) -> None:
    """A whole archive of Keras; Damaged where it is not."""
    if file.size < _END_BYTES or reader.read_range(file, file.size - _END_BYTES, 4) != b"PK\5\6":
        raise Damaged("does not end as an archive does: it was cut short, or something follows it")
    try:
        with zipfile.ZipFile(_Ranged(file, reader)) as opened:
            _judge(opened, file, reader, whole)
    except (
        zipfile.BadZipFile,
        zlib.error,
        NotImplementedError,
        RuntimeError,
        ValueError,
        EOFError,
        struct.error,
    ) as why:
        raise Damaged(f"is no whole archive: {why}"[:SAID_CHARACTERS_MAX]) from why


def _judge(opened: zipfile.ZipFile, file: File, reader: Reader, whole: bool) -> None:
    members = {member.filename: member for member in opened.infolist()}
    starts = _end_to_end(opened, file, reader)
    if len(members) != len(starts):
        raise Damaged("has two members of one name")
    if lost := [name for name in REQUIRED if name not in members]:
        raise Damaged(f"has no member {lost[0]}")
    states = [members[name] for name in STATES if name in members]
    if not states:
        raise Damaged(f"has no member {STATES[0]}")
    for name, member in members.items():
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or member.flag_bits & _ENCRYPTED:
            raise Damaged(f"member {name} is encrypted, or compressed in a way that is not known"[:SAID_CHARACTERS_MAX])
        if whole or (name in REQUIRED and max(member.file_size, member.compress_size) <= SMALL_BYTES_MAX):
            content = _content(opened, member)
            if name in REQUIRED and content is not None:
                parse(content)
    for member in states:
        if member.filename == STATES[0] and member.compress_type == zipfile.ZIP_STORED:
            hdf5.check(_within(file, reader, starts[member.filename]), member.file_size)


def _within(file: File, reader: Reader, start: int) -> hdf5.Read:
    """What lies in the file from there on, as a file."""
    return lambda at, count: reader.read_range(file, start + at, count)


def _end_to_end(opened: zipfile.ZipFile, file: File, reader: Reader) -> dict[str, int]:
    """Where each member's bytes begin. Members lie one behind the other, each as its own header says."""
    members = sorted(opened.infolist(), key=lambda member: member.header_offset)
    starts, end = dict[str, int](), 0
    slack: tuple[int, ...] = (0,)
    for member in members:
        if member.header_offset - end not in slack:
            raise Damaged(f"member {member.filename} begins at {member.header_offset}"[:SAID_CHARACTERS_MAX])
        local = reader.read_range(file, member.header_offset, _LOCAL.size)
        signature, _, flags, method, _, _, _, _, _, name_bytes, extra_bytes = _LOCAL.unpack(local)
        start = member.header_offset + _LOCAL.size
        name = reader.read_range(file, start, name_bytes)
        encoded = member.orig_filename.encode("utf-8" if flags & 0x800 else "cp437", "replace")
        if (signature, method, flags, name) != (b"PK\3\4", member.compress_type, member.flag_bits, encoded):
            raise Damaged(f"member {member.filename} does not begin as the directory says"[:SAID_CHARACTERS_MAX])
        starts[member.filename] = start + name_bytes + extra_bytes
        end = starts[member.filename] + member.compress_size
        slack = _DESCRIPTOR_BYTES if flags & _DESCRIPTOR else (0,)
    if opened.start_dir - end not in slack:
        raise Damaged(f"its members end at {end}, its directory begins at {opened.start_dir}")
    return starts


def _content(opened: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes | None:
    """A member, its checksum compared, in bounded memory; its bytes where they are few."""
    if member.file_size > EXPANSION_MAX * member.compress_size + EXPANSION_BYTES_MIN:
        raise Damaged(f"member {member.filename} claims {member.file_size} bytes"[:SAID_CHARACTERS_MAX])
    kept, count = b"", 0
    with opened.open(member) as body:
        while chunk := body.read(CHUNK_BYTES):
            kept, count = kept if count else chunk, count + len(chunk)
    if count != member.file_size:
        raise Damaged(f"member {member.filename} has {count} of {member.file_size} bytes"[:SAID_CHARACTERS_MAX])
    return kept if count == len(kept) else None
