"""The verbs, assembled. Each is one file, imported when it is asked for: completion loads nothing else."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Annotated

import typer

from pilotlight import __version__
from pilotlight.cli.verbs import HELP, VERBS, Verb


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
