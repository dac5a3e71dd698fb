"""A value that AWS does not list: botocore sends it, the embedded cloud may take it, and the deployment fails later."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.model import ListShape, MapShape, Shape, StructureShape

from pilotlight.clock import SystemClock
from pilotlight.cloud.aws import AwsDoor
from pilotlight.deploy import archive
from pilotlight.deploy.current import current_inventory
from pilotlight.deploy.engine import Engine
from pilotlight.deploy.operations import Operations
from pilotlight.local.cloud import ACCOUNT
from pilotlight.local.handle import LocalCloud
from pilotlight.workload.load import load

EXAMPLE = Path(__file__).parents[2] / "examples/inference-service"
CONFIG = {"inference-service:standbyRegion": "us-west-2"}
CALLS_MIN = 250


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


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[tuple[str, Shape | None, dict[str, Any]]]]:
    """Operation, its input's shape and its parameters: of everything that makes the example and protects it."""
    found: list[tuple[str, Shape | None, dict[str, Any]]] = []
    make = BaseClient._make_api_call

    def noting(self: Any, operation: str, parameters: dict[str, Any]) -> Any:
        model = self.meta.service_model
        found.append((f"{model.service_name}.{operation}", model.operation_model(operation).input_shape, parameters))
        return make(self, operation, parameters)

    patch, folder = pytest.MonkeyPatch(), tmp_path_factory.mktemp("sent")
    with LocalCloud.start(folder / "cloud") as cloud, patch.context() as patched:
        for name, value in cloud.environment().items():
            patched.setenv(name, value)
        patched.setattr(BaseClient, "_make_api_call", noting)
        Engine(folder / "theirs", "inference-service").update("example", EXAMPLE, CONFIG, region="us-east-1")
        inventory = current_inventory(load(EXAMPLE / "workload.yaml"), ACCOUNT, AwsDoor(), SystemClock())
        engine = Engine(folder / "states", inventory.names.project)
        Operations(inventory, engine).up(AwsDoor(), archive.build(folder))
        yield found


def test_every_value_is_one_that_aws_lists(sent: list[tuple[str, Shape | None, dict[str, Any]]]) -> None:
    problems = {problem for name, shape, parameters in sent for problem in unlisted(name, shape, parameters)}
    assert problems == set() and len(sent) > CALLS_MIN


def test_a_value_that_is_not_listed_is_found(sent: list[tuple[str, Shape | None, dict[str, Any]]]) -> None:
    shape = next(shape for name, shape, _ in sent if name == "s3.PutBucketVersioning")
    assert list(unlisted("it", shape, {"Bucket": "b", "VersioningConfiguration": {"Status": "On"}}))
