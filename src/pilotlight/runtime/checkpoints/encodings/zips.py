"""Zip archives by ranges, as `torch.save` writes them: members stored one behind the other, the directory at the end.

PKWARE APPNOTE 6.3.10, section 4.3 and 4.4; pytorch, caffe2/serialize/inline_container.cc: nothing is compressed, the
padding before a tensor lies in the extra field of its local header, ZIP64 records stand where sizes need them. Nothing
is ever inflated. What is not exactly such an archive, to the last byte, is Damaged.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from pilotlight.runtime.checkpoints.format import Damaged, File, Reader

MEMBERS_MAX = 2_000_000
CHUNK_BYTES = 8 * 1024 * 1024

_END = struct.Struct("<4s4H2LH")
_LOCATOR = struct.Struct("<4sLQL")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_DESCRIPTOR = struct.Struct("<4s3L")
_DESCRIPTOR_64 = struct.Struct("<4sL2Q")
_ZIP64_EXTRA = 1
_ZIP64_VERSIONS = (0x031E, 45)
"""(made by, needed): miniz, mz_zip_writer_finalize_archive."""
_PADDING_EXTRA, _PADDING = int.from_bytes(b"FB", "little"), b"Z"
"""inline_container.cc, `getPadding`."""
_FULL_16, _FULL_32 = 0xFFFF, 0xFFFFFFFF
_HAS_DESCRIPTOR, _ENCRYPTED = 0x08, 0x01
_EXTRA_BYTES_MAX = 0xFFFF


@dataclass(frozen=True)
class Span:
    """Where an archive lies: some bytes of a file."""

    file: File
    start: int
    length: int


@dataclass(frozen=True)
class Member:
    """One file of the archive, from its local header at `offset` to `end`, where the next one or the directory begins.
    `alike` is what PyTorch writes the same for every member: versions, times, attributes."""

    name: str
    bytes: int
    crc: int
    offset: int
    flags: int
    alike: tuple[int, ...]
    end: int = 0

    @property
    def together(self) -> tuple[int, ...]:
        """`alike`, but for the descriptor that miniz writes behind data alone: an empty member has none
        (mz_zip_writer_add_mem_ex_v2)."""
        needed, flags, *rest = self.alike
        return (needed, flags if self.bytes else flags | _HAS_DESCRIPTOR, *rest)

    @property
    def trailer(self) -> int:
        """Bytes of the descriptor behind the data (4.3.9)."""
        if not self.flags & _HAS_DESCRIPTOR:
            return 0
        return _DESCRIPTOR_64.size if self.bytes > _FULL_32 else _DESCRIPTOR.size

    @property
    def data_offset(self) -> int:
        """Where its bytes begin; what lies before them is header, name and padding."""
        return self.end - self.trailer - self.bytes


@dataclass
class Archive:
    """What the directory says; `read` reads within the archive's own bytes."""

    span: Span
    reader: Reader
    tail_bytes: int
    members: dict[str, Member] = field(default_factory=dict)
    _tail: bytes = b""
    _head: bytes = b""

    def read(self, start: int, length: int) -> bytes:
        """Bytes of the archive; what was read already is not read again."""
        end = self.span.length - len(self._tail)
        if start >= end and length >= 0:
            return self._tail[start - end : start - end + length]
        if start + length <= len(self._head):
            return self._head[start : start + length]
        return self.reader.read_range(self.span.file, self.span.start + start, length)

    def open(self, head_bytes: int = 0) -> Archive:
        """Read the directory, and the first bytes, where the pickle lies."""
        length = min(self.span.length, self.tail_bytes)
        self._tail = self.reader.read_range(self.span.file, self.span.start + self.span.length - length, length)
        head = min(head_bytes, self.span.length - length)
        self._head = self.reader.read_range(self.span.file, self.span.start, head) if head else b""
        start, count, ends = self._directory()
        self._fill(self.read(start, ends - start), count, start)
        return self

    def content(self, name: str) -> bytes:
        """A small member, its frame and its checksum compared."""
        member = self.members.get(name)
        if member is None:
            raise Damaged(f"has no member {name}")
        self._framed(member)
        data = self.read(member.data_offset, member.bytes)
        if zlib.crc32(data) != member.crc:
            raise Damaged(f"member {name} does not have the bytes that its CRC-32 was made of")
        return data

    def compare(self, member: Member) -> None:
        """A member of any size, its frame and its checksum compared; Damaged when they differ."""
        self._framed(member)
        start, crc = member.data_offset, 0
        for offset in range(0, member.bytes, CHUNK_BYTES):
            crc = zlib.crc32(self.read(start + offset, min(CHUNK_BYTES, member.bytes - offset)), crc)
        if crc != member.crc:
            raise Damaged(f"member {member.name} does not have the bytes that its CRC-32 was made of")

    def _framed(self, member: Member) -> None:
        start = member.data_offset
        header = self.read(member.offset, start - member.offset)
        _framed(member, header, self.read(start + member.bytes, member.trailer))

    # -- the directory -----------------------------------------------------------------------------------------

    def _directory(self) -> tuple[int, int, int]:
        """(where it begins, members, where it ends)."""
        size = self.span.length
        if size < _END.size:
            raise Damaged(f"{size} bytes are too few for an archive")
        end = size - _END.size
        signature, *narrow, comment = _END.unpack(self.read(end, _END.size))
        if signature != b"PK\x05\x06" or comment:
            raise Damaged("does not end as an archive does: it was cut short, or something follows it")
        fields = narrow
        if end >= _LOCATOR.size and self.read(end - _LOCATOR.size, 4) == b"PK\x06\x07":
            end, fields = self._directory_64(end - _LOCATOR.size)
            full = (*[_FULL_16] * 4, *[_FULL_32] * 2)
            if any(each not in (wide, most) for each, wide, most in zip(narrow, fields, full, strict=True)):
                raise Damaged("has a directory that is described in two ways")
        disk, of_disk, count_here, count, length, start = fields
        if disk or of_disk or count_here != count or count > MEMBERS_MAX or start + length != end:
            raise Damaged("has a directory that does not end where it says")
        return start, count, end

    def _directory_64(self, locator: int) -> tuple[int, list[int]]:
        _, disk, record, disks = _LOCATOR.unpack(self.read(locator, _LOCATOR.size))
        if record + _END_64.size != locator or disk or disks != 1:
            raise Damaged("has a ZIP64 record that is not where it says")
        fields = _END_64.unpack(self.read(record, _END_64.size))
        signature, length, made_by, needed, *rest = fields
        if signature != b"PK\x06\x06" or length != _END_64.size - 12 or (made_by, needed) != _ZIP64_VERSIONS:
            raise Damaged("has a ZIP64 record of another form")
        return record, rest

    def _fill(self, data: bytes, count: int, end: int) -> None:
        found = list(_members(data))
        if len(found) != count:
            raise Damaged(f"has {len(found)} members in its directory, {count} are counted")
        self.members = {member.name: member for member in _end_to_end(found, end)}
        if len(self.members) != len(found):
            raise Damaged("names a member twice")
        if len({member.together for member in found}) != 1:
            raise Damaged("has a directory whose members were not written together")


