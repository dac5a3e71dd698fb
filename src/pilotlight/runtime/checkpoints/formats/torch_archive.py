"""A file of `torch.save`: a zip archive with a pickle that names storages, and a member for each of them.

pytorch, torch/serialization.py (`_save`, `persistent_id`): `<root>/data.pkl`, `<root>/data/<key>` with the raw bytes of
a storage, `byteorder`, `version`. The pickle refers to a storage as ("storage", type, key, device, elements). Proven:
the archive to its last byte, the pickle by its CRC-32, a member of exactly the right length for every storage, none
besides. Of small files every member's CRC-32 is compared; of large ones that is for `--deep`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from pilotlight.runtime.checkpoints.encodings.pickles import Made, Name, Walked, walk
from pilotlight.runtime.checkpoints.encodings.zips import Archive, Member, Span
from pilotlight.runtime.checkpoints.format import Candidate, Damaged, File, Problem, Reader, Unreadable

ELEMENT_BYTES = {
    "DoubleStorage": 8, "LongStorage": 8, "ComplexFloatStorage": 8, "FloatStorage": 4, "IntStorage": 4,
    "QInt32Storage": 4, "HalfStorage": 2, "BFloat16Storage": 2, "ShortStorage": 2, "CharStorage": 1, "ByteStorage": 1,
    "BoolStorage": 1, "QInt8Storage": 1, "QUInt8Storage": 1, "QUInt4x2Storage": 1, "QUInt2x4Storage": 1,
    "UntypedStorage": 1, "ComplexDoubleStorage": 16,
}  # fmt: skip
LINES = ("byteorder", "version", ".format_version", ".storage_alignment", ".data/serialization_id")
LINE_BYTES_MAX = 4096
"""None of these members holds more than a line."""
WHOLE_BYTES_MAX = 640 * 1024
"""Up to here all files of a checkpoint are read whole: it is within the smallest budget."""
TAIL_BYTES_MAX = 64 * 1024
TAIL_BYTES_MIN = 2 * 1024
FLOAT_BYTES = 4
LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""How files of torch.save from before 1.6 begin: a pickle of MAGIC_NUMBER (torch/serialization.py, _legacy_save)."""
TAILS_BYTES = 256 * 1024
"""What the first reads of all files of a large checkpoint may take together."""


@dataclass(frozen=True)
class Saved:
    """What one file holds, as data."""

    archive: Archive
    root: str
    walked: Walked

    @property
    def value(self) -> dict[Any, Any]:
        """The dictionary that was saved; empty where it was something else."""
        return entries(self.walked.value)


def entries(value: Any) -> dict[Any, Any]:
    """The items of a dictionary, or of what would become one."""
    if isinstance(value, Made):
        return value.items
    return value if isinstance(value, dict) else {}


def is_small(candidate: Candidate) -> bool:
    """Whether all of it is read."""
    return candidate.bytes_total <= WHOLE_BYTES_MAX


def read_all(candidate: Candidate, files: list[File], reader: Reader) -> tuple[dict[str, Saved], list[Problem]]:
    """Every file by its name, and what is wrong with those that cannot be read."""
    saved, problems = dict[str, Saved](), list[Problem]()
    for file in files:
        try:
            saved[candidate.name(file)] = read(file, reader, is_small(candidate), len(files))
        except (Damaged, Unreadable) as damage:
            problems.append(Problem(candidate.name(file), str(damage)))
    return saved, problems


