"""A test double of providers: the real engine's resources, served by the classes of the embedded engine, which make the
calls of the real provider here (as_provider.py).

Pulumi's provider protocol (pulumi/pulumi, proto/pulumi/provider.proto) over the SDK's own servicer, in the process of
the test, so that the AWS calls go wherever its environment points. The real engine attaches to it
(PULUMI_DEBUG_PROVIDERS) and never looks for the real one. It knows no schema: what programs send is not checked here.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import grpc
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from pilotlight.engine import providers
from pilotlight.engine.acts import Invokes
from pilotlight.engine.diff import REPLACE, SAME, compare, keep_ignored
from pilotlight.engine.invokes import INVOKES
from pilotlight.engine.provider import Place, ResourceType
from pilotlight.engine.resources import TYPES
from pilotlight.engine.values import DEFAULTS, clean, reveal
from pilotlight.runtime.errors import PilotlightError
from support.asks_as_provider import as_provider

VERSION = "7.51.1"
CHANGED, REPLACED = provider_pb2.PropertyDiff.UPDATE, provider_pb2.PropertyDiff.UPDATE_REPLACE
OUTPUTS = {"id", "arn", "region"}
"""What an import finds out and no program says."""
REGION_CONFIG = "aws:config:region"


class StandIn(provider_pb2_grpc.ResourceProviderServicer):
    """One package for all stacks; each resource says its region, or the provider that it names does. The engine opens
    a connection for each provider that a program makes, and configures it there: that is how they are told apart."""

    def __init__(self, types: Mapping[str, ResourceType], invokes: Invokes, region: str) -> None:
        self._types, self._invokes = types, invokes
        self._anywhere = Place(region, random.Random())
        self._configured: dict[str, Place] = {}
        """By the connection's other end."""

    # -- the provider itself -----------------------------------------------------------------------------------

    def Handshake(self, request: Any, context: Any) -> Any:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "an older provider: it is asked the older questions")

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version=VERSION)

    def GetSchema(self, request: Any, context: Any) -> Any:
        return provider_pb2.GetSchemaResponse(schema="{}")

    def Attach(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()

    def Cancel(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()

    def CheckConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(self, request: Any, context: Any) -> Any:
        given = plain(request.args)
        region = providers.region(given) or request.variables.get(REGION_CONFIG, "")
        self._configured[context.peer()] = replace(self._anywhere, region=region, role=providers.role(given))
        return provider_pb2.ConfigureResponse(
            acceptSecrets=False, supportsPreview=True, acceptResources=True, acceptOutputs=False
        )

    # -- resources ---------------------------------------------------------------------------------------------

    def Check(self, request: Any, context: Any) -> Any:
        kind, new, old = self._kind(request.urn), plain(request.news), plain(request.olds)
        checked = kind.check(self._place(new, context), name_of(request.urn), new, old or None)
        return provider_pb2.CheckResponse(inputs=struct(checked))

    def Diff(self, request: Any, context: Any) -> Any:
        kind = self._kind(request.urn)
        old, new = plain(request.old_inputs), plain(request.news)
        new = keep_ignored(request.ignoreChanges, old, new)
        found = compare(old, new, kind.replace_on)
        if found.operation == SAME:
            return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)
        replaces = sorted(found.keys & kind.replace_on) if found.operation == REPLACE else []
        return provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_SOME,
            diffs=sorted(found.keys),
            hasDetailedDiff=True,
            detailedDiff={
                path: provider_pb2.PropertyDiff(kind=REPLACED if key in replaces else CHANGED)
                for key in found.keys
                for path in leaves(key, old.get(key), new.get(key))
            },
            replaces=replaces,
            deleteBeforeReplace=bool(replaces) and kind.same_name(old, new),
        )

    def Create(self, request: Any, context: Any) -> Any:
        inputs = plain(request.properties)
        if request.preview:
            return provider_pb2.CreateResponse(id="", properties=struct(inputs))
        kind, place = self._kind(request.urn), self._place(inputs, context)
        id_, outputs = self._act(context, lambda: kind.create(place, without_defaults(inputs)))
        return provider_pb2.CreateResponse(id=id_, properties=struct(inputs | outputs))

    def Read(self, request: Any, context: Any) -> Any:
        inputs = plain(request.inputs)
        kind = self._kind(request.urn)
        found = self._act(
            context, lambda: kind.read(self._place(inputs, context), request.id, without_defaults(inputs))
        )
        if found is None:
            return provider_pb2.ReadResponse(id="")
        known = plain(request.properties) | {key: value for key, value in found.items() if value is not None}
        given = {key: known[key] for key in inputs or known.keys() - OUTPUTS if key in known}
        return provider_pb2.ReadResponse(id=request.id, properties=struct(known), inputs=struct(given))

    def Update(self, request: Any, context: Any) -> Any:
        old, new = plain(request.old_inputs), plain(request.news)
        if request.preview:
            return provider_pb2.UpdateResponse(properties=struct(plain(request.olds) | new))
        kind, place = self._kind(request.urn), self._place(new, context)
        before = plain(request.olds) | without_defaults(old)
        outputs = self._act(context, lambda: kind.update(place, request.id, before, without_defaults(new)))
        return provider_pb2.UpdateResponse(properties=struct(new | outputs))

    def Delete(self, request: Any, context: Any) -> Any:
        outputs = plain(request.properties)
        self._act(context, lambda: self._kind(request.urn).delete(self._place(outputs, context), request.id, outputs))
        return empty_pb2.Empty()

    def Invoke(self, request: Any, context: Any) -> Any:
        arguments = plain(request.args)
        found = self._act(context, lambda: self._invokes[request.tok](self._place(arguments, context), arguments))
        return provider_pb2.InvokeResponse(**{"return": struct(found)})

    # -- parts -------------------------------------------------------------------------------------------------

    def _kind(self, urn: str) -> ResourceType:
        return self._types[urn.split("::")[2].rpartition("$")[2]]

    def _place(self, properties: dict[str, Any], context: Any) -> Place:
        place = self._configured.get(context.peer(), self._anywhere)
        return replace(place, region=str(properties.get("region") or place.region))

    def _act(self, context: Any, act: Any) -> Any:
        """Errors are told in one sentence, as a provider's are."""
        try:
            return act()
        except PilotlightError as problem:
            context.abort(grpc.StatusCode.UNKNOWN, problem.message)
        except Exception as problem:
            context.abort(grpc.StatusCode.UNKNOWN, f"{type(problem).__name__}: {problem}")


