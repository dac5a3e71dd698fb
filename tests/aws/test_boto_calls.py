"""A call that AWS does not know fails on the day of the disaster, in the one function that no rehearsal reached."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
from boto_calls import Call, calls
from botocore import xform_name
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape

CALLS_MIN = 300
SESSION = botocore.session.get_session()
SERVICES = frozenset(SESSION.get_available_services())
FOUND = list(calls(SERVICES))


def model(service: str) -> ServiceModel:
    return SESSION.get_service_model(service)


def operation(call: Call) -> Any:
    """The operation's model; KeyError where the service has none of this name."""
    service = model(call.service)
    names = {xform_name(name): name for name in service.operation_names}
    return service.operation_model(names[call.operation])


def wrong(call: Call) -> Iterator[str]:
    """Everything that botocore's own description of the service says against a call."""
    try:
        known = operation(call)
    except KeyError:
        yield f"{call.service} has no operation {call.operation}"
        return
    if known.deprecated:
        yield f"{call.operation} is deprecated"
    shape = known.input_shape
    members = shape.members if shape else {}
    for name, value in call.parameters.items():
        if name not in members:
            yield f"{call.operation} takes no {name}"
        else:
            yield from unfit(f"{call.operation}({name})", members[name], value)
    for name in shape.required_members if shape and call.whole else ():
        if name not in call.parameters:
            yield f"{call.operation} needs {name}"


def unfit(where: str, shape: Shape, value: ast.expr) -> Iterator[str]:
    """Literals that do not fit; what is computed is left to botocore, which looks at it when it is sent."""
    if isinstance(value, ast.Dict) and isinstance(shape, StructureShape):
        keys = {each.value: part for each, part in zip(value.keys, value.values, strict=True)
                if isinstance(each, ast.Constant) and isinstance(each.value, str)}  # fmt: skip
        for name, part in keys.items():
            if name not in shape.members:
                yield f"{where}: {shape.name} has no {name}"
            else:
                yield from unfit(f"{where}.{name}", shape.members[name], part)
        if len(keys) == len(value.keys):
            yield from (f"{where}: {shape.name} needs {name}" for name in shape.required_members if name not in keys)
    elif isinstance(value, ast.List) and isinstance(shape, ListShape):
        for part in value.elts:
            yield from unfit(where, shape.member, part)
    elif isinstance(value, ast.Dict) and not isinstance(shape, MapShape):
        yield f"{where}: {shape.type_name}, and a dictionary is given"
    elif isinstance(value, ast.Constant):
        yield from unfit_constant(where, shape, value.value)


def unfit_constant(where: str, shape: Shape, value: object) -> Iterator[str]:
    """A constant of another type, or that is none of the values that AWS lists."""
    fitting = {
        "string": str,
        "integer": int,
        "long": int,
        "boolean": bool,
        "double": (int, float),
        "float": (int, float),
    }
    if shape.type_name in fitting and not isinstance(value, fitting[shape.type_name]):  # type: ignore[arg-type]
        yield f"{where}: {shape.type_name}, and {value!r} is given"
    elif getattr(shape, "enum", None) and value not in shape.enum:  # type: ignore[attr-defined]
        yield f"{where}: {value!r} is none of {', '.join(shape.enum)}"  # type: ignore[attr-defined]


@pytest.mark.parametrize("service", sorted({each.service for each in FOUND}))
def test_every_call_is_one_that_the_service_describes(service: str) -> None:
    problems = [f"{each.where}: {problem}" for each in FOUND if each.service == service for problem in wrong(each)]
    assert problems == []


def test_the_calls_are_found_at_all() -> None:
    """The search itself: enough calls, in all rooms that make any, of every service that is in use."""
    assert len(FOUND) >= CALLS_MIN
    assert {each.where.split("/")[0] for each in FOUND} >= {
        "runtime",
        "deploy",
        "cli",
        "demo",
    }


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ('s3.copy_objects(Bucket="b")', "no operation"),
        ('s3.copy_object(Bucket="b", Key="k")', "needs CopySource"),
        ('s3.head_bucket(Bucket="b", Colour="red")', "takes no Colour"),
        ('ec2.describe_volumes(Filters=[{"Nom": "tag"}])', "has no Nom"),
        ('ec2.describe_volumes(MaxResults="9")', "integer"),
        ('s3.put_bucket_versioning(Bucket="b", VersioningConfiguration={"Status": "On"})', "none of Enabled"),
        ('s3.put_bucket_replication(Bucket="b", ReplicationConfiguration={"Role": "r"})', "needs Rules"),
    ],
)
def test_what_is_wrong_is_said(call: str, said: str) -> None:
    node = ast.parse(call, mode="eval").body
    assert isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name)
    parameters = {each.arg or "": each.value for each in node.keywords}
    assert any(said in problem for problem in wrong(Call("", node.func.value.id, node.func.attr, parameters, True)))
