"""HDF5 files by their superblock, in versions 0 to 3: where the file ends, and where its root group begins.

HDFGroup/hdf5, src/H5Fsuper_cache.c (`H5F_sblock_load`: fields of each version, what must be zero, and how addresses
move when a block of the user's lies in front), H5checksum.c (`H5_checksum_lookup3`); the File Format Specification,
II.A: the signature lies at 0, 512, 1024 and so on. A file is as long as its superblock says; the root group's object
header, and in version 0 and 1 its B-tree and heap, begin where they must. What lies further within is not read, and
values have no checksum unless the writer asked for one.
"""

from __future__ import annotations

from collections.abc import Callable

from pilotlight.runtime.checkpoints.format import Damaged

SIGNATURE = b"\x89HDF\r\n\x1a\n"
USER_BLOCK_BYTES = 512
ADDRESS_BYTES = (2, 4, 8)

_TREE_AND_HEAP = 1
"""What the root group's entry in its superblock keeps beside its address: where its B-tree and heap lie."""
_MASK = 0xFFFFFFFF

Read = Callable[[int, int], bytes]
"""(start, length): exactly these bytes of the file."""


def check(read: Read, size: int) -> None:
    """Damaged where the file is not as its superblock says."""
    start = _start(read, size)
    version = _take(read, start + 8, 1, size)[0]
    if version > 3:
        raise Damaged(f"has a superblock of version {version}, which is not known")
    old = version < 2
    head = _take(read, start, 24 + 4 * (version == 1) if old else 12, size)
    width, lengths = (head[13], head[14]) if old else (head[9], head[10])
    if width not in ADDRESS_BYTES or lengths not in ADDRESS_BYTES:
        raise Damaged(f"has addresses of {width} and lengths of {lengths} bytes")
    rest = _take(read, start + len(head), 4 * width + (2 * width + 24 if old else 4), size)
    _flags(head, old)
    base, _, end, driver = (int.from_bytes(rest[at : at + width], "little") for at in range(0, 4 * width, width))
    if end + start - base != size:
        raise Damaged(f"has {size} bytes, its superblock says {end + start - base}")
    if old:
        if driver != (1 << 8 * width) - 1:
            raise Damaged("names a driver of HDF5 that spreads over files: it is not judged")
        _old_root(read, rest[4 * width :], width, start, size)
        return
    if lookup3(head + rest[:-4]) != int.from_bytes(rest[-4:], "little"):
        raise Damaged("does not have the superblock that its checksum was made of")
    _header(read, start + driver, size)


def lookup3(data: bytes) -> int:
    """`H5_checksum_lookup3` from zero: Bob Jenkins' hash, twelve bytes at a time."""
    state = [(0xDEADBEEF + len(data)) & _MASK] * 3
    while True:
        words = [int.from_bytes(data[at : at + 4], "little") for at in (0, 4, 8)]
        state = [(value + word) & _MASK for value, word in zip(state, words, strict=True)]
        data = data[12:]
        if not data:
            return _final(*state)
        state = _mixed(state)


def _mixed(state: list[int]) -> list[int]:
    """`H5_lookup3_mix`."""
    for at, bits in enumerate((4, 6, 8, 16, 19, 4)):
        one, two, three = at % 3, (at + 2) % 3, (at + 1) % 3
        state[one] = (state[one] - state[two]) & _MASK ^ _rotated(state[two], bits)
        state[two] = (state[two] + state[three]) & _MASK
    return state


def _final(a: int, b: int, c: int) -> int:
    """`H5_lookup3_final`."""
    state = [a, b, c]
    for at, bits in enumerate((14, 11, 25, 16, 4, 14, 24), start=2):
        one, two = at % 3, (at + 2) % 3
        state[one] = ((state[one] ^ state[two]) - _rotated(state[two], bits)) & _MASK
    return state[2]


def _rotated(value: int, bits: int) -> int:
    return (value << bits | value >> 32 - bits) & _MASK


def _start(read: Read, size: int) -> int:
    """Where the superblock lies: behind a block of the user's, if there is one."""
    start = 0
    while start + len(SIGNATURE) <= size:
        if read(start, len(SIGNATURE)) == SIGNATURE:
            return start
        start = max(USER_BLOCK_BYTES, 2 * start)
    raise Damaged("does not begin as an HDF5 file does")


def _flags(head: bytes, old: bool) -> None:
    """What must be zero; and what says that a writer has not closed the file."""
    if old and (any(head[at] for at in (9, 10, 11, 12, 15)) or not any(head[16:18]) or not any(head[18:20])):
        raise Damaged("has a superblock with versions that are not known")
    if any(head[20:24] if old else head[11:12]):
        raise Damaged("was not closed by its writer")


def _old_root(read: Read, entry: bytes, width: int, start: int, size: int) -> None:
    """The root group's symbol table entry: its header, and its B-tree and heap where the entry keeps them."""
    _header(read, start + int.from_bytes(entry[width : 2 * width], "little"), size)
    kept = int.from_bytes(entry[2 * width : 2 * width + 4], "little")
    if kept > _TREE_AND_HEAP:
        raise Damaged(f"keeps {kept} of its root group, which is not known")
    scratch = entry[2 * width + 8 :]
    for number, name in enumerate((b"TREE", b"HEAP") if kept else ()):
        address = start + int.from_bytes(scratch[number * width : (number + 1) * width], "little")
        if _take(read, address, 4, size) != name:
            raise Damaged(f"has no {name.decode()} of its root group at {address}")


def _header(read: Read, address: int, size: int) -> None:
    """An object header, of version 1 or later."""
    head = _take(read, address, 4, size)
    if head != b"OHDR" and head[:2] != b"\1\0":
        raise Damaged(f"has no header of its root group at {address}")


def _take(read: Read, start: int, count: int, size: int) -> bytes:
    if start + count > size:
        raise Damaged(f"ends at {size}, something lies in it at {start}")
    return read(start, count)
