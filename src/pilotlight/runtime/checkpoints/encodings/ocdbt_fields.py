"""The fields of OCDBT: manifests, version nodes and B+tree nodes as bytes, each with its length and its CRC-32C.

Format: github.com/google/tensorstore, tensorstore/kvstore/ocdbt/index.rst, "Storage format"; the names of its tables
stand at the functions that read them. A manifest's configuration has one more field than that page tells:
`manifest_kind` after the UUID (format/config_codec.cc).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pilotlight.runtime.checkpoints.encodings.crc32c import crc32c
from pilotlight.runtime.checkpoints.encodings.zstd import decompress
from pilotlight.runtime.checkpoints.format import Damaged

MANIFEST_MAGIC = 0x0CDB3A2A
NODE_MAGIC = 0x0CDB20DE
VERSIONS_MAGIC = 0x0CDB1234
NODE_BYTES_MAX = 64 * 1024 * 1024
"""A decoded node; TensorStore's own default for `max_decoded_node_bytes` is 8 MiB."""
_UUID_BYTES = 16
_HEADER_BYTES = 14
_CRC_BYTES = 4


@dataclass(frozen=True)
class Span:
    """Bytes of one data file; `path` is relative to the database's folder."""

    path: str
    offset: int
    length: int


@dataclass(frozen=True)
class Node:
    """Where a node lies, and what must be known to read it; `named_by` is the file whose node or manifest names it."""

    span: Span
    height: int
    transitive: str
    named_by: str
    prefix: bytes = b""


@dataclass(frozen=True)
class Version:
    """One version of a database; `root` is None for an empty tree. `committed_nsecs`: since the Unix epoch."""

    root: Node | None
    keys: int
    committed_nsecs: int


@dataclass(frozen=True)
class Entry:
    """One key: where its value lies, or the value itself."""

    key: bytes
    span: Span | None
    value: bytes


class Cursor:
    """The fields of a decoded body, one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data, self.position = data, 0

    def take(self, count: int) -> bytes:
        """So many bytes."""
        piece = self._data[self.position : self.position + count]
        if count < 0 or len(piece) != count:
            raise Damaged("ends in the middle of a field")
        self.position += count
        return piece

    def number(self) -> int:
        """An unsigned number, seven bits to a byte, the lowest first."""
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value
            if shift > 63:
                raise Damaged("holds a number without end")

    def numbers(self, count: int) -> list[int]:
        """A column of them."""
        if count > len(self._data):
            raise Damaged(f"claims {count} entries in {len(self._data)} bytes")
        return [self.number() for _ in range(count)]

    def octets(self, count: int) -> list[int]:
        """A column of single bytes."""
        return list(self.take(count))

    def end(self) -> None:
        """Nothing may follow."""
        if self.position != len(self._data):
            raise Damaged("holds more than its fields")


def read_manifest(data: bytes, own: str) -> tuple[list[Version], list[Node]]:
    """(the newest versions, nodes of the older ones)."""
    cursor = Cursor(opened(data, MANIFEST_MAGIC))
    cursor.take(_UUID_BYTES)
    if cursor.number() != 0:
        raise Damaged("keeps its versions in numbered manifests, which are not read")
    cursor.numbers(2)
    cursor.take(1)
    if cursor.number() == 1:
        cursor.take(4)
    files = read_files(cursor, "")
    versions = list(_versions(cursor, files, own))
    older = _version_nodes(cursor, files, own, None)
    cursor.end()
    if not versions:
        raise Damaged("holds no version")
    return versions, older


def read_versions(body: bytes, node: Node, own: str) -> tuple[list[Version], list[Node]]:
    """(versions of a leaf, children of an inner version node)."""
    cursor = Cursor(body)
    _, height = cursor.octets(2)
    if height != node.height:
        raise Damaged("is a node of another height than its parent says")
    files = read_files(cursor, node.transitive)
    found = ([], _version_nodes(cursor, files, own, height - 1)) if height else (_versions(cursor, files, own), [])
    versions, children = list(found[0]), found[1]
    cursor.end()
    return versions, children


def read_tree(body: bytes, node: Node, own: str) -> tuple[list[Entry], list[Node]]:
    """(entries of a leaf, children of an inner node)."""
    cursor = Cursor(body)
    if cursor.octets(1)[0] != node.height:
        raise Damaged("is a node of another height than its parent says")
    files, count = read_files(cursor, node.transitive), cursor.number()
    entries, children = list[Entry](), list[Node]()
    if node.height:
        children = list(_inner(cursor, count, files, node, own))
    else:
        entries = list(_leaf(cursor, count, files, node.prefix))
    cursor.end()
    return entries, children


def _versions(cursor: Cursor, files: list[tuple[str, str]], own: str) -> Iterator[Version]:
    """ "Version tree leaf node entries": also what a manifest holds of the newest versions."""
    count = cursor.number()
    cursor.numbers(count)
    heights = cursor.octets(count)
    which, offsets, lengths, keys, _, _ = (cursor.numbers(count) for _ in range(6))
    times = [int.from_bytes(cursor.take(8), "little") for _ in range(count)]
    for number in range(count):
        root = None
        if keys[number]:
            path, base = _file(files, which[number])
            root = Node(Span(path, offsets[number], lengths[number]), heights[number], base, own)
        yield Version(root, keys[number], times[number])


def _version_nodes(cursor: Cursor, files: list[tuple[str, str]], own: str, height: int | None) -> list[Node]:
    """ "Interior version tree node entries"; a manifest tells their heights, a node's children are one lower."""
    count = cursor.number()
    cursor.numbers(count)
    which, offsets, lengths, _ = (cursor.numbers(count) for _ in range(4))
    cursor.take(8 * count)
    heights = cursor.octets(count) if height is None else [height] * count
    nodes = []
    for index, offset, length, own_height in zip(which, offsets, lengths, heights, strict=True):
        path, base = _file(files, index)
        nodes.append(Node(Span(path, offset, length), own_height, base, own))
    return nodes


