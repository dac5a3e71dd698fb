"""An answer as it came over the wire, against the shape that AWS's model gives it.

boto3 drops what its model does not know, so nobody who asks through it sees that an answer says too much, says it in
another place, or says a word that AWS has not. Whoever parses for themselves (the provider) does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.parsers import BaseJSONParser, BaseXMLResponseParser, QueryParser

BESIDE = frozenset({"ResponseMetadata", "requestId", "RequestId", "__type"})
"""What every answer may have around its shape (AWS Query and JSON protocols)."""
HEADERS = ("header", "headers", "statusCode")


def gaps(parser: Any, response: dict[str, Any], shape: Shape | None) -> Iterator[str]:
    """Everything in the body that the shape does not have, or has otherwise."""
    if shape is None or response["status_code"] >= 300 or not response["body"]:
        return
    payload = shape.serialization.get("payload") if isinstance(shape, StructureShape) else None
    inner = shape.members[payload] if payload and isinstance(shape, StructureShape) else shape
    if inner.type_name in ("blob", "string"):
        return
    if isinstance(parser, BaseJSONParser):
        yield from _json(shape.name, inner, json.loads(response["body"]))
    elif isinstance(parser, BaseXMLResponseParser):
        root = ElementTree.fromstring(response["body"])
        if isinstance(parser, QueryParser) and "resultWrapper" in shape.serialization:
            root = next(each for each in root if _tag(each) == shape.serialization["resultWrapper"])
        yield from _xml(shape.name, inner, root)


def _members(shape: StructureShape) -> dict[str, Shape]:
    """By the name on the wire; those that are headers are none of the body's."""
    found: dict[str, Shape] = {}
    for name, member in shape.members.items():
        if member.serialization.get("location") not in HEADERS:
            flat = isinstance(member, ListShape) and member.serialization.get("flattened")
            inside = member.member.serialization.get("name") if flat else None  # type: ignore[attr-defined]
            found[str(inside or member.serialization.get("name", name))] = member
    return found


# -- JSON ------------------------------------------------------------------------------------------------------

KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,), "blob": (str,), "character": (str,), "boolean": (bool,), "integer": (int,), "long": (int,),
    "float": (int, float), "double": (int, float), "timestamp": (int, float, str),
}  # fmt: skip


def _json(where: str, shape: Shape, value: Any) -> Iterator[str]:
    if value is None:
        return
    if isinstance(shape, StructureShape):
        yield from _json_structure(where, shape, value)
    elif isinstance(shape, ListShape):
        for each in value if isinstance(value, list) else ():
            yield from _json(where, shape.member, each)
        if not isinstance(value, list):
            yield f"{where}: {value!r} is no list"
    elif isinstance(shape, MapShape):
        for each in value.values() if isinstance(value, dict) else ():
            yield from _json(where, shape.value, each)
        if not isinstance(value, dict):
            yield f"{where}: {value!r} is no map"
    elif not isinstance(value, KINDS[shape.type_name]) or (isinstance(value, bool) and shape.type_name != "boolean"):
        yield f"{where}: {value!r} is no {shape.type_name}"
    else:
        yield from _listed(where, shape, value)


def _json_structure(where: str, shape: StructureShape, value: Any) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where}: {value!r} is no structure"
        return
    members = _members(shape)
    for name, each in value.items():
        if name in members:
            yield from _json(f"{where}.{name}", members[name], each)
        elif name not in BESIDE:
            yield f"{where}.{name}: is not in AWS's model"


# -- XML -------------------------------------------------------------------------------------------------------


def _xml(where: str, shape: Shape, node: ElementTree.Element) -> Iterator[str]:
    if isinstance(shape, StructureShape):
        yield from _xml_structure(where, shape, node)
    elif isinstance(shape, ListShape):
        wanted = shape.member.serialization.get("name", "member")
        for each in node:
            if _tag(each) == wanted:
                yield from _xml(where, shape.member, each)
            else:
                yield f"{where}.{_tag(each)}: is not in AWS's model, which has {wanted}"
    elif not isinstance(shape, MapShape):
        yield from _text(where, shape, (node.text or "").strip())


def _xml_structure(where: str, shape: StructureShape, node: ElementTree.Element) -> Iterator[str]:
    members = _members(shape)
    for each in node:
        name = _tag(each)
        member = members.get(name)
        if member is None:
            if name not in BESIDE:
                yield f"{where}.{name}: is not in AWS's model"
        elif isinstance(member, ListShape) and member.serialization.get("flattened"):
            yield from _xml(f"{where}.{name}", member.member, each)
        else:
            yield from _xml(f"{where}.{name}", member, each)


def _text(where: str, shape: Shape, text: str) -> Iterator[str]:
    if shape.type_name == "boolean" and text not in ("true", "false"):
        yield f"{where}: {text!r} is no boolean"
    elif shape.type_name in ("integer", "long") and not re.fullmatch(r"-?\d+", text):
        yield f"{where}: {text!r} is no {shape.type_name}"
    else:
        yield from _listed(where, shape, text)


def _tag(node: ElementTree.Element) -> str:
    return node.tag.rpartition("}")[2]


def _listed(where: str, shape: Shape, value: Any) -> Iterator[str]:
    enum = getattr(shape, "enum", None)
    if enum and value not in enum:
        yield f"{where}: {value!r} is none of {', '.join(enum)}"
