"""The survey of names: whether anything that is not ours bears a name that the stacks are about to give.

What is deployed already is ours, and not asked for: a second `up` asks nothing. What a first `up` left half done is
told by its tags, and passes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pilotlight.runtime.aws.absence import says_absent
from pilotlight.runtime.aws.client import AwsClient, aws_code
from pilotlight.runtime.errors import CallRefused
from pilotlight.runtime.naming import STACKS, TAG_WORKLOAD, Names
from pilotlight.runtime.records.inventory import Inventory
from pilotlight.survey.findings import Findings
from pilotlight.survey.named import Named, named
from pilotlight.workload.model import Workload

SOMEBODYS = frozenset({"403", "301", "AccessDenied", "Forbidden", "PermanentRedirect"})
"""What S3 answers to HeadBucket where the bucket is another account's, or in another region (S3 API, HeadBucket)."""
DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationErrorException"})
RENAME = "delete or rename it, or declare another name"

Properties = dict[str, Any]


def check(
    findings: Findings,
    workload: Workload,
    names: Names,
    originals: dict[str, str],
    kept: Inventory | None,
    vault: AwsClient | None,
) -> None:
    """Every name that is yet to be given and is taken becomes a problem of its asset. `vault`: the client of the
    account of the vault; without it, what is there is not looked for."""
    for each in _wanted(workload, names, originals, kept):
        client = vault if each.apart else findings.client
        if client is None:
            continue
        try:
            problem = _taken(client, each, names.workload)
        except CallRefused as refusal:
            reason = refusal.facts.get("reason", refusal.message)
            problem = f"whether {each.kind.what} {each.name} is taken cannot be read ({reason})"
        if problem:
            findings.add(each.asset, problem, each.region)


def _wanted(workload: Workload, names: Names, originals: dict[str, str], kept: Inventory | None) -> Iterable[Named]:
    kinds = {name: asset.kind for name, asset in workload.assets.items()}
    everything = named(names, kinds, workload.traffic is not None, originals)
    ours = _deployed(kept)
    return [each for each in everything if (each.stack, each.kind.what, each.name, each.apart) not in ours]


def _deployed(kept: Inventory | None) -> set[tuple[str, str, str, bool]]:
    """What the last `up` made, as its inventory tells; one of an older edition does not tell stacks, and made all."""
    if kept is None:
        return set()
    kinds = {each.name: each.kind for each in kept.assets}
    stacks = kept.stacks or STACKS
    return {
        (each.stack, each.kind.what, each.name, each.apart)
        for each in named(kept.names, kinds, kept.traffic is not None, {})
        if each.stack in stacks
    }


def _taken(client: AwsClient, wanted: Named, workload: str) -> str:
    """What is wrong with this name, or nothing."""
    kind = wanted.kind
    try:
        found = _found(client, wanted)
    except CallRefused as refusal:
        if says_absent(refusal):
            return ""
        if kind.operation == "head_bucket" and aws_code(refusal) in SOMEBODYS:
            return f"bucket {wanted.name} is somebody else's, or in another region; {RENAME}"
        raise
    if found is None:
        return ""
    owner = workload if wanted.ours and wanted.ours(found) else _owner(client, wanted, found)
    if owner == workload:
        return ""
    whose = f"workload {owner}'s" if owner else f"not this workload's (it has no tag {TAG_WORKLOAD}={workload})"
    return f"{kind.what} {wanted.name} exists already and is {whose}; {RENAME}"


def _found(client: AwsClient, wanted: Named) -> Properties | None:
    """The thing of this name; a listing may be empty, or have more than was asked for."""
    kind = wanted.kind
    pages = client.pages(kind.service, kind.operation, wanted.region, **kind.asks(wanted.name))
    for page in pages:
        inside = page[kind.found] if kind.found else page
        for each in inside if isinstance(inside, list) else [inside]:
            if not kind.named or each[kind.named] == wanted.name:
                return dict(each)
    return None


def _owner(client: AwsClient, wanted: Named, found: Properties) -> str:
    """The workload that a thing is tagged as part of; empty where it is of none, or may not be asked."""
    kind = wanted.kind
    if kind.tagged_by is None:
        return _tag(found.get(kind.tags, []))
    operation, parameter, member, tags = kind.tagged_by
    told = str(found[member] if member else wanted.name).removesuffix(":*")
    about = {parameter: [told] if parameter.endswith("s") else told}
    try:
        answer = client.call(kind.service, operation, wanted.region, **about)[tags]
    except CallRefused as refusal:
        if says_absent(refusal) or aws_code(refusal) in DENIED:
            return ""
        raise
    return _tag(answer[0]["Tags"] if tags == "TagDescriptions" else answer)


def _tag(tags: Any) -> str:
    """The value of our tag, in whichever form a service tells tags."""
    if isinstance(tags, dict):
        return str(tags.get(TAG_WORKLOAD, ""))
    pairs = [(each.get("Key") or each.get("TagKey"), each.get("Value") or each.get("TagValue")) for each in tags]
    return str(dict(pairs).get(TAG_WORKLOAD) or "")
