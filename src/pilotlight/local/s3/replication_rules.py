"""What a replication configuration says: read, checked, and asked which objects go where (pure).

Source: S3 API Reference, "PutBucketReplication", "ReplicationRule"; S3 User Guide, "Replication configuration file
elements" (priority decides between rules with one destination; a filter by tags leaves delete markers out).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import xmltodict  # type: ignore[import-untyped]

RULES_MAX = 1000
"""S3 User Guide, "Replication configuration": up to 1,000 rules."""

Configuration = dict[str, Any]


class Unacceptable(Exception):
    """A configuration that S3 refuses: error code and message."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


@dataclass(frozen=True)
class Rule:
    """One rule. `replica_key` names the KMS key of replicas; `storage_class` is None for that of the source."""

    id: str
    priority: int
    is_enabled: bool
    prefix: str
    tags: tuple[tuple[str, str], ...]
    destination: str
    storage_class: str | None
    replica_key: str | None
    selects_kms: bool
    replicates_markers: bool
    replicates_modifications: bool
    has_metrics: bool
    threshold_minutes: int | None = None
    """With Replication Time Control, when an object is late."""

    def selects(self, key: str, tags: Mapping[str, str]) -> bool:
        """Whether an object of this name and with these tags is in its scope."""
        return self.is_enabled and key.startswith(self.prefix) and all(tags.get(n) == v for n, v in self.tags)

    def selects_marker(self, key: str) -> bool:
        """Whether a delete marker on this name is."""
        return self.replicates_markers and not self.tags and self.selects(key, {})


def read(xml: str | bytes) -> Configuration:
    """The configuration as boto3 has it: Role and Rules."""
    try:
        found = xmltodict.parse(xml, dict_constructor=dict, force_list=("Rule", "Tag"))["ReplicationConfiguration"]
        return {"Role": found["Role"], "Rules": [_read_rule(rule) for rule in found["Rule"]]}
    except (KeyError, TypeError, ValueError, xmltodict.expat.ExpatError) as problem:
        text = "The XML you provided was not well-formed or did not validate against our published schema"
        raise Unacceptable("MalformedXML", text) from problem


def rules_of(configuration: Configuration | None) -> list[Rule]:
    """Its rules, the weightiest first."""
    rules = [_rule(given) for given in (configuration or {}).get("Rules", ())]
    return sorted(rules, key=lambda rule: -rule.priority)


def first_by_destination(rules: Iterable[Rule]) -> list[Rule]:
    """Of rules that all want the same object, the weightiest for each destination."""
    chosen: dict[str, Rule] = {}
    for rule in rules:
        chosen.setdefault(rule.destination, rule)
    return list(chosen.values())


def check(configuration: Configuration) -> None:
    """What can be wrong with it by itself."""
    rules = configuration["Rules"]
    if not str(configuration["Role"]).startswith("arn:aws:iam::"):
        raise Unacceptable("InvalidArgument", "Invalid Role specified in replication configuration")
    if not 1 <= len(rules) <= RULES_MAX:
        raise Unacceptable("InvalidRequest", f"A replication configuration has 1 to {RULES_MAX} rules.")
    if len({rule["ID"] for rule in rules}) < len(rules):
        raise Unacceptable("InvalidArgument", "Rule Id must be unique")
    priorities = [rule["Priority"] for rule in rules if "Filter" in rule]
    if len(set(priorities)) < len(priorities):
        raise Unacceptable("InvalidRequest", "Found duplicate priority. Priority must be unique.")
    for rule in rules:
        _check_rule(rule)


