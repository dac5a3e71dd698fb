"""One deployment's steps: for each registered resource compare, decide, act through its class, and keep the state.

A resource whose inputs are what they were is the same and costs no call. The first failure ends the deployment: what
was done before it is kept, what was registered after it is refused. The decisions are those of Pulumi's own engine
(pulumi/pkg `resource/deploy/step_generator.go`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pilotlight.engine import order, providers
from pilotlight.engine.acts import Acts
from pilotlight.engine.diff import CREATE, DELETE, REPLACE, SAME, UPDATE, Difference, compare, keep_ignored
from pilotlight.engine.provider import ResourceType
from pilotlight.engine.state import Resource
from pilotlight.engine.urns import STACK_TYPE, parse
from pilotlight.engine.values import DEFAULTS, UNKNOWN, has_unknown, hide, plain, reveal, secret_keys, with_hashes
from pilotlight.runtime.errors import UnknownResourceType


@dataclass(frozen=True)
class Goal:
    """One resource as the program wants it."""

    urn: str
    type: str
    name: str
    inputs: dict[str, Any]
    parent: str = ""
    provider: str = ""
    version: str = ""
    dependencies: tuple[str, ...] = ()
    property_dependencies: Mapping[str, list[str]] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    ignore_changes: tuple[str, ...] = ()
    replace_on_changes: tuple[str, ...] = ()
    additional_secrets: tuple[str, ...] = ()
    protect: bool = False
    retain_on_delete: bool = False
    delete_before_replace: bool | None = None
    import_id: str = ""
    timeouts: Mapping[str, float] = field(default_factory=dict)


@dataclass
class Steps(Acts):
    """What a program registers, step by step."""

    seen: set[str] = field(default_factory=set)
    renamed: dict[str, str] = field(default_factory=dict)
    """URN now -> URN before, for what was found by an alias."""
    gone: set[str] = field(default_factory=set)
    """What was deleted already because something it needs is replaced."""
    exports: dict[str, Any] = field(default_factory=dict)

    # -- registrations -----------------------------------------------------------------------------------------

    def component(self, goal: Goal) -> None:
        """A component or the stack: it has no life in AWS."""
        with self.lock:
            self._enter(goal.urn)
            old = self._adopt(goal)
            self.note(SAME if old else CREATE, goal.urn, goal.type)
            self._put(self._resource(goal, "", goal.inputs, old.outputs if old else {}, custom=False))

    def provider(self, goal: Goal) -> Resource:
        """A provider that the program makes itself: a region, maybe a role, with an id."""
        with self.lock:
            self._enter(goal.urn)
            goal = replace(goal, inputs=goal.inputs | providers.versioned(goal.version))
            old = self._adopt(goal)
            difference = compare(old.inputs, goal.inputs, frozenset()) if old else Difference(frozenset(), CREATE)
            self.note(difference.operation, goal.urn, goal.type, difference.keys)
            id_ = old.id if old else providers.new_id(self.place.rng)
            made = self._resource(goal, id_, goal.inputs, goal.inputs)
            self._put(made)
            return made

    def custom(self, goal: Goal) -> Resource:
        """A resource of AWS: the same, created, updated or replaced."""
        with self.lock:
            self._enter(goal.urn)
            kind = self.kind(goal.type, goal.urn)
            goal = replace(goal, provider=goal.provider or self._default_provider(goal))
            old = self._adopt(goal)
        goal = replace(goal, inputs=self._inputs(goal, kind, old))
        if old is None:
            return self._create(goal, kind)
        difference = compare(old.inputs, goal.inputs, kind.replace_on, goal.replace_on_changes)
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
            if parse(urn).type == STACK_TYPE:
                self.exports = outputs

    def read(self, goal: Goal, id_: str) -> dict[str, Any]:
        """A resource that is not ours (`.get`): read, kept in the state as external."""
        with self.lock:
            self._enter(goal.urn)
            kind = self.kind(goal.type, goal.urn)
            goal = replace(goal, provider=goal.provider or self._default_provider(goal))
        found = self._found(goal, kind, id_, "read")
        with self.lock:
            self._put(replace(self._resource(goal, id_, goal.inputs, self._sealed(goal, kind, found)), external=True))
        return self._sealed(goal, kind, found)

    def invoke(self, token: str, arguments: dict[str, Any], provider: str) -> dict[str, Any]:
        """A function of the provider."""
        self.refuse_after_failure()
        function = self.invokes.get(token)
        if function is None:
            raise self.fail(UnknownResourceType(type=token, urn="a function that the program calls"))
        place = self.at(arguments, provider)
        answer: dict[str, Any] = self.act("called", token, lambda: function(place, reveal(arguments)), [arguments])
        return answer

    # -- operations --------------------------------------------------------------------------------------------

    def _create(self, goal: Goal, kind: ResourceType) -> Resource:
        operation = REPLACE if goal.urn in self.gone else CREATE
        self.note(operation, goal.urn, goal.type, goal.inputs.keys() - {DEFAULTS})
        return self._planned(goal) if self.preview else self._made(goal, kind)

    def _made(self, goal: Goal, kind: ResourceType, old: Resource | None = None) -> Resource:
        """Create (or take over by import) and keep; only then is the one it replaces marked for deletion."""
        with self.lock:
            self.stack.begin("importing" if goal.import_id else "creating", self._resource(goal, "", goal.inputs, {}))
        if goal.import_id:
            id_, outputs = goal.import_id, self._found(goal, kind, goal.import_id, "imported")
        else:
            inputs, place = plain(goal.inputs), self.at(goal.inputs, goal.provider)
            id_, outputs = self.act("created", goal.urn, lambda: kind.create(place, inputs), [goal.inputs])
        made = self._resource(goal, id_, goal.inputs, self._sealed(goal, kind, outputs))
        with self.lock:
            self.stack.finish(goal.urn)
            if old is not None:
                old.delete = True
            self._put(made)
        return made

    def _keep(self, goal: Goal, old: Resource) -> Resource:
        self.note(SAME, goal.urn, goal.type)
        kept = self._resource(goal, old.id, old.inputs, old.outputs)
        if kept == old and goal.urn not in self.renamed:
            return old  # sixty that stay as they are are not written sixty times
        with self.lock:
            self._put(kept)
        return kept

    def _update(self, goal: Goal, kind: ResourceType, old: Resource, difference: Difference) -> Resource:
        self.note(UPDATE, goal.urn, goal.type, difference.keys)
        if self.preview:
            return self._resource(goal, old.id, goal.inputs, old.outputs | _known(goal.inputs))
        before, after = plain(old.inputs), plain(goal.inputs)
        place = self.at(goal.inputs, goal.provider)
        outputs = self.act(
            "updated", goal.urn, lambda: kind.update(place, old.id, before, after), [old.inputs, goal.inputs]
        )
        changed = self._resource(goal, old.id, goal.inputs, self._sealed(goal, kind, outputs))
        with self.lock:
            self._put(changed)
        return changed

    def _replace(self, goal: Goal, kind: ResourceType, old: Resource, difference: Difference) -> Resource:
        """Create the new one first and delete the old one at the end, unless the program asks otherwise or both would
        bear one name."""
        if old.protect:
            raise self.protected(old)
        named_alike = kind.same_name(dict(reveal(old.inputs)), dict(reveal(goal.inputs)))
        first = goal.delete_before_replace if goal.delete_before_replace is not None else named_alike
        if goal.inputs.get(DEFAULTS):
            bare = {key: value for key, value in goal.inputs.items() if key not in (DEFAULTS, kind.name_key)}
            goal = replace(goal, inputs=kind.check(self.place, goal.name, bare, None))
        if first:
            self._remove_with_dependents(old)
        self.note(REPLACE, goal.urn, goal.type, difference.keys)
        return self._planned(goal) if self.preview else self._made(goal, kind, None if first else old)

    def _remove_with_dependents(self, old: Resource) -> None:
        """What cannot live on without the old one goes before it; it is made again when the program registers it."""
        with self.lock:
            fixed = {name: kind.replace_on for name, kind in self.types.items()}
            tied = order.replaced_along(old, self.stack.resources, fixed)
        for each in [*tied, old]:
            if each.protect:
                raise self.protected(each)
        for each in [*tied, old]:
            self.gone.add(each.urn)
            if self.preview:
                self.stack.resources = [one for one in self.stack.resources if one is not each]
            else:
                self._remove(each)

    def finish(self) -> None:
        """After the program: delete what it no longer registers, dependents first."""
        doomed = [each for each in self.stack.resources if each.delete or each.urn not in self.seen]
        for resource in doomed:
            if resource.protect and not resource.delete:
                raise self.protected(resource)
        for resource in order.deletion_order(self.stack.resources):
            if resource in doomed:
                self._delete(resource)

    def _delete(self, resource: Resource) -> None:
        counted = not resource.delete and not resource.external and not providers.is_default(resource.urn)
        if counted:
            self.note(DELETE, resource.urn, resource.type)
        if not self.preview:
            self._remove(resource)

    def _remove(self, resource: Resource) -> None:
        ours = resource.custom and not resource.external and not resource.retainOnDelete
        if ours and not providers.is_provider(resource.type):
            kind = self.kind(resource.type, resource.urn)
            place, outputs = self.at(resource.inputs, resource.provider), reveal(resource.outputs)
            told = [resource.inputs, resource.outputs]
            self.act("deleted", resource.urn, lambda: kind.delete(place, resource.id, outputs), told)
        with self.lock:
            self.stack.drop(resource)

    # -- parts -------------------------------------------------------------------------------------------------

    def _enter(self, urn: str) -> None:
        self.refuse_after_failure()
        if urn in self.seen:
            raise self.failed("registered", urn, "the program registers it twice")
        self.seen.add(urn)

    def _adopt(self, goal: Goal) -> Resource | None:
        """The old resource, under this name or a former one; one that was only read is not ours to change."""
        for urn in (goal.urn, *goal.aliases):
            found = self.stack.find(urn)
            if found is not None and urn != goal.urn:
                self.renamed[goal.urn] = urn
                self.stack.rename(urn, goal.urn)
            if found is not None:
                return None if found.external else found
        return None

    def _inputs(self, goal: Goal, kind: ResourceType, old: Resource | None) -> dict[str, Any]:
        """As they are compared and kept: with what is ignored, automatic names, and hashes of contents."""
        inputs = goal.inputs
        if old is not None and goal.ignore_changes:
            inputs = keep_ignored(goal.ignore_changes, old.inputs, inputs)
        checked = kind.check(self.place, goal.name, inputs, old.inputs if old else None)
        return dict(with_hashes(checked))

    def _default_provider(self, goal: Goal) -> str:
        """The reference of the provider of those that name none; it is made when the first asks for it."""
        urn = providers.default_urn(goal.urn, goal.type, goal.version)
        found, inputs = self.stack.find(urn), {"region": self.place.region} | providers.versioned(goal.version)
        self.seen.add(urn)
        if found is None or found.inputs != inputs:
            id_ = found.id if found else providers.new_id(self.place.rng)
            found = Resource(urn, parse(urn).type, True, id_, inputs, dict(inputs))
            self._put(found)
        return f"{urn}::{found.id}"

    def _found(self, goal: Goal, kind: ResourceType, id_: str, what: str) -> dict[str, Any]:
        """What is there under this id; nothing there ends the deployment."""
        place, inputs = self.at(goal.inputs, goal.provider), plain(goal.inputs)
        found = self.act(what, goal.urn, lambda: kind.read(place, id_, inputs), [goal.inputs])
        if found is None:
            raise self.failed(what, goal.urn, f"there is no {goal.type} {id_} in {place.region}")
        return dict(found)

    def _planned(self, goal: Goal) -> Resource:
        """At preview: what was put in comes out; an id and everything computed is not known yet."""
        return self._resource(goal, "", goal.inputs, {"id": UNKNOWN, "arn": UNKNOWN} | _known(goal.inputs))

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
            provider=goal.provider if custom else "",
            additionalSecretOutputs=list(goal.additional_secrets),
            importID=goal.import_id,
            customTimeouts=dict(goal.timeouts),
            ignoreChanges=list(goal.ignore_changes),
        )

    def _sealed(self, goal: Goal, kind: ResourceType, outputs: dict[str, Any]) -> dict[str, Any]:
        """Outputs are secret where the input of that name is, or the class or the program says so."""
        return hide(outputs, kind.secret_outputs | set(goal.additional_secrets) | secret_keys(goal.inputs))

    def sealed_again(self, resource: Resource, kind: ResourceType, outputs: dict[str, Any]) -> dict[str, Any]:
        """Outputs as they were read anew: what was secret before stays secret."""
        hidden = kind.secret_outputs | set(resource.additionalSecretOutputs)
        return hide(outputs, hidden | secret_keys(resource.inputs) | secret_keys(resource.outputs))

    def _put(self, resource: Resource) -> None:
        """At preview the state in memory alone is changed: a default provider must be found again."""
        if not self.preview:
            self.stack.put(resource)
        elif self.stack.find(resource.urn) is None:
            self.stack.resources.append(resource)


def _known(inputs: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in inputs.items() if key != DEFAULTS and not has_unknown(value)}
