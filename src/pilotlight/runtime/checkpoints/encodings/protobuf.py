"""Protocol Buffers as they lie in files: fields by their numbers, messages walked, values left out.

protobuf.dev/programming-guides/encoding: a field is a tag (number and wire type) and a value: a varint, 4 or 8 bytes,
or a length and so many bytes. A message says nowhere how long it is: its last field must end where it ends. Groups
(wire types 3 and 4) are in none of the messages that are read here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pilotlight.runtime.checkpoints.encodings.windows import Window
from pilotlight.runtime.checkpoints.format import Damaged

DEPTH_MAX = 64
"""Messages within messages; protobuf's own readers stop at 100."""
TEXT_BYTES_MAX = 64 * 1024

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True)
class Field:
    """One field. `value` is a number, or where the bytes begin; `end` is where they end."""

    number: int
    wire: int
    value: int
    end: int

    @property
    def length(self) -> int:
        """How many bytes a field of wire type 2 has."""
        return self.end - self.value


def fields(window: Window, end: int) -> Iterator[Field]:
    """The fields from here to the end of the message. Who wants to see into one reads from the window before the next
    is asked for; what is left of it is skipped."""
    while window.position < end:
        tag = varint(window)
        number, wire = tag >> 3, tag & 7
        if number == 0:
            raise Damaged(f"has a field without a number before {window.position}")
        value = _value(window, wire)
        stop = window.position + value if wire == BYTES else window.position
        if stop > end:
            raise Damaged(f"field {number} ends at {stop}, what holds it at {end}")
        yield Field(number, wire, window.position if wire == BYTES else value, stop)
        if window.position > stop:
            raise Damaged(f"field {number} ends at {stop}, what it holds at {window.position}")
        window.skip(stop - window.position)
    if window.position != end:
        raise Damaged(f"a message ends at {end}, its last field at {window.position}")


def varint(window: Window) -> int:
    """An unsigned number of up to 64 bits, seven to a byte, the lowest first."""
    value = 0
    for shift in range(0, 70, 7):
        byte = window.byte()
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value
    raise Damaged(f"holds a number without end before {window.position}")


def text(window: Window, field: Field) -> str:
    """A field's bytes as text; Damaged where they are none."""
    if field.wire != BYTES or field.length > TEXT_BYTES_MAX:
        raise Damaged(f"field {field.number} is no text, or has {field.length} bytes of it")
    try:
        return window.take(field.length).decode()
    except UnicodeDecodeError as problem:
        raise Damaged(f"field {field.number} is no text") from problem


def _value(window: Window, wire: int) -> int:
    if wire in (VARINT, BYTES):
        return varint(window)
    if wire in (FIXED64, FIXED32):
        return int.from_bytes(window.take(8 if wire == FIXED64 else 4), "little")
    raise Damaged(f"has a field of wire type {wire} before {window.position}")