@contextmanager
def serving(
    types: Mapping[str, ResourceType] | None = None, invokes: Invokes = INVOKES, region: str = ""
) -> Iterator[int]:
    """The port of a provider that serves until the end; `region` is where what names none is. Without `types` it is
    pulumi-aws."""
    types = as_provider(TYPES) if types is None else types
    server = grpc.server(ThreadPoolExecutor(16))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(StandIn(types, invokes, region), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(1).wait()


def plain(given: Any) -> dict[str, Any]:
    """A struct as a resource class takes it: secrets revealed, what is not known yet left as Pulumi's mark."""
    return dict(reveal(clean(json_format.MessageToDict(given))))


def leaves(path: str, old: Any, new: Any) -> Iterator[str]:
    """Property paths of what differs, as deep as both sides go."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old.keys() | new.keys():
            yield from leaves(f"{path}.{key}", old.get(key), new.get(key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from leaves(f"{path}[{number}]", before, after)
    elif old != new:
        yield path


def without_defaults(inputs: dict[str, Any]) -> dict[str, Any]:
    """The inputs alone."""
    return {key: value for key, value in inputs.items() if key != DEFAULTS}


def struct(values: dict[str, Any]) -> Any:
    """Values as the wire has them."""
    made = struct_pb2.Struct()
    json_format.ParseDict({key: value for key, value in values.items() if value is not None}, made)
    return made


def name_of(urn: str) -> str:
    """A URN's logical name."""
    return urn.rpartition("::")[2]