def _members(data: bytes) -> Iterator[Member]:
    position = 0
    while position < len(data):
        if len(data) - position < _CENTRAL.size:
            raise Damaged("has a directory that ends within a member")
        fields = _CENTRAL.unpack_from(data, position)
        signature, made_by, needed, flags, method, time, date, crc, packed, size = fields[:10]
        name_bytes, extra_bytes, comment, disk, internal, external, offset = fields[10:]
        start = position + _CENTRAL.size
        position = start + name_bytes + extra_bytes + comment
        if signature != b"PK\x01\x02" or position > len(data) or disk not in (0, _FULL_16):
            raise Damaged("has a directory that is none")
        name = _name(data[start : start + name_bytes])
        size, packed, offset = _wide(data[start + name_bytes : start + name_bytes + extra_bytes], size, packed, offset)
        if method or flags & _ENCRYPTED or packed != size:
            raise Damaged(f"member {name} is compressed or encrypted, which PyTorch's are not: it is not opened")
        alike = (needed, flags, method, time, date, made_by, internal, external, comment)
        yield Member(name, size, crc, offset, flags, alike)


def _name(data: bytes) -> str:
    try:
        name = data.decode()
    except UnicodeDecodeError as problem:
        raise Damaged("has a member whose name is no text") from problem
    if not name or name.startswith("/") or "\\" in name or ".." in name.split("/") or not name.isprintable():
        raise Damaged(f"has a member {name!r}, whose name leads out of it")
    return name


