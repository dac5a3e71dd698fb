"""Pickles read as data: opcodes are walked, nothing is imported, called or built.

Opcodes: Python's pickletools. What a pickle would make by calling something is kept as what it would call, with which
arguments. What the frameworks' own files name is listed here, much as `torch.load(weights_only=True)` has it
(pytorch, torch/_weights_only_unpickler.py); a pickle that names anything else would run code that nobody looked at.
"""

from __future__ import annotations

import pickletools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pilotlight.runtime.checkpoints.format import SAID_CHARACTERS_MAX, Damaged

OPCODES_MAX = 50_000_000
"""A `.metadata` of a million shards has some twenty million."""

_HARMLESS = re.compile(
    r"""
    collections\.(OrderedDict|defaultdict|Counter|deque)
    | (builtins|__builtin__)\.(set|frozenset|bytearray|complex|list|dict|tuple|int|float|str|bool|bytes|slice|range)
    | (builtins|__builtin__)\.object
    | _codecs\.encode | copyreg\._reconstructor | copy_reg\._reconstructor
    | pathlib\.(_local\.)?(Pure)?(Posix|Windows)?Path
    | datetime\.(datetime|date|timedelta|timezone) | argparse\.Namespace | types\.SimpleNamespace
    | decimal\.Decimal | uuid\.UUID
    | numpy\.(dtype|ndarray) | numpy\.dtypes\.\w+DType
    | numpy\.(_core|core)\.multiarray\.(_reconstruct|scalar) | numpy\.(_core|core)\.numeric\._frombuffer
    | torch\.(\w*Storage|Size|device|dtype|Tensor|Generator|bool|half|double|float|long|short|int|strided|jagged)
    | torch\.(b?float(16|32|64|8_\w+|4_\w+)|u?int(8|16|32|64)|q(u?int8|int32|uint4x2|uint2x4)|complex(32|64|128))
    | torch\.(per_\w+|sparse_\w+|contiguous_format|channels_last\w*)
    | torch\.preserve_format | torch\.storage\.\w*Storage | torch\.nn\.parameter\.(Parameter|Buffer)
    | torch\._utils\._rebuild_\w+ | torch\._tensor\._rebuild_from_type_v2 | torch\.serialization\._get_layout
    | torch\.distributed\.checkpoint\.metadata\.(Metadata|MetadataIndex|BytesStorageMetadata|TensorStorageMetadata
        |ChunkStorageMetadata|TensorProperties|StorageMeta|_MEM_FORMAT_ENCODING)
    | torch\.distributed\.checkpoint\.filesystem\._StorageInfo
    | torch\.distributed\.checkpoint\.planner\.(SavePlan|WriteItem|WriteItemType|TensorWriteData|BytesIOWriteData)
    | torch\.distributed\.(_)?tensor\.[\w.]*(DTensor|DTensorSpec|TensorMeta|Shard|Replicate|DeviceMesh)
    | torch\.distributed\.device_mesh\.DeviceMesh
    | deepspeed\.runtime\.fp16\.loss_scaler\.\w*LossScaler | deepspeed\.utils\.tensor_fragment\.fragment_address
    | deepspeed\.runtime\.zero\.config\.\w+Enum
    | (pytorch_lightning|lightning\.pytorch|lightning_fabric|lightning\.fabric)\.utilities\.[\w.]*\.?AttributeDict
    | megatron\.core\.([\w.]+\.)?enums\.\w+ | megatron\.core\.rerun_state_machine\.\w+
    | transformers\.(training_args\.\w+|trainer_utils\.\w+|trainer_pt_utils\.\w+)
    | accelerate\.(state|utils\.dataclasses)\.\w+
    """,
    re.VERBOSE,
)


@dataclass(frozen=True)
class Name:
    """Something that a pickle would import."""

    module: str
    attribute: str

    def __str__(self) -> str:
        return f"{self.module}.{self.attribute}"

    @property
    def is_harmless(self) -> bool:
        """Whether the frameworks' own files name it; a dot in the attribute leads to anywhere."""
        return "." not in self.attribute and _HARMLESS.fullmatch(str(self)) is not None


@dataclass(eq=False)
class Made:
    """What a pickle would make by calling `maker`; `state` is what it would set on it."""

    maker: Any
    arguments: tuple[Any, ...]
    state: Any = None
    items: dict[Any, Any] = field(default_factory=dict)

    @property
    def fields(self) -> dict[Any, Any]:
        """Its state where that is a dictionary; some classes give a pair of dictionary and slots."""
        state = self.state[0] if isinstance(self.state, tuple) and self.state else self.state
        slots = self.state[1] if isinstance(self.state, tuple) and len(self.state) == 2 else None
        found = dict(state) if isinstance(state, dict) else {}
        return found | slots if isinstance(slots, dict) else found

    def is_a(self, *attributes: str) -> bool:
        """Whether its maker has one of these names, in whatever module."""
        return isinstance(self.maker, Name) and self.maker.attribute in attributes


