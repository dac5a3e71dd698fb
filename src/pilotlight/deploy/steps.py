"""One deployment's work: for each registered resource compare, decide, act through its class, and keep the state.

A resource whose inputs are what they were is the same and costs no call. The first failure ends the deployment: what
was done before it is kept, what was registered after it is refused.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pilotlight.deploy.diff import CREATE, DELETE, REPLACE, SAME, UPDATE, Difference, compare, keep_ignored
from pilotlight.deploy.provider import Place, ResourceType
from pilotlight.deploy.state import Resource, Stack
from pilotlight.deploy.values import SECRET, UNKNOWN, has_secret, has_unknown, marked, reveal, secret, with_hashes
from pilotlight.errors import DeploymentFailed, PilotlightError, ResourceProtected, UnknownResourceType

Invokes = Mapping[str, Callable[[Place, dict[str, Any]], dict[str, Any]]]


@dataclass(frozen=True)
class Goal:
    """One resource as the program wants it."""

    urn: str
    type: str
    name: str
    inputs: dict[str, Any]
    parent: str = ""
    dependencies: tuple[str, ...] = ()
    property_dependencies: Mapping[str, list[str]] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    ignore_changes: tuple[str, ...] = ()
    replace_on_changes: tuple[str, ...] = ()
    additional_secrets: frozenset[str] = frozenset()
    protect: bool = False
    retain_on_delete: bool = False
    delete_before_replace: bool = False
    import_id: str = ""


@dataclass(frozen=True)
class Event:
    """One operation on one resource, as it is told and counted."""

    operation: str
    urn: str
    type: str
    keys: tuple[str, ...] = ()


@dataclass
class Steps:
    """The state, the resource classes, and what was done so far."""

    stack: Stack
    name: str
    types: Mapping[str, ResourceType]
    invokes: Invokes
    place: Place
    preview: bool = False
    tell: Callable[[Event], None] = lambda event: None
    events: list[Event] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    exports: dict[str, Any] = field(default_factory=dict)
    failure: PilotlightError | None = None
    lock: threading.RLock = field(default_factory=threading.RLock)

    # -- registrations -----------------------------------------------------------------------------------------

    def component(self, goal: Goal) -> None:
        """A component or the stack: it has no life in AWS."""
        with self.lock:
            self._refuse_after_failure()
            old = self._adopt(goal)
            self.seen.add(goal.urn)
            self._count(SAME if old else CREATE, goal)
            self._put(self._resource(goal, "", goal.inputs, old.outputs if old else {}, custom=False))

    def custom(self, goal: Goal) -> Resource:
        """A resource of AWS: the same, created, updated or replaced."""
        with self.lock:
            self._refuse_after_failure()
            kind = self._kind(goal.type, goal.urn)
            old = self._adopt(goal)
            self.seen.add(goal.urn)
        inputs = with_hashes(keep_ignored(goal.ignore_changes, old.inputs, goal.inputs) if old else goal.inputs)
        goal = replace(goal, inputs=inputs)
        if old is None:
            return self._create(goal, kind)
        difference = compare(old.inputs, inputs, kind.replace_on, goal.replace_on_changes)
        if difference.operation == SAME:
            return self._keep(goal, old)
        if difference.operation == REPLACE:
            return self._replace(goal, kind, old, difference)
        return self._update(goal, kind, old, difference)

    def outputs(self, urn: str, outputs: dict[str, Any]) -> None:
        """What a component (or the stack) gives out."""
        with self.lock:
            found = self.stack.find(urn)
            if found is not None and not self.preview:
                self.stack.put(replace(found, outputs=outputs))
            if "pulumi:pulumi:Stack::" in urn:
                self.exports = outputs

    def read(self, urn: str, type_: str, id_: str, inputs: dict[str, Any], parent: str) -> dict[str, Any]:
        """A resource that is not ours (`.get`): read, kept in the state as external."""
        with self.lock:
            self._refuse_after_failure()
            kind = self._kind(type_, urn)
            self.seen.add(urn)
        found = self._act("read", urn, lambda: kind.read(self._at(inputs), id_, reveal(inputs)))
        if found is None:
            raise self._failed("read", urn, f"there is no {type_} {id_}")
        with self.lock:
            self._put(Resource(urn, type_, True, id_, inputs, found, parent, external=True))
        return dict(found)

    def invoke(self, token: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """A function of the provider."""
        function = self.invokes.get(token)
        if function is None:
            self.failure = self.failure or UnknownResourceType(type=token, urn="a function call of the program")
            raise self.failure
        return dict(self._act("call", token, lambda: function(self._at(arguments), arguments)))

    # -- operations --------------------------------------------------------------------------------------------

    def _create(self, goal: Goal, kind: ResourceType) -> Resource:
        self._count(CREATE, goal, tuple(sorted(goal.inputs)))
        if self.preview:
            return self._resource(goal, UNKNOWN, goal.inputs, _unknown_outputs(goal.inputs))
        return self._made(goal, kind)

    def _made(self, goal: Goal, kind: ResourceType) -> Resource:
        """Create (or take over by import) and keep."""
        inputs = self._named(goal, kind)
        place = self._at(inputs)
        begun = self._resource(goal, "", goal.inputs, {})
        with self.lock:
            self.stack.begin("creating", begun)
        if goal.import_id:
            read = self._act("import", goal.urn, lambda: kind.read(place, goal.import_id, reveal(inputs)))
            if read is None:
                raise self._failed("import", goal.urn, f"there is no {goal.type} {goal.import_id}")
            id_, outputs = goal.import_id, read
        else:
            id_, outputs = self._act("created", goal.urn, lambda: kind.create(place, reveal(inputs)))
        made = self._resource(goal, id_, goal.inputs, self._sealed(goal, kind, outputs))
        with self.lock:
            self.stack.finish(goal.urn)
            self._put(made)
        return made

    def _keep(self, goal: Goal, old: Resource) -> Resource:
        self._count(SAME, goal)
        kept = self._resource(goal, old.id, old.inputs, old.outputs)
        with self.lock:
            self._put(kept)
        return kept

    def _update(self, goal: Goal, kind: ResourceType, old: Resource, difference: Difference) -> Resource:
        self._count(UPDATE, goal, tuple(sorted(difference.keys)))
        if self.preview:
            return self._resource(
                goal, old.id, goal.inputs, old.outputs | _unknown_outputs(goal.inputs, difference.keys)
            )
        inputs = self._named(goal, kind, old)
        before = reveal(old.inputs)
        outputs = self._act("updated", goal.urn, lambda: kind.update(self._at(inputs), old.id, before, reveal(inputs)))
        changed = self._resource(goal, old.id, goal.inputs, self._sealed(goal, kind, outputs))
        with self.lock:
            self._put(changed)
        return changed

    def _replace(self, goal: Goal, kind: ResourceType, old: Resource, difference: Difference) -> Resource:
        """Create the new one first, unless asked otherwise; the old one is deleted at the end of the deployment."""
        if old.protect:
            self._protected(old)
        self._count(REPLACE, goal, tuple(sorted(difference.keys)))
        if self.preview:
            return self._resource(goal, UNKNOWN, goal.inputs, _unknown_outputs(goal.inputs))
        with self.lock:
            old.delete = True
            self.stack.write()
        if goal.delete_before_replace:
            self._remove(old)
        return self._made(goal, kind)

    def finish(self) -> None:
        """After the program: delete what it no longer registers, dependents first."""
        for resource in reversed(list(self.stack.resources)):
            if resource.delete or resource.urn not in self.seen:
                self._delete(resource)

    def _delete(self, resource: Resource) -> None:
        if resource.protect and not resource.delete:
            self._protected(resource)
        if not resource.delete:
            self._tell(Event(DELETE, resource.urn, resource.type))
        if not self.preview:
            self._remove(resource)

    def _remove(self, resource: Resource) -> None:
        if resource.custom and not resource.external and not resource.retainOnDelete:
            kind = self._kind(resource.type, resource.urn)
            place = self._at(resource.inputs)
            self._act("deleted", resource.urn, lambda: kind.delete(place, resource.id, reveal(resource.outputs)))
        with self.lock:
            self.stack.drop(resource)

    # -- parts -------------------------------------------------------------------------------------------------

    def _kind(self, type_: str, urn: str) -> ResourceType:
        found = self.types.get(type_)
        if found is None:
            self.failure = self.failure or UnknownResourceType(type=type_, urn=urn)
            raise self.failure
        return found

    def _at(self, inputs: Mapping[str, Any]) -> Place:
        region = reveal(inputs.get("region"))
        return replace(self.place, region=region) if isinstance(region, str) and region else self.place

    def _adopt(self, goal: Goal) -> Resource | None:
        """The old resource, under this name or a former one."""
        found = self.stack.find(goal.urn)
        for alias in goal.aliases:
            if found is not None:
                return found
            found = self.stack.find(alias)
            if found is not None:
                self._rename(alias, goal.urn)
        return found

    def _rename(self, alias: str, urn: str) -> None:
        for each in self.stack.resources:
            each.urn = urn if each.urn == alias else each.urn
            each.parent = urn if each.parent == alias else each.parent
            each.dependencies = [urn if name == alias else name for name in each.dependencies]

    def _resource(
        self, goal: Goal, id_: str, inputs: dict[str, Any], outputs: dict[str, Any], custom: bool = True
    ) -> Resource:
        return Resource(
            urn=goal.urn,
            type=goal.type,
            custom=custom,
            id=id_,
            inputs=inputs,
            outputs=outputs,
            parent=goal.parent,
            dependencies=list(goal.dependencies),
            propertyDependencies=dict(goal.property_dependencies),
            protect=goal.protect,
            retainOnDelete=goal.retain_on_delete,
        )

    def _named(self, goal: Goal, kind: ResourceType, old: Resource | None = None) -> dict[str, Any]:
        """Inputs with the automatic name, where one is due."""
        key = kind.name_key
        if key is None or goal.inputs.get(key) or goal.inputs.get(f"{key}Prefix"):
            return goal.inputs
        name = old.outputs.get(key) if old else f"{goal.name}-{self.place.suffix()}"
        return goal.inputs | {key: name}

    def _sealed(self, goal: Goal, kind: ResourceType, outputs: dict[str, Any]) -> dict[str, Any]:
        """Outputs are secret where the input of that name is, or the class or the program says so."""
        hidden = kind.secret_outputs | goal.additional_secrets
        hidden |= {key for key, value in goal.inputs.items() if has_secret(value)}
        plain = {key: value for key, value in outputs.items() if value is not None}
        return {
            key: secret(value) if key in hidden and not marked(value, SECRET) else value for key, value in plain.items()
        }

    def _put(self, resource: Resource) -> None:
        if not self.preview:
            self.stack.put(resource)

    def _count(self, operation: str, goal: Goal, keys: tuple[str, ...] = ()) -> None:
        if operation != CREATE or goal.type:
            self._tell(Event(operation, goal.urn, goal.type, keys))

    def _tell(self, event: Event) -> None:
        with self.lock:
            self.events.append(event)
        self.tell(event)

    def _act(self, act: str, urn: str, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except PilotlightError as problem:
            raise self._failed(act, urn, problem.message) from problem
        except Exception as problem:
            raise self._failed(act, urn, f"{type(problem).__name__}: {problem}") from problem

    def _failed(self, act: str, urn: str, reason: str) -> PilotlightError:
        failure = DeploymentFailed(stack=self.name, urn=urn, act=act, reason=reason)
        with self.lock:
            self.failure = self.failure or failure
        return failure

    def _protected(self, resource: Resource) -> None:
        self.failure = self.failure or ResourceProtected(stack=self.name, urn=resource.urn)
        raise self.failure

    def _refuse_after_failure(self) -> None:
        if self.failure is not None:
            raise self.failure


def _unknown_outputs(inputs: dict[str, Any], changed: frozenset[str] = frozenset()) -> dict[str, Any]:
    """At preview: what was put in comes out; an id and everything computed is not known yet."""
    known = {key: value for key, value in inputs.items() if not has_unknown(value)}
    return known if changed else {"id": UNKNOWN, "arn": UNKNOWN} | known