def _wide(extra: bytes, size: int, packed: int, offset: int) -> tuple[int, int, int]:
    """4.5.3: the sizes that do not fit into 32 bits."""
    for header, body in _extras(extra):
        if header == _ZIP64_EXTRA:
            wide = [int.from_bytes(body[at : at + 8], "little") for at in range(0, len(body), 8)]
            size = wide.pop(0) if size == _FULL_32 and wide else size
            packed = wide.pop(0) if packed == _FULL_32 and wide else packed
            offset = wide.pop(0) if offset == _FULL_32 and wide else offset
    return size, packed, offset


def _extras(extra: bytes) -> Iterator[tuple[int, bytes]]:
    """4.5.1: (header, bytes) one behind the other; only those that PyTorch writes."""
    position = 0
    while position < len(extra):
        header, length = struct.unpack_from("<HH", extra.ljust(position + 4), position)
        body = extra[position + 4 : position + 4 + length]
        is_padding = header == _PADDING_EXTRA and not body.strip(_PADDING)
        if len(body) != length or not (is_padding or header == _ZIP64_EXTRA):
            raise Damaged("has a member with fields that PyTorch does not write")
        yield header, body
        position += 4 + length


def _end_to_end(members: list[Member], end: int) -> Iterator[Member]:
    """Members lie one behind the other, from the first byte to the directory, with room for headers and no more."""
    members = sorted(members, key=lambda member: member.offset)
    if not members or members[0].offset:
        raise Damaged("does not begin with a member")
    for member, follows in zip(members, [*(each.offset for each in members[1:]), end], strict=True):
        placed = replace(member, end=follows)
        header = placed.data_offset - member.offset - _LOCAL.size - len(member.name.encode())
        if not 0 <= header <= _EXTRA_BYTES_MAX:
            raise Damaged(f"member {member.name} does not end where the next one begins")
        yield placed


def _framed(member: Member, header: bytes, trailer: bytes) -> None:
    """The local header, and the descriptor behind the data, say what the directory says (4.3.7, 4.3.9)."""
    signature, *alike, crc, packed, size, name_bytes, extra_bytes = _LOCAL.unpack(header[: _LOCAL.size])
    name, extra = header[_LOCAL.size :][:name_bytes], header[_LOCAL.size + name_bytes :]
    if signature != b"PK\x03\x04" or name != member.name.encode() or len(extra) != extra_bytes:
        raise Damaged(f"member {member.name} does not begin as the directory says")
    size, packed, _ = _wide(extra, size, packed, 0)
    here = (crc, packed, size)
    told = _DESCRIPTOR_64 if len(trailer) == _DESCRIPTOR_64.size else _DESCRIPTOR
    after = told.unpack(trailer) if trailer else (b"PK\x07\x08", *here)
    wanted = (member.crc, member.bytes, member.bytes)
    if tuple(alike) != member.alike[:5] or after != (b"PK\x07\x08", *wanted) or here not in (wanted, (0, 0, 0)):
        raise Damaged(f"member {member.name} is described in two ways")
