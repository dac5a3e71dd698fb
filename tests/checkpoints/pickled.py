"""Pickles as PyTorch writes them, made without it: objects of its classes, tensors that refer to storages, and whole
distributed checkpoints of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from archives import archive
from layouts import Files

DISTRIBUTED = "torch.distributed.checkpoint.metadata"


@dataclass(frozen=True)
class Of:
    """What a pickle makes by calling something of a module with these arguments; `state` is set on it."""

    module: str
    name: str
    arguments: tuple[Any, ...] = ()
    state: Mapping[str, Any] | None = field(default=None, hash=False, compare=False)


@dataclass(frozen=True)
class Stored:
    """A reference to a storage, as a tensor has one."""

    key: Any
    elements: Any
    kind: str = "FloatStorage"


def pickled(value: Any) -> bytes:
    """As protocol 2 has it."""
    return b"\x80\x02" + _body(value) + b"."


def _body(value: Any) -> bytes:
    if isinstance(value, Of):
        made = f"c{value.module}\n{value.name}\n".encode() + _body(value.arguments) + b"R"
        return made if value.state is None else made + _body(dict(value.state)) + b"b"
    if isinstance(value, Stored):
        kind = Of("torch", value.kind)
        parts = (_body("storage"), f"c{kind.module}\n{kind.name}\n".encode(), _body(value.key), _body("cpu"))
        return b"(" + b"".join(parts) + _body(value.elements) + b"tQ"
    if isinstance(value, dict):
        return b"(" + b"".join(_body(key) + _body(each) for key, each in value.items()) + b"d"
    if isinstance(value, list | tuple):
        return b"(" + b"".join(map(_body, value)) + (b"l" if isinstance(value, list) else b"t")
    if value is None or isinstance(value, bool):
        return {None: b"N", True: b"\x88", False: b"\x89"}[value]
    if isinstance(value, float):
        return f"F{value!r}\n".encode()
    return f"I{value}\n".encode() if isinstance(value, int) else f"V{value}\n".encode()


def tensor(key: Any = "0", elements: Any = 1, kind: str = "FloatStorage") -> Of:
    """One that has a storage to itself."""
    arguments = (Stored(key, elements, kind), 0, (elements,), (1,), False, Of("collections", "OrderedDict"))
    return Of("torch._utils", "_rebuild_tensor_v2", arguments)


def saved_tensor(elements: int, byte: bytes = b"\1") -> bytes:
    """A file of torch.save with one tensor."""
    return archive(pickled(tensor("0", elements)), {"0": byte * (4 * elements)})


@dataclass(frozen=True)
class Share:
    """A share of a tensor: where it begins, how large it is, and the bytes of its archive."""

    offsets: tuple[int, ...]
    sizes: tuple[int, ...]
    body: bytes


def distributed(
    plain: dict[str, Any], tensors: dict[str, tuple[tuple[int, ...], list[Share]]], **metadata: Any
) -> Files:
    """A checkpoint of torch.distributed: other data under their names, tensors as (size, shares); each part lies in
    `__0_0.distcp`."""
    items: dict[str, Any] = {name: Of(DISTRIBUTED, "BytesStorageMetadata") for name in plain}
    places: dict[Of, Of] = {}
    out = bytearray()

    def keep(name: str, offsets: tuple[int, ...] | None, body: bytes) -> None:
        index = Of(DISTRIBUTED, "MetadataIndex", (name, offsets), {"fqn": name, "offset": offsets})
        where = {"relative_path": "__0_0.distcp", "offset": len(out), "length": len(body)}
        places[index] = Of("torch.distributed.checkpoint.filesystem", "_StorageInfo", (), where)
        out.extend(body)

    for name, value in plain.items():
        keep(name, None, archive(pickled(value)))
    for name, (size, shares) in tensors.items():
        chunks = [
            Of(DISTRIBUTED, "ChunkStorageMetadata", (), {"offsets": each.offsets, "sizes": each.sizes})
            for each in shares
        ]
        items[name] = Of(DISTRIBUTED, "TensorStorageMetadata", (), {"size": size, "chunks": chunks})
        for each in shares:
            keep(name, each.offsets, each.body)
    said = {"state_dict_metadata": items, "storage_data": places} | metadata
    return {".metadata": pickled(Of(DISTRIBUTED, "Metadata", (), said)), "__0_0.distcp": bytes(out)}
