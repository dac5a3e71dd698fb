"""What people may do: the deployer, who puts protection up and down, the operator, who uses it, and in the account of a
vault that has one of its own the role that the deployer assumes there.

The actions come from `people.json`: those that a rehearsal was recorded to need (`make permissions`), sorted by the
kind of resource that they were needed on (people_kinds.py); what no rehearsal can show is added with its reason
(supplementary.py). Tests run everybody with exactly these documents, and compare what they used with what they have.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from importlib.resources import files

from pilotlight.runtime.records.inventory import Inventory
from pilotlight.stacks.people_kinds import KINDS, kind_of
from pilotlight.stacks.policies import Document, Statement, allow, document
from pilotlight.stacks.supplementary import DEPLOYER, OPERATOR, VAULT, besides

RECORDED = "people.json"
WITHIN, APART = "within", "apart"
"""How people.json is divided: the vault in the workload's account, and in one of its own."""
DOCUMENT_CHARACTERS_MAX = 6144
"""Of a managed policy, without whitespace (IAM User Guide, "IAM and AWS STS quotas")."""


def everybody(inventory: Inventory) -> tuple[str, ...]:
    """Whose documents there are."""
    return (DEPLOYER, OPERATOR, VAULT) if inventory.vault else (DEPLOYER, OPERATOR)


def documents(who: str, inventory: Inventory) -> tuple[Document, ...]:
    """Somebody's policies, each small enough for a managed policy."""
    full: list[list[Statement]] = [[]]
    for statement in _statements(who, inventory):
        if _characters([*full[-1], statement]) > DOCUMENT_CHARACTERS_MAX:
            full.append([])
        full[-1].append(statement)
    return tuple(document(*each) for each in full)


def recorded(inventory: Inventory) -> dict[str, dict[str, list[str]]]:
    """Person -> kind -> actions, as the last recording had them."""
    found: dict[str, dict[str, dict[str, list[str]]]] = json.loads(
        files("pilotlight.stacks").joinpath(RECORDED).read_text()
    )
    return found[APART if inventory.vault else WITHIN]


def sorted_by_kind(who: str, uses: Iterable[tuple[str, str, str]], inventory: Inventory) -> dict[str, list[str]]:
    """Kind -> actions, from (region, action, resource) as the embedded cloud's record has them (pure)."""
    found: dict[str, set[str]] = {}
    for _, action, resource in uses:
        found.setdefault(kind_of(action, resource, _seen_by(who, inventory)).name, set()).add(action)
    return {name: sorted(actions) for name, actions in sorted(found.items())}


def _seen_by(who: str, inventory: Inventory) -> Inventory:
    """The same names; but what the role of the vault's account acts on is in that account."""
    if who != VAULT or inventory.vault is None:
        return inventory
    return replace(inventory, account=inventory.vault.account, vault=None)


def _statements(who: str, inventory: Inventory) -> list[Statement]:
    actions = {name: set(found) for name, found in recorded(inventory)[who].items()}
    for each in besides(who, inventory.vault is not None):
        actions.setdefault(each.kind, set()).update(each.actions)
    statements, seen = [], _seen_by(who, inventory)
    for kind in KINDS:
        arns = kind.arns(seen)
        if arns and kind.name in actions:
            condition = kind.condition(seen) if kind.condition else None
            statements.append(allow(kind.name, sorted(actions[kind.name]), arns, condition))
    return statements


def _characters(statements: list[Statement]) -> int:
    return len("".join(json.dumps(document(*statements)).split()))