@dataclass(frozen=True, eq=False)
class Persistent:
    """A reference to something outside of the pickle: in PyTorch's files a storage."""

    id: Any


@dataclass
class Walked:
    """A pickle as data; everything that it names and refers to, in its order."""

    value: Any = None
    names: list[Name] = field(default_factory=list)
    references: list[Persistent] = field(default_factory=list)

    @property
    def strange(self) -> list[str]:
        """Names that no framework's own files have."""
        return sorted({str(name) for name in self.names if not name.is_harmless})


def walk(data: bytes) -> Walked:
    """The value; Damaged when the bytes are not exactly one pickle."""
    try:
        return _Machine().run(data)
    except (ValueError, IndexError, KeyError, TypeError, RecursionError, OverflowError, UnicodeError) as problem:
        raise Damaged(f"is not a whole pickle: {problem}"[:SAID_CHARACTERS_MAX]) from problem


_MARK = object()
_FRAME_BYTES = 9


class _Machine:
    """The stack machine that a pickle is a program for."""

    def __init__(self) -> None:
        self.walked = Walked()
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def run(self, data: bytes) -> Walked:
        frame_end = 0
        for count, (opcode, argument, position) in enumerate(pickletools.genops(data)):
            if count > OPCODES_MAX:
                raise Damaged(f"is a pickle of more than {OPCODES_MAX} opcodes")
            if opcode.name == "FRAME":
                frame_end = (position or 0) + _FRAME_BYTES + int(argument or 0)
            if opcode.name == "STOP":
                self._end(data, position or 0, frame_end)
            else:
                self._one(opcode.name, argument)
        return self.walked

    def _end(self, data: bytes, position: int, frame_end: int) -> None:
        if position + 1 != len(data):
            raise Damaged(f"holds {len(data) - position - 1} bytes after its end")
        if frame_end and frame_end != len(data):
            raise Damaged("holds a frame that does not end with it")
        self.walked.value = self._pop()
        if self._stack:
            raise Damaged("leaves something behind")

    def _one(self, name: str, argument: Any) -> None:
        if name in _VALUES:
            self._stack.append(argument)
        elif name in _CONSTANTS:
            self._stack.append(_CONSTANTS[name]())
        elif name in _OPERATIONS:
            _OPERATIONS[name](self, argument)
        elif name not in _NOTHING:
            raise Damaged(f"holds the opcode {name}, which no framework writes")

    def _pop(self) -> Any:
        value = self._stack.pop()
        if value is _MARK:
            raise Damaged("takes a mark for a value")
        return value

    def _top(self) -> Any:
        if self._stack[-1] is _MARK:
            raise Damaged("takes a mark for a value")
        return self._stack[-1]

    def _marked(self) -> list[Any]:
        """Everything down to the last mark."""
        values = list[Any]()
        while (value := self._stack.pop()) is not _MARK:
            values.append(value)
        return values[::-1]

    # -- containers --------------------------------------------------------------------------------------------

    def _tuple(self, count: int) -> None:
        values = [self._pop() for _ in range(count)]
        self._stack.append(tuple(reversed(values)))

    def _extend(self, values: list[Any]) -> None:
        target = self._top()
        if isinstance(target, list):
            target.extend(values)
        elif isinstance(target, Made):
            target.items |= {len(target.items) + number: value for number, value in enumerate(values)}
        else:
            raise Damaged("adds to what is no list")

    def _set(self, values: list[Any]) -> None:
        target = self._top()
        pairs = dict(zip(values[::2], values[1::2], strict=True))
        if isinstance(target, Made):
            target.items |= pairs
        elif isinstance(target, dict):
            target |= pairs
        else:
            raise Damaged("sets items of what is no dictionary")

    def _add(self, values: list[Any]) -> None:
        target = self._top()
        if not isinstance(target, set):
            raise Damaged("adds to what is no set")
        target |= set(values)

    # -- names and what would be called ------------------------------------------------------------------------

    def _name(self, module: Any, attribute: Any) -> Name:
        if not isinstance(module, str) or not isinstance(attribute, str):
            raise Damaged("names what is no text")
        name = Name(module, attribute)
        self.walked.names.append(name)
        return name

    def _global(self, argument: str) -> None:
        module, _, attribute = argument.partition(" ")
        self._stack.append(self._name(module, attribute))

    def _stack_global(self) -> None:
        attribute, module = self._pop(), self._pop()
        self._stack.append(self._name(module, attribute))

    def _call(self, maker: Any, arguments: Any) -> None:
        if not isinstance(maker, Name):
            raise Damaged("would call something that it made itself")
        if not isinstance(arguments, tuple):
            raise Damaged("would call something without arguments")
        self._stack.append(Made(maker, arguments))

    def _reduce(self) -> None:
        arguments, maker = self._pop(), self._pop()
        self._call(maker, arguments)

    def _newobj_ex(self) -> None:
        named, arguments, maker = self._pop(), self._pop(), self._pop()
        self._call(maker, (*arguments, named))

    def _obj(self) -> None:
        maker, *arguments = self._marked()
        self._call(maker, tuple(arguments))

    def _inst(self, argument: str) -> None:
        arguments = tuple(self._marked())
        module, _, attribute = argument.partition(" ")
        self._call(self._name(module, attribute), arguments)

    def _build(self) -> None:
        state, target = self._pop(), self._top()
        if not isinstance(target, Made):
            raise Damaged("sets the state of what is no object")
        target.state = state

    def _refer(self, id: Any) -> None:
        self.walked.references.append(Persistent(id))
        self._stack.append(self.walked.references[-1])


