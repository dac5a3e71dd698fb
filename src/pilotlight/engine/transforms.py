"""Transforms: functions of the program that change a resource's inputs and options just before it is registered.

The SDK keeps them in a callback server of this very process; they are called there directly. Order as in the real
engine (pulumi/pkg `resource/deploy/source_eval.go`): the resource's own, those of its parents going up, the stack's.
"""

from __future__ import annotations

import asyncio
from typing import Any

from pulumi.runtime._callbacks import _CallbackServicer
from pulumi.runtime.proto import resource_pb2

CALL_SECONDS = 60.0
"""A transform only computes; one that takes longer waits for something that will not come."""
LISTS = {
    "depends_on": "dependencies",
    "ignore_changes": "ignoreChanges",
    "replace_on_changes": "replaceOnChanges",
    "additional_secret_outputs": "additionalSecretOutputs",
    "aliases": "aliases",
}
FLAGS = {"protect": "protect", "retain_on_delete": "retainOnDelete"}


class Transforms:
    """The transforms of one running program."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._own: dict[str, tuple[list[Any], str]] = {}

    def add_to_stack(self, callback: Any) -> None:
        self._stack.append(callback)

    def applied(self, urn: str, request: Any) -> Any:
        """The request as the transforms want it."""
        self._own[urn] = (list(request.transforms), request.parent)
        for callback in self._above(urn):
            request = _changed(request, _call(callback, _asked(request)))
        return request

    def _above(self, urn: str) -> list[Any]:
        found: list[Any] = []
        while urn in self._own:
            own, urn = self._own[urn]
            found += own
        return found + self._stack


def _asked(request: Any) -> Any:
    options = resource_pb2.TransformResourceOptions(
        ignore_changes=request.ignoreChanges,
        replace_on_changes=request.replaceOnChanges,
        additional_secret_outputs=request.additionalSecretOutputs,
        depends_on=request.dependencies,
        aliases=request.aliases,
        version=request.version,
        provider=request.provider,
        **{name: getattr(request, field) for name, field in FLAGS.items() if request.HasField(field)},
    )
    if request.deleteBeforeReplaceDefined:
        options.delete_before_replace = request.deleteBeforeReplace
    return resource_pb2.TransformRequest(
        type=request.type,
        name=request.name,
        custom=request.custom,
        parent=request.parent,
        properties=request.object,
        options=options,
    )


def _changed(request: Any, answer: Any) -> Any:
    made = resource_pb2.RegisterResourceRequest()
    made.CopyFrom(request)
    made.object.CopyFrom(answer.properties)
    if not answer.HasField("options"):
        return made
    for name, field in LISTS.items():
        made.ClearField(field)  # type: ignore[arg-type]
        getattr(made, field).extend(getattr(answer.options, name))
    for name, field in FLAGS.items():
        if answer.options.HasField(name):
            setattr(made, field, getattr(answer.options, name))
    made.deleteBeforeReplaceDefined = answer.options.HasField("delete_before_replace")
    made.deleteBeforeReplace = answer.options.delete_before_replace
    made.provider = answer.options.provider
    return made


def _call(callback: Any, request: Any) -> Any:
    """Run it on the program's own event loop, and wait for it here, in the thread of the registration."""
    for servicer in _CallbackServicer._servicers:
        function = servicer._callbacks.get(callback.token)
        if function is not None:
            waiting: Any = asyncio.run_coroutine_threadsafe(
                function(request.SerializeToString()),  # type: ignore[arg-type]
                servicer._loop,
            )
            return waiting.result(CALL_SECONDS)
    raise ValueError(f"a transform of {request.name} is not there any more")
