"""Runs a Pulumi program against a recording monitor: what it registers, with inputs and options, and exports."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pulumi
from pulumi.runtime import rpc
from pulumi.runtime.mocks import MockCallArgs, MockMonitor, MockResourceArgs, Mocks
from pulumi.runtime.settings import set_root_resource
from pulumi.runtime.stack import run_in_stack


@dataclass(frozen=True)
class Registered:
    """One resource as registered. `inputs` have their wire names (camelCase)."""

    type: str
    name: str
    inputs: dict[str, Any]
    custom: bool
    parent: str
    protect: bool
    retain: bool
    ignored: tuple[str, ...]
    dependencies: tuple[str, ...]
    provider: str = ""
    """Logical name of the provider that the program made for it."""

    @property
    def is_provider(self) -> bool:
        return self.type.startswith("pulumi:providers:")

    @property
    def kind(self) -> str:
        """The last word of the type."""
        return self.type.rpartition(":")[2]


@dataclass
class Recording:
    """Everything one program registered and exported."""

    resources: list[Registered] = field(default_factory=list)
    exports: dict[str, Any] = field(default_factory=dict)

    def all(self, kind: str) -> list[Registered]:
        return [each for each in self.resources if each.kind == kind and each.custom]

    def one(self, name: str) -> Registered:
        found = [each for each in self.resources if each.name == name and each.custom]
        assert len(found) == 1, f"{name}: {[each.name for each in self.resources]}"
        return found[0]

    def one_of(self, kind: str) -> Registered:
        """The only resource of this kind."""
        found = self.all(kind)
        assert len(found) == 1, f"{kind}: {[each.name for each in found]}"
        return found[0]

    @property
    def custom(self) -> list[Registered]:
        """What is in AWS."""
        return [each for each in self.resources if each.custom and not each.is_provider]


class _Answers(Mocks):
    """Outputs that AWS would compute, recognisable by the resource's logical name."""

    def __init__(self, invokes: dict[str, dict[str, Any]]) -> None:
        self._invokes = invokes

    def new_resource(self, args: MockResourceArgs) -> tuple[str, dict[str, Any]]:
        made = {
            "arn": f"arn:of:{args.name}",
            "keyId": f"key-of-{args.name}",
            "endpoint": f"{args.name}.cluster.example",
            "readerEndpoint": f"{args.name}.cluster-ro.example",
            "port": 5432,
            "dnsName": f"{args.name}.elb.example",
            "zoneId": f"zone-of-{args.name}",
            "url": f"url-of-{args.name}",
        }
        return f"{args.name}-id", made | args.inputs

    def call(self, args: MockCallArgs) -> dict[str, Any]:  # type: ignore[override] # either form is taken
        return self._invokes[args.token]


class _Monitor(MockMonitor):
    def __init__(self, mocks: Mocks, recording: Recording) -> None:
        super().__init__(mocks)
        self.recording = recording

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the SDK's name
        if request.type != "pulumi:pulumi:Stack":
            self.recording.resources.append(_registered(request))
        return super().RegisterResource(request)

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802 - the SDK's name
        if request.urn.split("::")[2] == "pulumi:pulumi:Stack":
            self.recording.exports.update(rpc.deserialize_properties(request.outputs))
        return super().RegisterResourceOutputs(request)


def _registered(request: Any) -> Registered:
    return Registered(
        type=request.type,
        name=request.name,
        inputs=rpc.deserialize_properties(request.object),
        custom=request.custom,
        parent=request.parent,
        protect=request.protect,
        retain=request.retainOnDelete,
        ignored=tuple(request.ignoreChanges),
        dependencies=tuple(sorted(urn.rpartition("::")[2] for urn in request.dependencies)),
        provider=request.provider.rpartition("::")[0].rpartition("::")[2],
    )


def record(
    program: Callable[[], None],
    invokes: dict[str, dict[str, Any]] | None = None,
    config: dict[str, str] | None = None,
    stack: str = "test",
) -> Recording:
    """Run the program to its end; a failure inside it is raised here."""
    recording = Recording()
    mocks = _Answers(invokes or {})
    asyncio.set_event_loop(asyncio.new_event_loop())
    pulumi.runtime.set_mocks(mocks, "inference-service", stack, False, monitor=_Monitor(mocks, recording))
    pulumi.runtime.set_all_config(config or {})
    set_root_resource(None)  # set_mocks made one and finished it; the program gets a stack of its own
    asyncio.get_event_loop().run_until_complete(run_in_stack(program))
    return recording
