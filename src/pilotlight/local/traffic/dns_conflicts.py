"""Which record sets Route 53 takes beside each other; moto takes any.

Route 53 API Reference, ResourceRecordSet (SetIdentifier: simple records and those with a routing policy do not share
name and type) and Developer Guide, "Supported DNS record types" (a CNAME has its name for itself). The words are those
that AWS answers with, as reported in terraform-provider-aws and external-dns issues. A batch is judged as a whole, and
all of it is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from moto.route53.exceptions import Route53ClientError
from moto.route53.models import Route53Backend

from pilotlight.local.overrides import original, override

_change = original(Route53Backend, "change_resource_record_sets")

Key = tuple[str, str, str]
"""Name, type and set identifier of a record set."""


class Conflict(Route53ClientError):
    """InvalidChangeBatch, with every conflict."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("InvalidChangeBatch", f"[{', '.join(problems)}]")


def install() -> None:
    """Judge each batch before moto carries it out."""

    def change_resource_record_sets(self: Any, zoneid: str, change_list: list[dict[str, Any]]) -> None:
        there = [(each.name, each.type, each.set_identifier or "") for each in self.get_hosted_zone(zoneid).rrsets]
        problems = list(conflicts(there, change_list))
        if problems:
            raise Conflict(problems)
        _change(self, zoneid, change_list)

    override(Route53Backend, change_resource_record_sets=change_resource_record_sets)


def conflicts(there: list[Key], changes: list[dict[str, Any]]) -> Iterator[str]:
    """What a batch would put beside something that does not stand it (pure)."""
    kept = {_plain(each) for each in there}
    for change in changes:
        key = _key(change["ResourceRecordSet"])
        if change["Action"] == "DELETE":
            kept.discard(key)
            continue
        yield from _beside(key, kept - {key})
        kept.add(key)


def _beside(key: Key, others: set[Key]) -> Iterator[str]:
    name, what, identifier = key
    alike = [each for each in others if each[:2] == (name, what)]
    if identifier and any(not each[2] for each in alike):
        yield (
            f"RRSet with DNS name {name}., type {what}, SetIdentifier {identifier} cannot be created as a non-weighted "
            "set exists with the same name and type."
        )
    if not identifier and any(each[2] for each in alike):
        yield (
            f"RRSet with DNS name {name}., type {what} cannot be created as other RRSets exist with the same name and "
            "type."
        )
    kinds = {each[1] for each in others if each[0] == name} - {what}
    if what == "CNAME" and kinds:
        yield f"RRSet of type CNAME with DNS name {name}. is not permitted as it conflicts with other records"
    elif "CNAME" in kinds:
        yield (
            f"RRSet of type {what} with DNS name {name}. is not permitted because a conflicting RRSet of type CNAME "
            "with the same DNS name already exists in zone"
        )


def _key(record: dict[str, Any]) -> Key:
    return _plain((str(record["Name"]), str(record["Type"]), str(record.get("SetIdentifier") or "")))


def _plain(key: Key) -> Key:
    return (key[0].rstrip(".").lower(), key[1], key[2])