def _check_rule(rule: dict[str, Any]) -> None:
    if "Filter" in rule and "DeleteMarkerReplication" not in rule:
        text = "DeleteMarkerReplication must be specified for this version of the replication configuration schema."
        raise Unacceptable("InvalidRequest", text)
    parsed = _rule(rule)
    if parsed.tags and parsed.replicates_markers:
        text = "Delete marker replication is not supported if any Tag filter is specified."
        raise Unacceptable("InvalidRequest", text)
    if parsed.selects_kms and not parsed.replica_key:
        text = "EncryptionConfiguration must be specified if SseKmsEncryptedObjects tag is present."
        raise Unacceptable("InvalidRequest", text)
    destination = rule["Destination"]
    if _is_on(destination.get("ReplicationTime")) and not _is_on(destination.get("Metrics")):
        raise Unacceptable("InvalidRequest", "Metrics must be enabled if ReplicationTime is.")


def _read_rule(given: dict[str, Any]) -> dict[str, Any]:
    """xmltodict's form of a rule in boto3's; elements that are there but empty stay there."""
    rule = {name: _plain(value) for name, value in given.items() if not name.startswith("@")}
    if "Filter" in given:
        rule["Filter"] = _read_filter(given["Filter"] or {})
    if "Prefix" in given:
        rule["Prefix"] = given["Prefix"] or ""
    if "Priority" in given:
        rule["Priority"] = int(given["Priority"])
    for name in ("Status", "Destination"):
        if not rule.get(name):
            raise KeyError(name)
    return rule


def _read_filter(given: dict[str, Any]) -> dict[str, Any]:
    if "And" in given:
        both = given["And"] or {}
        prefix = {"Prefix": both["Prefix"] or ""} if "Prefix" in both else {}
        return {"And": {**prefix, "Tags": [_plain(tag) for tag in both.get("Tag", ())]}}
    if "Tag" in given:
        return {"Tag": _plain(given["Tag"][0])}
    return {"Prefix": given.get("Prefix") or ""}


def _plain(value: Any) -> Any:
    """Nested elements without attributes; numbers where the API has numbers."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items() if not name.startswith("@")}
    if isinstance(value, str) and value.isdigit() and len(value) < MINUTES_DIGITS:
        return int(value)
    return value


MINUTES_DIGITS = 4
"""The only numbers inside a rule are minutes; account ids are longer."""


def _rule(given: Mapping[str, Any]) -> Rule:
    where = given["Destination"]
    selection = given.get("SourceSelectionCriteria") or {}
    prefix, tags = _scope(given)
    return Rule(
        id=str(given.get("ID", "")),
        priority=int(given.get("Priority", 0)),
        is_enabled=given["Status"] == "Enabled",
        prefix=prefix,
        tags=tags,
        destination=str(where["Bucket"]).removeprefix("arn:aws:s3:::"),
        storage_class=where.get("StorageClass"),
        replica_key=(where.get("EncryptionConfiguration") or {}).get("ReplicaKmsKeyID"),
        selects_kms=_is_on(selection.get("SseKmsEncryptedObjects")),
        replicates_markers=_is_on(given.get("DeleteMarkerReplication")) or "Filter" not in given,
        replicates_modifications=_is_on(selection.get("ReplicaModifications")),
        has_metrics=_is_on(where.get("Metrics")),
        threshold_minutes=_threshold_minutes(where),
    )


def _threshold_minutes(where: Mapping[str, Any]) -> int | None:
    minutes = (where.get("Metrics") or {}).get("EventThreshold", {}).get("Minutes")
    return int(minutes) if minutes is not None and _is_on(where.get("ReplicationTime")) else None


def _scope(given: Mapping[str, Any]) -> tuple[str, tuple[tuple[str, str], ...]]:
    scope = given.get("Filter")
    if scope is None:
        return str(given.get("Prefix", "")), ()
    both = scope.get("And") or {}
    tags = both.get("Tags") or ([scope["Tag"]] if "Tag" in scope else [])
    prefix = both.get("Prefix") or scope.get("Prefix") or ""
    return str(prefix), tuple((str(tag["Key"]), str(tag["Value"])) for tag in tags)


def _is_on(given: Any) -> bool:
    return isinstance(given, Mapping) and given.get("Status") == "Enabled"
