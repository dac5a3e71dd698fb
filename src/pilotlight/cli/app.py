"""The verbs, assembled. Each is one file, imported when it is asked for: help, and completion, load nothing else."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Annotated, NamedTuple

import typer

from pilotlight import __version__

HELP = "Disaster recovery as code for AI workloads on AWS."


class Verb(NamedTuple):
    """Where a verb is - a function, or a Typer app with verbs of its own - and the first sentence of its help, which
    `pilotlight --help` prints without importing it."""

    place: str
    help: str


VERBS = {
    "local": Verb("local:app", "The embedded cloud: AWS APIs for several regions on this machine."),
    "demo": Verb(
        "demo:demo",
        "Lose a region and come home again: deploy, protect, backfill, serve, go dark, recover, measure, fail back.",
    ),
    "plan": Verb(
        "plan:plan",
        "Mechanism, forecast and warnings by asset; with --target also the settings that are not carried over.",
    ),
    "state": Verb("state:app", "The state of the stacks: init, restore."),
    "iam": Verb("iam:iam", "Print exactly what each may do: `--json` gives policy documents as IAM takes them."),
    "preview": Verb(
        "preview:preview",
        "Survey the primary region and tell what would be created, updated, replaced and deleted; changes nothing.",
    ),
    "up": Verb("up:up", "Survey the primary region and deploy the stacks vault, primary and standby."),
    "refresh": Verb(
        "refresh:refresh",
        "Look at every resource and take what was found over into the state; changes nothing in AWS.",
    ),
    "drift": Verb(
        "refresh:drift",
        "Look at every resource and name what is not as the state says, with exit code 7; changes nothing.",
    ),
    "destroy": Verb(
        "destroy:destroy",
        "Delete the stacks standby and primary, once every original was seen to be in the primary region.",
    ),
    "outputs": Verb(
        "outputs:outputs",
        "Print what the stacks export: bucket names by asset, and what other programs refer to; reads the state alone.",
    ),
    "export-pulumi": Verb(
        "export_pulumi:export_pulumi",
        "Survey the primary region and write a plain Pulumi project with the names of `up`: moving changes nothing.",
    ),
    "backfill": Verb(
        "backfill:backfill",
        "Objects from before the rules, and failed ones; a bucket counts as protected once this has proven it.",
    ),
    "points": Verb("points:app", "Recovery points: list, show, verify, refuse."),
    "checkpoints": Verb("checkpoints:app", "Checkpoints: verify any, and write the manifest of a generic one."),
    "status": Verb("status:status", "Where the workload stands, and how old that knowledge is."),
    "failover": Verb(
        "failover:failover",
        "Fail over now, or go on with a failover that was left: steps that were proven are not repeated.",
    ),
    "failback": Verb(
        "failback:failback",
        "Fail back now, or go on with a failback that was left: steps that were proven are not repeated.",
    ),
}
"""In the order of a person's first days with it."""


def assembled(*wanted: str) -> typer.Typer:
    """The command with these verbs; of the others it knows their names and what they are for."""
    app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help=HELP)
    app.callback(invoke_without_command=True)(root)
    for name, verb in VERBS.items():
        _add(app, name, _found(verb) if name in wanted else _named(verb))
    return app


def _add(app: typer.Typer, name: str, found: typer.Typer | Callable[..., None]) -> None:
    if isinstance(found, typer.Typer):
        app.add_typer(found, name=name)
    else:
        app.command(name=name)(found)


def _found(verb: Verb) -> typer.Typer | Callable[..., None]:
    module, _, name = verb.place.partition(":")
    found: typer.Typer | Callable[..., None] = getattr(import_module(f"pilotlight.cli.{module}"), name)
    return found


def _named(verb: Verb) -> Callable[[], None]:
    def unread() -> None: ...

    unread.__doc__ = verb.help
    return unread


def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Disaster recovery as code for AI workloads on AWS."""
    if version:
        print(__version__)
        raise typer.Exit
