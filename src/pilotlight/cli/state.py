"""`pilotlight state init`: where Pulumi keeps what it knows, in the standby region."""

from __future__ import annotations

import typer

from pilotlight.cli.deploying import secrets_url, state_url
from pilotlight.cli.talk import Directory, Json, print_json, say
from pilotlight.cli.target import DEFAULT_DECLARATION, Declaration, Target, TargetOption, place

app = typer.Typer(no_args_is_help=True, help="Pulumi's state in the standby region: init.")


@app.command()
def init(
    directory: Directory,
    declaration: Declaration = DEFAULT_DECLARATION,
    target: TargetOption = Target.AWS,
    json: Json = False,
) -> None:
    """Make a versioned, encrypted, private bucket and a key for Pulumi's state; again mends what is missing."""
    from pilotlight.deploy import state_bucket

    here = place(declaration, target, directory)
    made = state_bucket.make(here.names, here.door, say)
    backend, secrets = state_url(here.names), secrets_url(here.names)
    if json:
        print_json({"schema": "pilotlight/state/1", "made": made, "backend": backend, "secrets_provider": secrets})
    else:
        print(f"backend: {backend}\nsecrets: {secrets}")
