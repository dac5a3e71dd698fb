"""The monitor the Pulumi SDK talks to while a program runs: every registration becomes a step of the deployment.

It answers what the engine of Pulumi answers over gRPC, in this process. The SDK calls it from several threads; what
touches the state is done under a lock, calls to AWS are not.
"""

from __future__ import annotations

import re
from typing import Any

from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import resource_pb2

from pilotlight.engine.providers import is_provider
from pilotlight.engine.steps import Goal, Steps
from pilotlight.engine.transforms import Transforms
from pilotlight.engine.urns import aliases, make
from pilotlight.engine.values import clean, has_unknown

FEATURES = (
    resource_pb2.RESOURCE_MONITOR_FEATURE_SECRETS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_REFERENCES,
    resource_pb2.RESOURCE_MONITOR_FEATURE_ALIAS_SPECS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_TRANSFORMS,
)
"""What is answered for; output values stay off, so that inputs arrive as plain values with secrets marked."""

TIMEOUTS = ("create", "update", "delete")
UNIT_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
DURATION = re.compile(r"([\d.]+)(ms|h|m|s)")


class Monitor:
    """Answers the SDK; `steps` does the work."""

    def __init__(self, stack: str, project: str, steps: Steps) -> None:
        self.stack, self.project, self.steps = stack, project, steps
        self.transforms = Transforms()

    # -- what the SDK asks before a program runs -------------------------------------------------------------

    def GetDeploymentInfo(self, request: Any) -> Any:  # noqa: N802 - the gRPC service's name
        return resource_pb2.DeploymentInfo(supportedFeatures=FEATURES)

    def SupportsFeature(self, request: Any) -> Any:  # noqa: N802
        return resource_pb2.SupportsFeatureResponse(
            hasSupport=request.id in ("secrets", "resourceReferences", "aliasSpecs", "transforms")
        )

    def RegisterPackage(self, request: Any) -> Any:  # noqa: N802
        return resource_pb2.RegisterPackageResponse(ref=request.name)

    def SignalAndWaitForShutdown(self, request: Any) -> Any:  # noqa: N802
        return empty_pb2.Empty()

    # -- what a program does -----------------------------------------------------------------------------------

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802
        urn = make(self.stack, self.project, request.parent, request.type, request.name)
        request = self.steps.act("transformed", urn, lambda: self.transforms.applied(urn, request))
        goal = self._goal(urn, request)
        if not request.custom:
            self.steps.component(goal)
            return resource_pb2.RegisterResourceResponse(urn=urn, object=request.object)
        done = self.steps.provider(goal) if is_provider(goal.type) else self.steps.custom(goal)
        return resource_pb2.RegisterResourceResponse(urn=urn, id=done.id, object=_struct(done.outputs))

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
        self.steps.outputs(request.urn, _plain(request.outputs))
        return empty_pb2.Empty()

    def RegisterStackTransform(self, request: Any) -> Any:  # noqa: N802
        self.transforms.add_to_stack(request)
        return empty_pb2.Empty()

    def ReadResource(self, request: Any) -> Any:  # noqa: N802
        urn = make(self.stack, self.project, request.parent, request.type, request.name)
        goal = Goal(
            urn=urn,
            type=request.type,
            name=request.name,
            inputs=_plain(request.properties),
            parent=request.parent,
            provider=request.provider,
            version=request.version,
            dependencies=tuple(sorted(set(request.dependencies))),
            additional_secrets=tuple(request.additionalSecretOutputs),
        )
        outputs = self.steps.read(goal, request.id)
        return resource_pb2.ReadResourceResponse(urn=urn, properties=_struct(outputs))

    def Invoke(self, request: Any) -> Any:  # noqa: N802
        arguments = _plain(request.args)
        if has_unknown(arguments):
            return resource_pb2.ResourceInvokeResponse(**{"return": _struct({})})
        answer = self.steps.invoke(request.tok, arguments, request.provider)
        return resource_pb2.ResourceInvokeResponse(**{"return": _struct(answer)})

    def _goal(self, urn: str, request: Any) -> Goal:
        timeouts = request.customTimeouts
        wanted = {name: _seconds(getattr(timeouts, name)) for name in TIMEOUTS if getattr(timeouts, name)}
        return Goal(
            urn=urn,
            type=request.type,
            name=request.name,
            inputs=_plain(request.object),
            parent=request.parent,
            provider=request.provider,
            version=request.version,
            dependencies=tuple(sorted(set(request.dependencies))),
            property_dependencies={
                key: sorted(each.urns) for key, each in request.propertyDependencies.items() if each.urns
            },
            aliases=tuple(aliases(urn, request, self.steps.renamed)),
            ignore_changes=tuple(request.ignoreChanges),
            replace_on_changes=tuple(request.replaceOnChanges),
            additional_secrets=tuple(request.additionalSecretOutputs),
            protect=request.protect,
            retain_on_delete=request.retainOnDelete,
            delete_before_replace=request.deleteBeforeReplace if request.deleteBeforeReplaceDefined else None,
            import_id=request.importId,
            timeouts=wanted,
        )


def _seconds(text: str) -> float:
    """A duration of Go: `1h30m`, `90s`."""
    return sum(float(number) * UNIT_SECONDS[unit] for number, unit in DURATION.findall(text))


def _plain(struct: Any) -> dict[str, Any]:
    found = clean(json_format.MessageToDict(struct))
    return found if isinstance(found, dict) else {}


def _struct(values: dict[str, Any]) -> Any:
    struct = struct_pb2.Struct()
    json_format.ParseDict(values, struct)
    return struct
