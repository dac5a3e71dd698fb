"""The survey of keys: what the originals are encrypted with can be used, or nothing of them is copied.

Each key is asked for once. A key that is disabled or about to be deleted fails each snapshot copy and each replica, one
by one (KMS Developer Guide, "Key states of AWS KMS keys"). Roles of ours may use keys of the workload's account alone.
"""

from __future__ import annotations

from pilotlight.runtime.errors import CallRefused
from pilotlight.runtime.naming import Names
from pilotlight.survey.findings import Findings

USABLE = ("Enabled", "Updating")
"""KMS API, KeyState: those in which a key decrypts."""
WAYS_OUT = {
    "Disabled": "enable it (aws kms enable-key)",
    "PendingDeletion": "keep it (aws kms cancel-key-deletion, then aws kms enable-key)",
}


def check(findings: Findings, names: Names) -> None:
    """Every key that was met while the originals were surveyed."""
    assets: dict[str, list[tuple[str, str]]] = {}
    for asset, what, key in findings.keys:
        assets.setdefault(key, []).append((asset, what))
    for key, users in assets.items():
        problem = _problem(findings, names, key)
        for asset, what in users if problem else ():
            findings.add(asset, f"key {key} of {what} {problem}")


def _problem(findings: Findings, names: Names, key: str) -> str:
    """What is wrong with a key, after its name, or nothing."""
    owner = account_of(key)
    if owner not in ("", names.account):
        return (
            f"is of account {owner}, and what copies may use keys of {names.account} alone; encrypt with a key of this "
            "account"
        )
    try:
        found = findings.client.call("kms", "describe_key", findings.region, KeyId=key)["KeyMetadata"]
    except CallRefused as refusal:
        return f"cannot be read ({refusal.facts.get('reason', refusal.message)})"
    state = str(found.get("KeyState", "Enabled"))
    if state in USABLE:
        return ""
    return f"is {state}, so nothing that it encrypts can be copied; {WAYS_OUT.get(state, 'make it usable')}"


def account_of(key: str) -> str:
    """The account in a key's ARN; empty where an id or an alias is named (pure)."""
    parts = key.split(":")
    return parts[4] if len(parts) > 5 else ""
