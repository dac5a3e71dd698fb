"""What the verbs that deploy share: the engine of the target, the question before it, progress, and what was done."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pilotlight.cli.talk import print_json, progress, say
from pilotlight.cli.target import Place, Target
from pilotlight.engine.results import UNCHANGED, Deployer, Deployment, Event
from pilotlight.runtime.errors import NoSuchStack, NotConfirmed
from pilotlight.runtime.naming import STACKS, Names
from pilotlight.runtime.records.inventory import Inventory

if TYPE_CHECKING:
    from pilotlight.deploy.operations import Operations

BACKEND_VARIABLE = "PULUMI_BACKEND_URL"
PASSPHRASE_VARIABLES = ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE")

Only = Annotated[str | None, typer.Option(help="One stack: vault, primary or standby.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Parallel = Annotated[int, typer.Option(min=1, max=100, help="Resource operations at once (Pulumi's own engine).")]
BackendOption = Annotated[
    str | None,
    typer.Option(
        envvar=BACKEND_VARIABLE,
        help="Pulumi backend URL.",
        show_default="what `pilotlight state init` made",
    ),
]
SecretsOption = Annotated[
    str | None,
    typer.Option(
        "--secrets-provider",
        help="passphrase, default, or a KMS URL as Pulumi takes it.",
        show_default="passphrase if one is set, else the key of `pilotlight state init`",
    ),
]


def engine(here: Place, backend: str | None, secrets: str | None, parallel: int) -> Deployer:
    """Pulumi's own engine for AWS, the embedded one for the embedded cloud."""
    folder = here.state / here.workload.workload
    if here.target is Target.LOCAL:
        from pilotlight.engine.embedded import Engine

        return Engine(folder, here.names.project)
    from pilotlight.deploy.command import find_command
    from pilotlight.deploy.pulumi import Backend, PulumiEngine

    return PulumiEngine(
        project=here.names.project,
        backend=Backend(backend or state_url(here.names), secrets or _secrets(here.names, backend)),
        folder=folder / here.account,
        command=find_command(say),
        parallel=parallel,
    )


def chosen(only: str | None) -> tuple[str, ...]:
    """The stacks an act is for, in the order of deployment; NoSuchStack for a name that is none."""
    if only is not None and only not in STACKS:
        raise NoSuchStack(stack=only, known=", ".join(STACKS))
    return (only,) if only else STACKS


def operations(here: Place, inventory: Inventory, deployer: Deployer, json: bool) -> Operations:
    """Acts that tell the person what they do, and do nothing where the state of what is deployed is lost.

    Every resource is a line as it happens, on stdout, so that a file grows; on stderr where stdout is JSON.
    """
    from pilotlight.deploy.current import deployed_stacks
    from pilotlight.deploy.operations import Operations

    deployed = deployed_stacks(here.names, here.client)
    tell = progress(json)
    return Operations(
        inventory,
        deployer,
        tell=lambda stack, event: _tell(tell, stack, event),
        say=tell,
        deployed=deployed,
        records=here.records(),
    )


def tell_left_out(inventory: Inventory, json: bool) -> None:
    """Every setting of the primary that the standby lacks, and what else a person has to know, before anything is made:
    one line each."""
    tell = progress(json)
    for remark in inventory.remarks:
        tell(f"  to know  {remark}")
    for sentence in inventory.left_out:
        tell(f"  not carried over  {sentence}")


def build_archive(here: Place) -> Path:
    """What the Lambda functions run."""
    from pilotlight.deploy import archive

    return archive.build(here.state)


def state_url(names: Names) -> str:
    """The bucket that `pilotlight state init` makes, as Pulumi's backend URL (Pulumi docs, "AWS S3")."""
    return f"s3://{names.state_bucket}?region={names.standby}&awssdk=v2"


def secrets_url(names: Names) -> str:
    """The key that `pilotlight state init` makes, as Pulumi's secrets provider (Pulumi docs, "AWS KMS")."""
    return f"awskms://{names.state_key_alias}?region={names.standby}&awssdk=v2"


def _secrets(names: Names, backend: str | None) -> str:
    if any(os.environ.get(name) for name in PASSPHRASE_VARIABLES):
        return "passphrase"
    return "default" if backend else secrets_url(names)


def confirm(here: Place, yes: bool, what: str) -> None:
    """Ask before an AWS account is changed; the embedded cloud is changed without a question."""
    if yes or here.target is Target.LOCAL:
        return
    if not sys.stdin.isatty() or not typer.confirm(f"{what}?", err=True):
        raise NotConfirmed(what=what)


def show(act: str, made: Deployment, json: bool, **more: Any) -> None:
    """The summary by stack, as a person or a script reads it."""
    if json:
        each = [
            {"stack": result.stack, "operation": event.operation, "urn": event.urn, "keys": event.keys}
            for result in made.stacks
            for event in result.operations
            if event.operation not in UNCHANGED
        ]
        found = {"schema": f"pilotlight/{act}/1", "changes": made.changes, "stacks": made.counts(), "resources": each}
        print_json(found | more)
    else:
        print(f"{made.changes} changes")


def _tell(tell: Callable[[str], None], stack: str, event: Event) -> None:
    if event.operation not in UNCHANGED:
        keys = f"  ({', '.join(event.keys)})" if event.operation in ("update", "replace") and event.keys else ""
        tell(f"  {stack:8} {event.operation:8} {event.type.rpartition(':')[2]} {event.urn.rpartition('::')[2]}{keys}")
