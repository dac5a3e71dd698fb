"""A value that AWS does not list: botocore sends it, the embedded cloud may take it, and the deployment fails later."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.parsers import EC2QueryParser, JSONParser, ResponseParser
from botocore.session import Session
from raw_answers import gaps

from pilotlight.deploy import archive
from pilotlight.deploy.current import current_inventory
from pilotlight.deploy.operations import Operations
from pilotlight.engine.embedded import Engine
from pilotlight.local.handle import LocalCloud
from pilotlight.local.kernel.cloud import ACCOUNT
from pilotlight.runtime.aws.boto import BotoClient
from pilotlight.runtime.clock import SystemClock
from pilotlight.workload.load import load

EXAMPLE = Path(__file__).parents[2] / "examples/inference-service"
CONFIG = {"inference-service:standbyRegion": "us-west-2"}
CALLS_MIN = 250

pytestmark = pytest.mark.timeout(300)
"""Everything is made, and looked at again, once for all of them."""


def unlisted(where: str, shape: Shape | None, value: Any) -> Iterator[str]:
    """Every string that is none of those which its shape lists."""
    if isinstance(shape, StructureShape):
        for name, part in value.items():
            yield from unlisted(f"{where}.{name}", shape.members[name], part)
    elif isinstance(shape, ListShape):
        for part in value:
            yield from unlisted(where, shape.member, part)
    elif isinstance(shape, MapShape):
        for part in value.values():
            yield from unlisted(where, shape.value, part)
    elif getattr(shape, "enum", None) and value not in shape.enum:  # type: ignore[union-attr]
        yield f"{where}: {value!r} is none of {', '.join(shape.enum)}"  # type: ignore[union-attr]


AWS_SAYS_SO = {
    "CreateVpcEndpointResult.vpcEndpoint.state: 'available'": "EC2 User Guide, DescribeVpcEndpoints with the CLI",
    "DescribeVpcEndpointsResult.vpcEndpointSet.state: 'available'": "EC2 User Guide, DescribeVpcEndpoints with the CLI",
    "DescribeInternetGatewaysResult.internetGatewaySet.attachmentSet.state: 'available'": (
        "EC2 API Reference, InternetGatewayAttachment: available when attached to a VPC"
    ),
}
"""Where AWS itself answers otherwise than the model that botocore has of it."""


@dataclass
class Wire:
    """Operation, its input's shape and its parameters, of every call; and what each answer says otherwise than AWS's
    model."""

    sent: list[tuple[str, Shape | None, dict[str, Any]]] = field(default_factory=list)
    gaps: set[str] = field(default_factory=set)
    answers: int = 0


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    """Of everything that makes the example, protects it, and looks at all of it again."""
    found = Wire()
    make, parse = BaseClient._make_api_call, ResponseParser.parse

    def noting(self: Any, operation: str, parameters: dict[str, Any]) -> Any:
        model = self.meta.service_model
        found.sent.append(
            (f"{model.service_name}.{operation}", model.operation_model(operation).input_shape, parameters)
        )
        return make(self, operation, parameters)

    def reading(self: Any, response: dict[str, Any], shape: Shape | None) -> Any:
        found.gaps |= set(gaps(self, response, shape))
        found.answers += 1
        return parse(self, response, shape)

    patch, folder = pytest.MonkeyPatch(), tmp_path_factory.mktemp("sent")
    with LocalCloud.start(folder / "cloud") as cloud, patch.context() as patched:
        cloud.hold_schedules()
        for name, value in cloud.environment().items():
            patched.setenv(name, value)
        patched.setattr(BaseClient, "_make_api_call", noting)
        patched.setattr(ResponseParser, "parse", reading)
        Engine(folder / "theirs", "inference-service").update("example", EXAMPLE, CONFIG, region="us-east-1")
        inventory = current_inventory(load(EXAMPLE / "workload.yaml"), ACCOUNT, BotoClient(), SystemClock())
        engine = Engine(folder / "states", inventory.names.project)
        acts = Operations(inventory, engine)
        acts.up(BotoClient(), archive.build(folder))
        acts.refresh(False)
        yield found


@pytest.fixture
def sent(wire: Wire) -> list[tuple[str, Shape | None, dict[str, Any]]]:
    return wire.sent


def test_every_value_is_one_that_aws_lists(sent: list[tuple[str, Shape | None, dict[str, Any]]]) -> None:
    problems = {problem for name, shape, parameters in sent for problem in unlisted(name, shape, parameters)}
    assert problems == set() and len(sent) > CALLS_MIN


def test_a_value_that_is_not_listed_is_found(sent: list[tuple[str, Shape | None, dict[str, Any]]]) -> None:
    shape = next(shape for name, shape, _ in sent if name == "s3.PutBucketVersioning")
    assert list(unlisted("it", shape, {"Bucket": "b", "VersioningConfiguration": {"Status": "On"}}))


def test_the_embedded_cloud_says_nothing_that_aws_does_not(wire: Wire) -> None:
    """Whoever parses answers without botocore, as Pulumi's provider does, sees what botocore drops."""
    ours = [each for each in sorted(wire.gaps) if not each.startswith(tuple(AWS_SAYS_SO))]
    assert ours == [] and wire.answers > CALLS_MIN


XML = b"<DescribeVpcsResponse><requestId>1</requestId><vpcSet><item>%s</item></vpcSet></DescribeVpcsResponse>"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (XML % b"<vpcId>vpc-1</vpcId><state>available</state><isDefault>false</isDefault>", []),
        (XML % b"<vpcID>vpc-1</vpcID>", ["vpcSet.vpcID: is not in AWS's model"]),
        (XML % b"<state>up</state>", ["vpcSet.state: 'up' is none of"]),
        (XML % b"<isDefault>no</isDefault>", ["vpcSet.isDefault: 'no' is no boolean"]),
    ],
)
def test_an_answer_that_says_otherwise_is_found(body: bytes, words: list[str]) -> None:
    shape = Session().get_service_model("ec2").operation_model("DescribeVpcs").output_shape
    found = list(gaps(EC2QueryParser(), {"status_code": 200, "body": body}, shape))
    assert len(found) == len(words) and all(word in each for word, each in zip(words, found, strict=True))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"ARN": "a", "RotationEnabled": True, "Tags": [{"Key": "k", "Value": "v"}]}, ""),
        ({"SecretVersionsToStages": {}}, "SecretVersionsToStages: is not in AWS's model"),
        ({"RotationEnabled": "yes"}, "'yes' is no boolean"),
        ({"Tags": {}}, "{} is no list"),
    ],
)
def test_an_answer_in_json_that_says_otherwise_is_found(said: dict[str, Any], words: str) -> None:
    shape = Session().get_service_model("secretsmanager").operation_model("DescribeSecret").output_shape
    found = list(gaps(JSONParser(), {"status_code": 200, "body": json.dumps(said).encode()}, shape))
    assert words in found[0] if words else found == []
