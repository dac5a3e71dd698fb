"""`pilotlight iam`: the policies of whoever deploys, of whoever operates, of the role that lets a deployer into the
account of a vault of its own, and of the roles that the stacks make."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from pilotlight.cli.talk import Directory, Json, print_json
from pilotlight.cli.target import DEFAULT_DECLARATION, Declaration, Target, TargetOption, place
from pilotlight.runtime.errors import BadOption


class Who(StrEnum):
    """Two people, their way into another account, and everything that runs by itself."""

    DEPLOYER = "deployer"
    OPERATOR = "operator"
    VAULT = "vault"
    RUNTIME = "runtime"


def iam(
    who: Annotated[Who, typer.Argument(help="Whose policies.")],
    directory: Directory,
    declaration: Declaration = DEFAULT_DECLARATION,
    target: TargetOption = Target.LOCAL,
    json: Json = False,
) -> None:
    """Print exactly what each may do: `--json` gives policy documents as IAM takes them."""
    from pilotlight.deploy.current import current_inventory
    from pilotlight.stacks import people, roles

    here = place(declaration, target, directory)
    if who is Who.VAULT and here.workload.vault is None:
        reason = "the declaration names no account of its own for the vault"
        raise BadOption(option="iam", value=who.value, reason=reason, expected="deployer, operator or runtime")
    inventory = current_inventory(here.workload, here.account, here.client, here.clock)
    if who is Who.RUNTIME:
        found: dict[str, Any] = roles.documents(inventory)
    else:
        found = {f"{here.names.role(who)}-{number}": one for number, one in enumerate(people.documents(who, inventory))}
    if json:
        print_json({"schema": "pilotlight/iam/1", "who": who.value, "policies": found})
        return
    for name, document in found.items():
        print(name)
        for statement in document["Statement"]:
            narrowed = "  with a condition" if "Condition" in statement else ""
            print(f"  {statement.get('Sid', '')}: {len(statement['Action'])} actions{narrowed}")
            for action in statement["Action"]:
                print(f"    {action}")
            for resource in statement["Resource"]:
                print(f"      on {resource}")
