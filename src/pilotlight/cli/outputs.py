"""`pilotlight outputs`: every export of every stack, for scripts and other programs."""

from __future__ import annotations

from typing import Any

from pilotlight.cli.deploying import BackendOption, Only, SecretsOption, chosen, engine
from pilotlight.cli.talk import Directory, Json, print_json
from pilotlight.cli.target import DEFAULT_DECLARATION, Declaration, Target, TargetOption, place
from pilotlight.engine.results import PARALLEL


def outputs(
    directory: Directory,
    declaration: Declaration = DEFAULT_DECLARATION,
    target: TargetOption = Target.LOCAL,
    only: Only = None,
    backend: BackendOption = None,
    secrets: SecretsOption = None,
    json: Json = False,
) -> None:
    """Print what the stacks export: bucket names by asset, and what other programs refer to; reads the state alone."""
    stacks = chosen(only)
    here = place(declaration, target, directory)
    here.inventory()
    deployer = engine(here, backend, secrets, PARALLEL)
    found = {stack: deployer.outputs(stack) for stack in stacks}
    if json:
        print_json({"schema": "pilotlight/outputs/1", "stacks": found})
        return
    for stack, exports in found.items():
        for name, value in sorted(exports.items()):
            for line in _lines(name, value):
                print(f"{stack:8} {line}")


def _lines(name: str, value: Any) -> list[str]:
    if isinstance(value, dict):
        return [f"{name}.{key}: {each}" for key, each in sorted(value.items())]
    return [f"{name}: {value}"]