def _inner(cursor: Cursor, count: int, files: list[tuple[str, str]], node: Node, own: str) -> Iterator[Node]:
    prefixes, suffixes, common = _key_columns(cursor, count, inner=True)
    keys = list(_keys(cursor, prefixes, suffixes))
    which, offsets, lengths, _, _, _ = (cursor.numbers(count) for _ in range(6))
    for number, key in enumerate(keys):
        path, base = _file(files, which[number])
        span = Span(path, offsets[number], lengths[number])
        yield Node(span, node.height - 1, base, own, node.prefix + key[: common[number]])


def _leaf(cursor: Cursor, count: int, files: list[tuple[str, str]], prefix: bytes) -> Iterator[Entry]:
    prefixes, suffixes, _ = _key_columns(cursor, count, inner=False)
    keys = list(_keys(cursor, prefixes, suffixes))
    lengths, kinds = cursor.numbers(count), cursor.numbers(count)
    if any(kind > 1 for kind in kinds):
        raise Damaged("holds a value of an unknown kind")
    outside = sum(kinds)
    places = zip(cursor.numbers(outside), cursor.numbers(outside), strict=True)
    for key, length, kind in zip(keys, lengths, kinds, strict=True):
        if kind:
            which, offset = next(places)
            yield Entry(prefix + key, Span(_file(files, which)[0], offset, length), b"")
        else:
            yield Entry(prefix + key, None, cursor.take(length))


def _key_columns(cursor: Cursor, count: int, inner: bool) -> tuple[list[int], list[int], list[int]]:
    prefixes = [0, *cursor.numbers(max(0, count - 1))]
    return prefixes, cursor.numbers(count), cursor.numbers(count) if inner else []


def _keys(cursor: Cursor, prefixes: list[int], suffixes: list[int]) -> Iterator[bytes]:
    last = b""
    for prefix, suffix in zip(prefixes, suffixes, strict=False):
        if prefix > len(last):
            raise Damaged("holds a key that continues none")
        last = last[:prefix] + cursor.take(suffix)
        yield last


def read_files(cursor: Cursor, transitive: str) -> list[tuple[str, str]]:
    """The data file table: (path, what its children's paths begin with), both relative to the database's folder."""
    count = cursor.number()
    prefixes = [0, *cursor.numbers(max(0, count - 1))]
    suffixes, bases = cursor.numbers(count), cursor.numbers(count)
    found, last = list[tuple[str, str]](), b""
    for prefix, suffix, base in zip(prefixes, suffixes, bases, strict=False):
        if prefix > len(last):
            raise Damaged("holds a file name that continues none")
        last = last[:prefix] + cursor.take(suffix)
        if base > len(last):
            raise Damaged("holds a file name that is shorter than its folder")
        try:
            found.append((transitive + last.decode(), transitive + last[:base].decode()))
        except UnicodeDecodeError as problem:
            raise Damaged("holds a file name that is no text") from problem
    return found


def _file(files: list[tuple[str, str]], index: int) -> tuple[str, str]:
    if index >= len(files):
        raise Damaged("refers to a file that its table does not have")
    return files[index]


def opened(data: bytes, magic: int) -> bytes:
    """The body between header and checksum, decompressed."""
    if len(data) < _HEADER_BYTES + _CRC_BYTES or int.from_bytes(data[:4], "big") != magic:
        raise Damaged("does not begin as an OCDBT manifest or node does")
    if int.from_bytes(data[4:12], "little") != len(data):
        raise Damaged(f"has {len(data)} bytes, its header says {int.from_bytes(data[4:12], 'little')}")
    if crc32c(data[:-_CRC_BYTES]) != int.from_bytes(data[-_CRC_BYTES:], "little"):
        raise Damaged("does not have the bytes that its CRC-32C was made of")
    version, compression = data[12], data[13]
    if version != 0 or compression > 1:
        raise Damaged(f"is of version {version}, compression {compression}, which are not known")
    body = data[_HEADER_BYTES:-_CRC_BYTES]
    return decompress(body, NODE_BYTES_MAX) if compression else body
