"""An input that AWS does not know, or that Pulumi's provider has given up, fails in the user's own account alone.

The classes of pulumi_aws are made from the provider's own schema: what they say is what `pulumi up` accepts.
"""

from __future__ import annotations

import collections.abc
import enum
import importlib
import inspect
import warnings
from collections.abc import Iterator
from typing import Any, Union, get_args, get_origin

import pulumi
import pulumi_aws
import pytest
from pulumi import _types
from stack_recording import Recording, Registered

MODULES = {"lambda": "lambda_"}
SCALARS = (str, int, float, bool)


@pytest.fixture(scope="module")
def registered(request: pytest.FixtureRequest) -> list[Registered]:
    """Of every stack, with the vault in the workload's account and in one of its own."""
    names = [f"{stack}{where}" for stack in ("vault", "primary", "standby") for where in ("", "_apart")]
    recordings: list[Recording] = [request.getfixturevalue(name) for name in names]
    return [each for one in recordings for each in one.custom]


def resource_of(type_: str) -> type:
    """The SDK's class of `aws:s3/bucket:Bucket`."""
    package, path, name = type_.split(":")
    assert package == "aws", f"{type_} is not of the AWS provider"
    module = path.split("/")[0]
    found: type = getattr(importlib.import_module(f"pulumi_aws.{MODULES.get(module, module)}"), name)
    return found


def arguments_of(type_: str) -> type:
    """The class of its arguments, which has another name where a nested input took it."""
    resource = resource_of(type_)
    module = importlib.import_module(resource.__module__)
    names = [f"{resource.__name__}InitArgs", f"{resource.__name__}Args"]
    found: type = next(getattr(module, name) for name in names if hasattr(module, name))
    return found


def wrong(where: str, arguments: type, given: dict[str, Any]) -> Iterator[str]:
    """Everything that the SDK's types say against these inputs."""
    names = _types.input_type_py_to_pulumi_names(arguments)
    types = _types.input_type_types(arguments)
    for key, value in given.items():
        if key not in types:
            yield f"{where}: {key} is no input of {arguments.__name__}"
            continue
        if is_deprecated(arguments, key):
            yield f"{where}: {key} is deprecated"
        yield from unfit(f"{where}.{key}", types[key], value)
    for name, parameter in inspect.signature(arguments.__init__).parameters.items():  # type: ignore[misc]
        if name in names and parameter.default is parameter.empty and given.get(names[name]) is None:
            yield f"{where}: {names[name]} is required"


def is_deprecated(arguments: type, key: str) -> bool:
    """Whether the SDK marks the property so."""
    found = [each for each in vars(arguments).values() if isinstance(each, property) and each.fget]
    mine = next(each.fget for each in found if getattr(each.fget, "_pulumi_name", "") == key)
    return hasattr(mine, "_pulumi_deprecated_callable")


def unfit(where: str, expected: Any, value: Any) -> Iterator[str]:
    """What does not fit; a value that is known only later, or an asset, fits everywhere."""
    if value is None or isinstance(value, pulumi.Asset | pulumi.Archive):
        return
    choices = [each for each in alternatives(expected) if each is not type(None)]
    found = [list(unfit_alone(where, each, value)) for each in choices]
    if found and all(found):
        yield from min(found, key=len)


def alternatives(expected: Any) -> Iterator[Any]:
    """The members of a union that a value may be; Inputs without their promises."""
    if get_origin(expected) is Union or type(expected).__name__ == "UnionType":
        for each in get_args(expected):
            yield from alternatives(each)
    elif get_origin(expected) not in (collections.abc.Awaitable, pulumi.Output):
        yield expected


def unfit_alone(where: str, expected: Any, value: Any) -> Iterator[str]:
    origin = get_origin(expected)
    if _types.is_input_type(expected) if isinstance(expected, type) else False:
        if isinstance(value, dict):
            yield from wrong(where, expected, value)
        else:
            yield f"{where}: an object of {expected.__name__} is wanted, and {value!r} is given"
    elif origin is not None and issubclass(origin, collections.abc.Mapping):
        if not isinstance(value, dict):
            yield f"{where}: a map is wanted, and {value!r} is given"
    elif origin is not None and issubclass(origin, collections.abc.Sequence):
        if isinstance(value, list):
            for each in value:
                yield from unfit(where, get_args(expected)[0], each)
        else:
            yield f"{where}: a list is wanted, and {value!r} is given"
    elif isinstance(expected, type) and issubclass(expected, enum.Enum):
        if value not in [each.value for each in expected]:
            yield f"{where}: {value!r} is none of {', '.join(str(each.value) for each in expected)}"
    elif expected in SCALARS and not is_scalar(expected, value):
        yield f"{where}: {expected.__name__} is wanted, and {value!r} is given"


def is_scalar(expected: type, value: Any) -> bool:
    """Numbers of the wire are floats; a whole one is an integer."""
    if expected is int:
        return not isinstance(value, bool) and isinstance(value, int | float) and value == int(value)
    if expected is float:
        return not isinstance(value, bool) and isinstance(value, int | float)
    return isinstance(value, expected)


def test_every_input_is_one_that_the_provider_takes(registered: list[Registered]) -> None:
    problems = [problem for each in registered for problem in wrong(each.name, arguments_of(each.type), each.inputs)]
    assert problems == [] and len(registered) > 90


def test_no_resource_type_is_deprecated(registered: list[Registered]) -> None:
    """The SDK warns where a class of its own is made whose type it has given up."""
    old = [each.type for each in registered if has_given_up(resource_of(each.type))]
    assert old == [] and has_given_up(pulumi_aws.s3.BucketV2)


def has_given_up(resource: type) -> bool:
    source = inspect.getsource(resource)
    return "warnings.warn(" in source.partition("def __init__")[0]


@pytest.mark.parametrize(
    ("type_", "inputs", "said"),
    [
        ("aws:s3/bucket:Bucket", {"colour": "red"}, "colour is no input"),
        ("aws:s3/bucket:Bucket", {"acl": "private"}, "acl is deprecated"),
        ("aws:s3/bucket:Bucket", {"tags": ["a"]}, "a map is wanted"),
        ("aws:kms/key:Key", {"enableKeyRotation": "yes"}, "bool is wanted"),
        ("aws:kms/alias:Alias", {"name": "alias/it"}, "targetKeyId is required"),
        (
            "aws:s3/bucketVersioning:BucketVersioning",
            {"bucket": "b", "versioningConfiguration": {}},
            "status is required",
        ),
        ("aws:ec2/securityGroup:SecurityGroup", {"ingress": [{"fromPort": 1.5}]}, "int is wanted"),
    ],
)
def test_what_is_wrong_is_said(type_: str, inputs: dict[str, Any], said: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert any(said in problem for problem in wrong("it", arguments_of(type_), inputs))
