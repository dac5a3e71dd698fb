"""Which operation a request is, and with which parameters: by botocore's service models, for every protocol.

Source: Smithy specification, "AWS protocols"; moto's own router and parsers read the models, so a request is named
here exactly as moto will carry it out. Parameters have the names boto3 uses. Bodies of objects are left out, and what
the models mark sensitive is starred.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model
from werkzeug.exceptions import NotFound

STARRED = "***"

CLIENT_NAMES = {
    "monitoring": "cloudwatch",
    "tagging": "resourcegroupstaggingapi",
    "servicequotas": "service-quotas",
    "states": "stepfunctions",
    "email": "ses",
    "elasticfilesystem": "efs",
}
"""Signing name -> boto3's client name, where they differ."""

PREFIXES = {"monitoring": "cloudwatch", "tagging": "tag"}
"""Signing name -> prefix of IAM actions, where they differ."""

SECRETS = frozenset(
    {"MasterUserPassword", "SecretString", "SecretBinary", "Password", "NewPassword", "OldPassword", "Plaintext"}
)
"""Starred also where the models do not mark them."""

RECORDED_TEXT_MAX = 2_000
"""Characters of one value in the call record."""


@dataclass(frozen=True)
class Operation:
    """One request, named: boto3's client name, the operation, IAM's prefix, the protocol, the parameters."""

    service: str
    name: str
    prefix: str
    protocol: str
    params: dict[str, Any]
    sensitive: frozenset[str] = frozenset()

    @property
    def recorded(self) -> dict[str, Any]:
        """The parameters as the call record may hold them."""
        return {name: _recordable(name, value, self.sensitive) for name, value in self.params.items()}

    @property
    def reads_only(self) -> bool:
        """Whether it can be carried out again without harm."""
        return self.name.startswith(("Get", "List", "Describe", "Head", "Query", "Scan", "BatchGet"))


class UnknownOperation(Exception):
    """No operation of the service matches the request."""


def client_name(signing_name: str, environ: Mapping[str, Any], request: Request | None = None) -> str:
    """boto3's name of the service that a signing name and the request mean."""
    if signing_name == "s3" and str(environ.get("PATH_INFO", "")).startswith("/v20180820/"):
        return "s3control"
    if signing_name == "dynamodb" and str(environ.get("HTTP_X_AMZ_TARGET", "")).startswith("DynamoDBStreams"):
        return "dynamodbstreams"
    if signing_name == "elasticloadbalancing":
        classic = request is not None and request.values.get("Version") == "2012-06-01"
        return "elb" if classic else "elbv2"
    return CLIENT_NAMES.get(signing_name, signing_name)


@cache
def protocol_of(service: str) -> str:
    """The protocol a service's refusals are written in; what nobody knows gets XML."""
    try:
        return str(get_service_model(service).protocol)
    except Exception:
        return "query"


def resolve(signing_name: str, request: Request, body: bytes) -> Operation:
    """Name the request; raises UnknownOperation."""
    service = client_name(signing_name, request.environ, request)
    try:
        model = get_service_model(service)
        protocol = determine_request_protocol(model, request.content_type)
        operation, uri = get_service_router(service).match(request)
    except (NotFound, NotImplementedError) as problem:
        raise UnknownOperation(f"{request.method} {request.path}") from problem
    except Exception as problem:
        raise UnknownOperation(f"the service {service} is not known") from problem
    name = str(operation.name)
    params = _parse(operation, protocol, request, uri, body)
    prefix = PREFIXES.get(signing_name, signing_name)
    return Operation(service, _s3_name(service, name, request), prefix, protocol, params, sensitive_members(operation))


def _s3_name(service: str, name: str, request: Request) -> str:
    """A PUT is a copy by one header alone, which the router weighs but a client may leave empty."""
    if service == "s3" and name in ("PutObject", "UploadPart") and request.headers.get("x-amz-copy-source"):
        return "CopyObject" if name == "PutObject" else "UploadPartCopy"
    return name


def _parse(operation: Any, protocol: str, request: Request, uri: dict[str, Any], body: bytes) -> dict[str, Any]:
    streaming = _streaming_member(operation)
    parser: Callable[..., Any] = PROTOCOL_PARSERS[protocol]
    try:
        found = parser(operation).parse(
            {
                "method": request.method,
                "values": request.values,
                "headers": request.headers,
                "body": b"" if streaming else body,
                "url_path": request.path,
                "url_params": uri,
            }
        )
    except Exception:
        return dict(uri)
    return {str(name): value for name, value in dict(found).items() if value is not None and value != {}}


def _streaming_member(operation: Any) -> bool:
    shape = operation.input_shape
    payload = shape.serialization.get("payload") if shape is not None else None
    return bool(payload) and shape.members[payload].type_name == "blob"


@cache
def _sensitive(service: str, name: str) -> frozenset[str]:
    shape = get_service_model(service).operation_model(name).input_shape
    found: set[str] = set(SECRETS)
    seen: set[str] = set()

    def walk(current: Any) -> None:
        if current is None or current.name in seen:
            return
        seen.add(current.name)
        if current.type_name == "structure":
            for member, inner in current.members.items():
                if inner.metadata.get("sensitive"):
                    found.add(member)
                walk(inner)
        elif current.type_name == "list":
            walk(current.member)
        elif current.type_name == "map":
            walk(current.value)

    walk(shape)
    return frozenset(found)


def sensitive_members(operation: Any) -> frozenset[str]:
    """Names of members whose values are secrets, by the service's own model."""
    return _sensitive(str(operation.service_model.service_name), str(operation.name))


def _recordable(name: str, value: Any, sensitive: frozenset[str]) -> Any:
    if name in sensitive:
        return STARRED
    if isinstance(value, Mapping):
        return {str(key): _recordable(str(key), inner, sensitive) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_recordable(name, inner, sensitive) for inner in value]
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    if isinstance(value, str) and len(value) > RECORDED_TEXT_MAX:
        return f"{value[:RECORDED_TEXT_MAX]}... ({len(value)} characters)"
    return value