def read(file: File, reader: Reader, whole: bool, files: int = 1, strict: bool = True) -> Saved:
    """One file, or Damaged; `files` share the budget. `strict`: what would run code that nobody looked at is refused;
    beside the weights only whether the file is whole matters."""
    tail = file.size if whole else max(TAIL_BYTES_MIN, min(TAIL_BYTES_MAX, TAILS_BYTES // files))
    try:
        return opened(Span(file, 0, file.size), reader, tail, whole, strict)
    except Damaged:
        if file.size > len(LEGACY) and reader.read_range(file, 0, len(LEGACY)) == LEGACY:
            raise Damaged("was written by torch.save before PyTorch 1.6, which is not judged: save it anew") from None
        raise


def opened(span: Span, reader: Reader, tail_bytes: int, whole: bool, strict: bool = True) -> Saved:
    """An archive anywhere in a file."""
    archive = Archive(span, reader, tail_bytes).open(head_bytes=0 if whole else tail_bytes)
    pickles = [name for name in archive.members if name.endswith("/data.pkl") and name.count("/") == 1]
    if len(pickles) != 1:
        raise Damaged("is an archive, but none of PyTorch's: it has no data.pkl")
    (name,) = pickles
    root = name.removesuffix("data.pkl")
    _compare(archive, root, whole)
    walked = walk(archive.content(name))
    if walked.strange and strict:
        raise Damaged(f"holds a pickle that names {walked.strange[0]}: loading it would run what nobody looked at")
    _storages(archive, root, walked)
    return Saved(archive, root, walked)


def compare_all(archive: Archive) -> None:
    """Every member's CRC-32."""
    for member in archive.members.values():
        archive.compare(member)


def _compare(archive: Archive, root: str, whole: bool) -> None:
    """The CRC-32 of every member of a small file, of the small members of a large one."""
    if whole:
        compare_all(archive)
        return
    for name in LINES:
        member = archive.members.get(root + name)
        if member is not None and member.bytes <= LINE_BYTES_MAX:
            archive.compare(member)


def _storages(archive: Archive, root: str, walked: Walked) -> None:
    """Each storage that the pickle names has its member, of the right length; each member is named."""
    wanted = dict[str, int]()
    for reference in walked.references:
        key, length = _storage(reference.id)
        if wanted.setdefault(key, length) != length:
            raise Damaged(f"names storage {key} with two lengths")
    for key, length in wanted.items():
        member = archive.members.get(f"{root}data/{key}")
        if member is None:
            raise Damaged(f"has no member for storage {key}")
        if member.bytes != length:
            raise Damaged(f"storage {key} has {member.bytes} bytes, the pickle says {length}")
    strays = [name for name in archive.members if _is_stray(name.removeprefix(root), wanted)]
    if strays:
        raise Damaged(f"has a member {strays[0]} that its pickle does not name")


def _is_stray(name: str, wanted: dict[str, int]) -> bool:
    return name not in ("data.pkl", *LINES) and not (name.startswith("data/") and name.removeprefix("data/") in wanted)


def _storage(id: Any) -> tuple[str, int]:
    """(key, bytes)."""
    if not isinstance(id, tuple) or len(id) != 5 or id[0] != "storage" or not isinstance(id[1], Name):
        raise Damaged("refers to something that is no storage")
    _, kind, key, _, elements = id
    if kind.attribute not in ELEMENT_BYTES or not isinstance(key, str) or type(elements) is not int or elements < 0:
        raise Damaged(f"refers to a storage of a kind that is not known: {kind.attribute}")
    return key, elements * ELEMENT_BYTES[kind.attribute]


def member_of(saved: Saved, tensor: Any) -> Member | None:
    """The member that holds a tensor's storage; None where it is no tensor."""
    if not isinstance(tensor, Made) or not tensor.is_a("_rebuild_tensor_v2", "_rebuild_tensor", "_rebuild_tensor_v3"):
        return None
    reference = tensor.arguments[0] if tensor.arguments else None
    id = getattr(reference, "id", None)
    return saved.archive.members.get(f"{saved.root}data/{_storage(id)[0]}") if id else None


def scalar(saved: Saved, tensor: Any) -> int | None:
    """A single float32, as PyTorch's optimizers keep their step; read where it lies."""
    member = member_of(saved, tensor)
    if member is None or member.bytes != FLOAT_BYTES:
        return None
    (value,) = struct.unpack("<f", saved.archive.read(member.data_offset, FLOAT_BYTES))
    return int(value) if value == value and 0 <= value < 2**53 else None


def optimizer_step(saved: Saved, optimizer: Any) -> int | None:
    """How many steps an optimizer has counted (torch/optim/adam.py: `step` of each parameter); None where it counts
    none. The first parameter that tells is asked."""
    for state in entries(entries(optimizer).get("state")).values():
        step = entries(state).get("step")
        number = step if type(step) is int else scalar(saved, step)
        if number is not None:
            return number
    return None
