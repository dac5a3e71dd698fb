"""The record that clients ask for already: handed over to the failover pair, and given back at the end.

Route 53 takes no failover record beside a simple one of the same name and type, and no A record beside a CNAME. A
change batch is carried out whole or not at all (Route 53 API Reference, ChangeResourceRecordSets), so in one batch the
simple record goes and the first half of the pair comes, which answers the same: there is no moment without an answer.
The stack then writes over that half. What the record was is kept in the vault, and is there again after a `destroy`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pilotlight.runtime.arns import GLOBAL_REGION
from pilotlight.runtime.aws.client import AwsClient
from pilotlight.runtime.naming import Names
from pilotlight.runtime.records.inventory import Traffic
from pilotlight.runtime.store.record_bucket import RecordBucket
from pilotlight.survey.findings import Findings
from pilotlight.survey.zone import points
from pilotlight.survey.zone_records import records_of

RECORD = "aws:route53/record:Record"
ANSWERS = ("A", "AAAA", "CNAME")
"""The types that decide where clients go."""

Properties = dict[str, Any]


def problems(records: list[Properties], balancer: str) -> Iterator[str]:
    """Why the records of the name that the pair will have cannot be handed over (pure); none of them is of a pair of
    ours. `balancer`: DNS name of the primary's, which the pair will answer with."""
    for each in records:
        what = f"record {each['Name'].rstrip('.')} {each['Type']}"
        if each["Type"] not in ANSWERS:
            continue
        if each["Type"] == "AAAA":
            yield (
                f"{what} sends clients to the primary region by IPv6, and the standby balancer has IPv4 alone, so they "
                "would stay with a lost region; delete that record, the A record answers them"
            )
        elif each.get("SetIdentifier"):
            yield f"{what} has a routing policy of its own ({each['SetIdentifier']}); replace it by a simple record"
        elif balancer and not points(each, balancer):
            yield (
                f"{what} answers with {_target(each)}, not with the balancer {balancer} of the group; point it there, "
                "or declare another name as `record`"
            )


def simple(records: list[Properties]) -> Properties | None:
    """The record that would be handed over (pure)."""
    return next((each for each in records if each["Type"] in ("A", "CNAME") and not each.get("SetIdentifier")), None)


def remark(record: Properties) -> str:
    """What whoever owns the record has to know (pure)."""
    return (
        f"record {record['Name'].rstrip('.')} {record['Type']} becomes the first half of a failover pair, in one step "
        "with no moment without an answer; take it out of what made it, or that will fail on the pair. `pilotlight "
        "destroy` gives it back"
    )


def survey(findings: Findings, asset: str, records: list[Properties], balancer: str) -> None:
    """What stands in the way of the pair is a problem; what is handed over is told."""
    found = list(problems(records, balancer))
    for each in found:
        findings.add(asset, each)
    standing = simple(records)
    if standing and not found:
        findings.remark(asset, remark(standing))


def hand_over(
    client: AwsClient, names: Names, front: Traffic, records: RecordBucket, say: Callable[[str], None]
) -> None:
    """Make the simple record of the name, if there is one, the first half of the pair."""
    found = simple(records_of(client, front.zone_id, front.record))
    if found is None:
        return
    records.write_record(found)
    half = {
        "Name": front.record,
        "Type": "A",
        "SetIdentifier": names.record("primary"),
        "Failover": "PRIMARY",
        "AliasTarget": {
            "DNSName": front.primary_balancer_dns,
            "HostedZoneId": front.primary_balancer_zone,
            "EvaluateTargetHealth": True,
        },
    }
    _change(client, front, ("DELETE", found), ("UPSERT", half))
    say(f"  standby: record {front.record} {found['Type']} is the first half of a failover pair, and answers the same")


def give_back(
    client: AwsClient, names: Names, front: Traffic, records: RecordBucket, say: Callable[[str], None]
) -> None:
    """Put the simple record back in the place of the pair; nothing where there was none, or where it is back."""
    before = records.record()
    ours = [each for each in records_of(client, front.zone_id, front.record) if _is_ours(each, names)]
    if before is None or not ours:
        return
    _change(client, front, *(("DELETE", each) for each in ours), ("UPSERT", _at(before, front)))
    say(f"  standby: record {front.record} {before['Type']} is simple again, and answers with the primary region")


def _at(before: Properties, front: Traffic) -> Properties:
    """As it was, but pointing at the balancer of today: the group may have got another since."""
    alias = before.get("AliasTarget")
    if alias:
        target = {"DNSName": front.primary_balancer_dns, "HostedZoneId": front.primary_balancer_zone}
        return before | {"AliasTarget": alias | target}
    return before | {"ResourceRecords": [{"Value": front.primary_balancer_dns}]}


def _is_ours(record: Properties, names: Names) -> bool:
    return record.get("SetIdentifier") in (names.record("primary"), names.record("standby"))


def _target(record: Properties) -> str:
    values = [str(each["Value"]) for each in record.get("ResourceRecords", [])]
    return str(record.get("AliasTarget", {}).get("DNSName", "")).rstrip(".") or ", ".join(values)


def _change(client: AwsClient, front: Traffic, *changes: tuple[str, Properties]) -> None:
    batch = {"Changes": [{"Action": action, "ResourceRecordSet": record} for action, record in changes]}
    about = {"HostedZoneId": front.zone_id, "ChangeBatch": batch}
    client.call("route53", "change_resource_record_sets", GLOBAL_REGION, **about)
