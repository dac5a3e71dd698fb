"""Records to JSON and back: frozen dataclasses, a `schema` of the form `pilotlight/<record>/<version>`, nothing else.

Reading is strict about what a record must have and lenient about fields it does not know, so that an older
runtime can read a newer record (fields are only added). Bad input is `RecordUnreadable`, never a traceback.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import types
import typing
from collections.abc import Callable
from importlib import import_module
from typing import Any, ClassVar, TypeVar

from pilotlight.runtime.errors import RecordUnreadable

Record = TypeVar("Record")

TAGGED_BY = "kind"
REGISTRY = "pilotlight.runtime.kinds.registry"
"""With this module every subclass is there. It is above this one, so it is imported by its name, by whoever reads."""


class Tagged:
    """What a record derives from whose subclasses, one for each kind of asset, are told apart by TAGGED_BY."""

    TAGS: ClassVar[tuple[str, ...]] = ()
    """The values by which a record is told to be of this class."""


TAGS = ("kind", "schema")
"""Fields whose default names the class that they are in."""
PLAIN = (str, int, float, bool)
"""What JSON has, too."""


def encode(value: Any) -> Any:
    """JSON-ready form of a record or any value inside one."""
    kind = type(value)
    if kind in PLAIN:
        return value
    if isinstance(value, dict):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [encode(item) for item in value]
    if dataclasses.is_dataclass(kind):
        return {name: encode(getattr(value, name)) for name in _names(kind)}
    return value


def dumps(record: Any) -> str:
    """A record as JSON text: sorted keys, two spaces, a newline at the end, so that equal records are equal bytes."""
    return json.dumps(encode(record), indent=2, sort_keys=True) + "\n"


def loads(kind: type[Record], text: str | bytes, source: str) -> Record:
    """Read a record of this kind; `source` names it in errors."""
    try:
        raw = json.loads(text)
        return typing.cast(Record, decode(kind, _of_this_edition(kind, raw)))
    except (ValueError, TypeError, KeyError, AttributeError) as problem:
        raise RecordUnreadable(record=source, reason=str(problem)) from problem


def _of_this_edition(kind: type[Any], raw: dict[str, Any]) -> dict[str, Any]:
    """A record of an earlier edition as this one writes it; EARLIER of its class says how."""
    wanted, told = getattr(kind, "SCHEMA", None), raw.get("schema")
    if wanted is None or told == wanted:
        return raw
    earlier = getattr(kind, "EARLIER", {})
    if told not in earlier:
        raise ValueError(f"schema is {told!r}, not {wanted!r}")
    read: dict[str, Any] = earlier[told](raw)
    return read | {"schema": wanted}


def decode(kind: Any, raw: Any) -> Any:
    """Build a value of this type from its JSON form."""
    return _decoder(kind)(raw)


@functools.cache
def _decoder(kind: Any) -> Callable[[Any], Any]:
    """What builds values of this type; made once, since a point has hundreds of parts of few kinds."""
    origin = typing.get_origin(kind)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return functools.partial(_decode_dataclass, kind)
    if origin in (typing.Union, types.UnionType):
        return functools.partial(_decode_union, typing.get_args(kind))
    if origin is tuple:
        return functools.partial(_decode_tuple, typing.get_args(kind)[0])
    if origin is dict:
        return functools.partial(_decode_dict, typing.get_args(kind)[1])
    if kind in PLAIN:
        return functools.partial(_decode_plain, kind)
    return lambda raw: raw


def _decode_tuple(item: Any, raw: Any) -> Any:
    if not isinstance(raw, list | tuple):
        raise ValueError(f"expected a list, found {raw!r}")
    return tuple(map(_decoder(item), raw))


def _decode_dict(item: Any, raw: Any) -> Any:
    decoder = _decoder(item)
    return {key: decoder(each) for key, each in raw.items()}


def _decode_plain(kind: type[Any], raw: Any) -> Any:
    if kind is float and isinstance(raw, int):
        return float(raw)
    if not isinstance(raw, kind):
        raise ValueError(f"expected {kind.__name__}, found {raw!r}")
    return raw


def _decode_union(arms: tuple[Any, ...], raw: Any) -> Any:
    """The one arm that fits best: by its tag where it has one, else by the most fields that the record names."""
    if raw is None and type(None) in arms:
        return None
    told = [arm for arm in arms if arm is not type(None)]
    if len(told) == 1:
        return decode(told[0], raw)
    fitting = [(_fit(arm, raw), found) for arm in told for found in _decoded(arm, raw)]
    best = [found for fit, found in fitting if fit == max(each for each, _ in fitting)]
    if len(best) != 1:
        names = ", ".join(str(getattr(arm, "__name__", arm)) for arm in told)
        raise ValueError(f"expected one of {names}, found {raw!r}, which fits {len(best)} of them")
    return best[0]


def _decoded(arm: Any, raw: Any) -> list[Any]:
    try:
        return [decode(arm, raw)]
    except (ValueError, TypeError, KeyError, AttributeError):
        return []


def _fit(arm: Any, raw: Any) -> tuple[bool, int]:
    """How well an arm fits: its `kind` or `schema` is the record's, or its type is the very one; then fields known."""
    if not dataclasses.is_dataclass(arm):
        return type(raw) is arm, 0
    fields = {field.name: field.default for field in dataclasses.fields(arm)}
    tagged = any(tag in raw and raw[tag] == fields.get(tag, dataclasses.MISSING) for tag in TAGS)
    return tagged, len(fields.keys() & raw.keys())


@functools.cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


@functools.cache
def _decoders(kind: Any) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
    """Of the fields of a kind, by their names."""
    hints = typing.get_type_hints(kind)
    return tuple((name, _decoder(hints[name])) for name in _names(kind))


def _tagged(kind: type[Any], raw: dict[str, Any]) -> type[Any]:
    """Of a class whose subclasses are told apart, the one whose tag the record has."""
    if Tagged not in kind.__bases__:
        return kind
    tag = raw.get(TAGGED_BY)
    import_module(REGISTRY)
    found = next((each for each in kind.__subclasses__() if tag in each.TAGS), None)
    if found is None:
        known = ", ".join(sorted(each for arm in kind.__subclasses__() for each in arm.TAGS))
        raise ValueError(f"{TAGGED_BY} is {tag!r}, which this edition does not know; it knows {known}")
    return found


def _decode_dataclass(kind: Any, raw: Any) -> Any:
    if not isinstance(raw, dict):
        raise ValueError(f"expected {kind.__name__}, found {raw!r}")
    kind = _tagged(kind, raw)
    return kind(**{name: decoder(raw[name]) for name, decoder in _decoders(kind) if name in raw})