_NOTHING = {"PROTO", "FRAME"}
_VALUES = {
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING", "BINSTRING",
    "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8", "UNICODE", "BINUNICODE",
    "SHORT_BINUNICODE", "BINUNICODE8",
}  # fmt: skip
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "EMPTY_DICT": dict,
    "EMPTY_SET": set,
    "MARK": lambda: _MARK,
}
_OPERATIONS: dict[str, Callable[[_Machine, Any], object]] = {
    "POP": lambda machine, _: machine._pop(),
    "POP_MARK": lambda machine, _: machine._marked(),
    "DUP": lambda machine, _: machine._stack.append(machine._top()),
    "APPEND": lambda machine, _: machine._extend([machine._pop()]),
    "APPENDS": lambda machine, _: machine._extend(machine._marked()),
    "LIST": lambda machine, _: machine._stack.append(machine._marked()),
    "TUPLE": lambda machine, _: machine._stack.append(tuple(machine._marked())),
    "TUPLE1": lambda machine, _: machine._tuple(1),
    "TUPLE2": lambda machine, _: machine._tuple(2),
    "TUPLE3": lambda machine, _: machine._tuple(3),
    "DICT": lambda machine, _: machine._stack.append(_paired(machine._marked())),
    "SETITEM": lambda machine, _: machine._set([machine._pop(), machine._pop()][::-1]),
    "SETITEMS": lambda machine, _: machine._set(machine._marked()),
    "ADDITEMS": lambda machine, _: machine._add(machine._marked()),
    "FROZENSET": lambda machine, _: machine._stack.append(frozenset(machine._marked())),
    "GLOBAL": lambda machine, argument: machine._global(argument),
    "STACK_GLOBAL": lambda machine, _: machine._stack_global(),
    "REDUCE": lambda machine, _: machine._reduce(),
    "NEWOBJ": lambda machine, _: machine._reduce(),
    "NEWOBJ_EX": lambda machine, _: machine._newobj_ex(),
    "OBJ": lambda machine, _: machine._obj(),
    "INST": lambda machine, argument: machine._inst(argument),
    "BUILD": lambda machine, _: machine._build(),
    "PERSID": lambda machine, argument: machine._refer(argument),
    "BINPERSID": lambda machine, _: machine._refer(machine._pop()),
    "MEMOIZE": lambda machine, _: machine._memo.__setitem__(len(machine._memo), machine._top()),
    "PUT": lambda machine, argument: machine._memo.__setitem__(argument, machine._top()),
    "BINPUT": lambda machine, argument: machine._memo.__setitem__(argument, machine._top()),
    "LONG_BINPUT": lambda machine, argument: machine._memo.__setitem__(argument, machine._top()),
    "GET": lambda machine, argument: machine._stack.append(machine._memo[argument]),
    "BINGET": lambda machine, argument: machine._stack.append(machine._memo[argument]),
    "LONG_BINGET": lambda machine, argument: machine._stack.append(machine._memo[argument]),
}


def _paired(values: list[Any]) -> dict[Any, Any]:
    return dict(zip(values[::2], values[1::2], strict=True))
