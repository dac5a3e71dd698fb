"""What a stack holds, in the format of `pulumi stack export` (version 3), written whole after every operation.

A deployment that is killed has lost nothing: what was done before is in the file, and what was begun is in
`pending_operations`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from pilotlight.engine.secrets import Secrets
from pilotlight.runtime.errors import StateTorn

VERSION = 3
WRITER = "pilotlight"
MANIFEST = {
    "time": "0001-01-01T00:00:00Z",
    "magic": hashlib.sha256(WRITER.encode()).hexdigest(),
    "version": WRITER,
}
"""The magic says that no hand wrote this (pulumi/pulumi, pkg/resource/deploy/snapshot.go); imports look at it."""


@dataclass
class Resource:
    """One resource as it is; `inputs` and `outputs` in wire form, secrets marked."""

    urn: str
    type: str
    custom: bool = True
    id: str = ""
    inputs: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    parent: str = ""
    dependencies: list[str] = field(default_factory=list)
    propertyDependencies: dict[str, list[str]] = field(default_factory=dict)  # noqa: N815 - Pulumi's own key
    protect: bool = False
    retainOnDelete: bool = False  # noqa: N815 - Pulumi's own key
    delete: bool = False
    external: bool = False
    provider: str = ""
    additionalSecretOutputs: list[str] = field(default_factory=list)  # noqa: N815 - Pulumi's own key
    importID: str = ""  # noqa: N815 - Pulumi's own key
    customTimeouts: dict[str, float] = field(default_factory=dict)  # noqa: N815 - Pulumi's own key
    ignoreChanges: list[str] = field(default_factory=list)  # noqa: N815 - Pulumi's own key

    def as_json(self) -> dict[str, Any]:
        """Without what is empty, as Pulumi writes it."""
        found = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value for name, value in found.items() if value or name in ("urn", "type", "custom")}


@dataclass
class Stack:
    """A stack's resources in the order of their creation."""

    path: Path
    secrets: Secrets
    resources: list[Resource] = field(default_factory=list)
    pending: list[dict[str, Any]] = field(default_factory=list)

    def find(self, urn: str) -> Resource | None:
        """The live resource of this name."""
        return next((each for each in self.resources if each.urn == urn and not each.delete), None)

    def rename(self, before: str, now: str) -> None:
        """Let a resource, and everything that refers to it, go by its new URN."""
        for each in self.resources:
            each.urn = now if each.urn == before else each.urn
            each.parent = now if each.parent == before else each.parent
            each.dependencies = [now if urn == before else urn for urn in each.dependencies]
            each.propertyDependencies = {
                key: [now if urn == before else urn for urn in urns] for key, urns in each.propertyDependencies.items()
            }
            if each.provider.rpartition("::")[0] == before:
                each.provider = f"{now}::{each.provider.rpartition('::')[2]}"

    def put(self, resource: Resource) -> None:
        """Add, or replace in place, and write."""
        for index, each in enumerate(self.resources):
            if each.urn == resource.urn and not each.delete:
                self.resources[index] = resource
                break
        else:
            self.resources.append(resource)
        self.write()

    def drop(self, resource: Resource) -> None:
        """Take a resource out and write."""
        self.resources = [each for each in self.resources if each is not resource]
        self.write()

    def begin(self, kind: str, resource: Resource) -> None:
        """Note an operation before it is done."""
        self.pending.append({"resource": self.secrets.seal(resource.as_json()), "type": kind})
        self.write()

    def finish(self, urn: str) -> None:
        """Take the note away again; written with what the operation made."""
        self.pending = [each for each in self.pending if each["resource"]["urn"] != urn]

    def export(self) -> dict[str, Any]:
        """The document, secrets as ciphertext."""
        deployment: dict[str, Any] = {
            "manifest": MANIFEST,
            "secrets_providers": {"type": "passphrase", "state": {"salt": self.secrets.salt}},
            "resources": [self.secrets.seal(each.as_json()) for each in self.resources],
        }
        if self.pending:
            deployment["pending_operations"] = self.pending
        return {"version": VERSION, "deployment": deployment}

    def write(self) -> None:
        """Atomically: a reader sees the old document or the new one."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_suffix(".part")
        beside.write_text(json.dumps(self.export()))
        beside.replace(self.path)


def open_stack(path: Path, name: str, passphrase: str) -> Stack:
    """Read a stack's state, or begin an empty one."""
    if not path.exists():
        return Stack(path, Secrets(passphrase, None, name))
    try:
        deployment = json.loads(path.read_text())["deployment"]
        secrets = Secrets(passphrase, deployment["secrets_providers"]["state"]["salt"], name)
        known = {each.name for each in fields(Resource)}
        resources = [
            _whole(Resource(**{key: value for key, value in secrets.unseal(each).items() if key in known}))
            for each in deployment["resources"]
        ]
        pending = [each for each in deployment.get("pending_operations", []) if each["resource"]["urn"]]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, OSError) as problem:
        raise StateTorn(stack=name, path=path, reason=str(problem) or type(problem).__name__) from problem
    return Stack(path, secrets, resources, pending)


def _whole(resource: Resource) -> Resource:
    """A resource whose every field has the type of its default; ValueError for one that no engine wrote."""
    for each in fields(Resource):
        value, wanted = getattr(resource, each.name), type(getattr(BLANK, each.name))
        if not isinstance(value, wanted):
            raise ValueError(f"{each.name} of {resource.urn!r} is {value!r}, not a {wanted.__name__}")
    return resource


BLANK = Resource("", "")
