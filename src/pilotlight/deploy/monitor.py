"""The monitor the Pulumi SDK talks to while a program runs: every registration becomes a step of the deployment.

It answers what the engine of Pulumi answers over gRPC, in this process. The SDK calls it from several threads; what
touches the state is done under a lock, calls to AWS are not.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import resource_pb2

from pilotlight.deploy.steps import Goal, Steps
from pilotlight.deploy.urns import STACK_TYPE, aliases, make
from pilotlight.deploy.values import clean, has_unknown, reveal

FEATURES = (
    resource_pb2.RESOURCE_MONITOR_FEATURE_SECRETS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_REFERENCES,
    resource_pb2.RESOURCE_MONITOR_FEATURE_ALIAS_SPECS,
)
"""What is answered for; output values stay off, so that inputs arrive as plain values with secrets marked."""


class Monitor:
    """Answers the SDK; `steps` does the work."""

    def __init__(self, stack: str, project: str, steps: Steps) -> None:
        self.stack, self.project, self.steps = stack, project, steps

    # -- what the SDK asks before a program runs -------------------------------------------------------------

    def GetDeploymentInfo(self, request: Any) -> Any:  # noqa: N802 - the gRPC service's name
        return resource_pb2.DeploymentInfo(supportedFeatures=FEATURES)

    def SupportsFeature(self, request: Any) -> Any:  # noqa: N802
        return resource_pb2.SupportsFeatureResponse(
            hasSupport=request.id in ("secrets", "resourceReferences", "aliasSpecs")
        )

    def RegisterPackage(self, request: Any) -> Any:  # noqa: N802
        return resource_pb2.RegisterPackageResponse(ref=request.name)

    def SignalAndWaitForShutdown(self, request: Any) -> Any:  # noqa: N802
        return empty_pb2.Empty()

    # -- what a program does -----------------------------------------------------------------------------------

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802
        urn = make(self.stack, self.project, request.parent, request.type, request.name)
        goal = _goal(urn, request)
        if request.type == STACK_TYPE or not request.custom:
            self.steps.component(goal)
            return resource_pb2.RegisterResourceResponse(urn=urn, object=request.object)
        done = self.steps.custom(goal)
        return resource_pb2.RegisterResourceResponse(
            urn=urn, id=done.id, object=_struct(done.outputs), stable=False, propertyDependencies={}
        )

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
        self.steps.outputs(request.urn, _plain(request.outputs))
        return empty_pb2.Empty()

    def ReadResource(self, request: Any) -> Any:  # noqa: N802
        urn = make(self.stack, self.project, request.parent, request.type, request.name)
        outputs = self.steps.read(urn, request.type, request.id, _plain(request.properties), request.parent)
        return resource_pb2.ReadResourceResponse(urn=urn, properties=_struct(outputs))

    def Invoke(self, request: Any) -> Any:  # noqa: N802
        arguments = _plain(request.args)
        if has_unknown(arguments):
            return resource_pb2.ResourceInvokeResponse(**{"return": _struct({})})
        answer = self.steps.invoke(request.tok, reveal(arguments))
        return resource_pb2.ResourceInvokeResponse(**{"return": _struct(answer)})


def _goal(urn: str, request: Any) -> Goal:
    return Goal(
        urn=urn,
        type=request.type,
        name=request.name,
        inputs=_plain(request.object),
        parent=request.parent,
        dependencies=tuple(sorted(set(request.dependencies))),
        property_dependencies={key: sorted(each.urns) for key, each in request.propertyDependencies.items()},
        aliases=tuple(aliases(urn, request)),
        ignore_changes=tuple(request.ignoreChanges),
        replace_on_changes=tuple(request.replaceOnChanges),
        additional_secrets=frozenset(request.additionalSecretOutputs),
        protect=request.protect,
        retain_on_delete=request.retainOnDelete,
        delete_before_replace=request.deleteBeforeReplace,
        import_id=request.importId,
    )


def _plain(struct: Any) -> dict[str, Any]:
    found = clean(json_format.MessageToDict(struct))
    return found if isinstance(found, dict) else {}


def _struct(values: dict[str, Any]) -> Any:
    struct = struct_pb2.Struct()
    json_format.ParseDict(values, struct)
    return struct
