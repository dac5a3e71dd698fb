"""A Pulumi project of a user's own: the stacks vault, primary and standby from the files beside its `__main__.py`.

`pilotlight export-pulumi` writes it. The stack that is selected decides which program runs; names and URNs are those of
`pilotlight up`, so a state moves from one to the other by `pulumi stack export` and `import`.
"""

from __future__ import annotations

from pathlib import Path

import pulumi

from pilotlight.runtime.errors import NoSuchStack
from pilotlight.runtime.naming import STACKS
from pilotlight.runtime.records import codec
from pilotlight.runtime.records.inventory import Inventory
from pilotlight.stacks import program

INVENTORY = "inventory.json"
ARCHIVE = "pilotlight-runtime.zip"


def run(folder: Path) -> None:
    """Register the selected stack's resources; `folder` holds the inventory and the Lambda archive."""
    inventory = codec.loads(Inventory, (folder / INVENTORY).read_text(), str(folder / INVENTORY))
    stack = pulumi.get_stack()
    if stack == "vault":
        program.vault(inventory)
    elif stack == "primary":
        program.primary(inventory)
    elif stack == "standby":
        program.standby(inventory, folder / ARCHIVE)
    else:
        raise NoSuchStack(stack=stack, known=", ".join(STACKS))


def region(inventory: Inventory, stack: str) -> str:
    """Where the resources of a stack are, unless one says otherwise."""
    return inventory.primary if stack == "primary" else inventory.standby
