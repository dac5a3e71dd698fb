"""`export-pulumi`: a plain Pulumi project, which a user can keep in their repository and run with `pulumi up`.

Pulumi.yaml and one configuration for each stack, a `__main__.py` of a few lines, the inventory as surveyed, the Lambda
archive, and what to install. Written again, it leaves the stacks' configurations as the user has them; a folder that
holds other things and no export is left alone.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from pilotlight.deploy import archive
from pilotlight.runtime.errors import FolderNotOurs
from pilotlight.runtime.naming import STACKS
from pilotlight.runtime.records import codec
from pilotlight.runtime.records.inventory import Inventory
from pilotlight.stacks import project

STACK_SETTINGS = "Pulumi."
"""`Pulumi.<stack>.yaml` gets the key of the stack's secrets once it is used; `Pulumi.yaml` is kept with them."""
PACKAGES = ("pilotlight", "pulumi", "pulumi-aws")
MAIN = '''"""Protection of the workload {workload}: the selected stack decides which program runs."""

from pathlib import Path

from pilotlight.stacks import project

project.run(Path(__file__).parent)
'''
README = """# Protection of {workload}

Written by `pilotlight export-pulumi`. Deploy in this order, with credentials of account {account}:

    python -m venv venv && venv/bin/pip install -r requirements.txt
    pulumi up --stack vault && pulumi up --stack primary && pulumi up --stack standby

`inventory.json` is what runs in {primary} as it was surveyed; `pilotlight export-pulumi` again after it changed.
Project and names are those of `pilotlight up`: a state moves by `pulumi stack export` and `pulumi stack import`.
"""


def export(inventory: Inventory, folder: Path) -> tuple[str, ...]:
    """Write the project; the names of its files. FolderNotOurs where other things lie in the folder and no export."""
    texts = _texts(inventory)
    lying = sorted(each.name for each in folder.iterdir()) if folder.is_dir() else []
    if (folder.exists() and not folder.is_dir()) or (lying and project.INVENTORY not in lying):
        raise FolderNotOurs(folder=folder, first=lying[0] if lying else "it is a file")
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        if not (name.startswith(STACK_SETTINGS) and name in lying):
            (folder / name).write_text(text)
    archive.build(folder)
    return tuple(sorted((*texts, project.ARCHIVE)))


def _texts(inventory: Inventory) -> dict[str, str]:
    facts = {"workload": inventory.workload, "account": inventory.account, "primary": inventory.primary}
    texts = {
        "Pulumi.yaml": f"name: {inventory.names.project}\nruntime:\n  name: python\n  options:\n    virtualenv: venv\n",
        "__main__.py": MAIN.format(**facts),
        "README.md": README.format(**facts),
        "requirements.txt": "".join(f"{name}=={version(name)}\n" for name in PACKAGES),
        project.INVENTORY: codec.dumps(inventory),
    }
    for stack in STACKS:
        texts[f"Pulumi.{stack}.yaml"] = f"config:\n  aws:region: {project.region(inventory, stack)}\n"
    return texts
