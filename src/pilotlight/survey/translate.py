"""User data and policies of the primary region, said in the standby region's words (pure).

AMI ids, bucket names, endpoints and regions are bound to a region; a copy that still names the primary's reads the dead
region's bucket (FACTS P23, P25: apache/iceberg issue 5779, aws-samples/lake-formation-permissions-sync issue 11).
Identifiers are replaced in one pass, the longest first, so that nothing is replaced twice, and never inside a longer
word: `models` stays in `models.example.internal`, and zone `us-east-1a` is not region `us-east-1`.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from dataclasses import dataclass

from pilotlight.stacks import placeholders

USER_DATA_BYTES_MAX = 16_384
"""EC2 User Guide, "Run commands on your Linux instance at launch": before Base64."""

_WORD = "A-Za-z0-9_-"
_BEFORE = rf"(?<![{_WORD}])"
_AFTER = rf"(?![{_WORD}])"
_BEFORE_BUCKET = rf"(?<![.{_WORD}])"
_AFTER_BUCKET = rf"(?![{_WORD}])(?!\.(?!s3[.-])[A-Za-z0-9])"
"""A name may hold dots, so a dot goes on with the word; but `bucket.s3.region.amazonaws.com` names the bucket."""
_BEFORE_HOST = rf"(?<![.{_WORD}])"
_AFTER_HOST = rf"(?![{_WORD}])(?!\.[A-Za-z0-9])"


@dataclass(frozen=True)
class Endpoint:
    """A database of the primary region: host names of writer and reader, its port."""

    asset: str
    host: str
    reader: str
    port: int


@dataclass(frozen=True)
class Dictionary:
    """Primary word -> standby word. `clusters` are cluster identifiers, which are translated in ARNs alone."""

    primary: str
    standby: str
    buckets: dict[str, str]
    endpoints: tuple[Endpoint, ...] = ()
    clusters: dict[str, str] | None = None


def translate(text: str, words: Dictionary) -> str:
    """The text with every identifier of the primary replaced; databases become marks that Compute fills."""
    rules = _rules(words)
    if not rules:
        return text
    pattern = re.compile("|".join(f"(?P<r{index}>{rule})" for index, (rule, _) in enumerate(rules)))

    def replacement(match: re.Match[str]) -> str:
        return rules[int((match.lastgroup or "r0")[1:])][1]

    return pattern.sub(replacement, text)


def translate_user_data(encoded: str, words: Dictionary) -> str:
    """Base64 in, Base64 out. ValueError says what is wrong: not text, or longer than EC2 takes afterwards."""
    try:
        plain = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as problem:
        raise ValueError("its user data is not plain text (compressed or binary) and cannot be translated") from problem
    translated = translate(plain, words).encode()
    if len(translated) > USER_DATA_BYTES_MAX:
        raise ValueError(f"its user data is {len(translated)} bytes after translation; EC2 takes {USER_DATA_BYTES_MAX}")
    return base64.b64encode(translated).decode()


def _rules(words: Dictionary) -> list[tuple[str, str]]:
    """(pattern, replacement), the longest identifier first, so that a part never wins over the whole."""
    found: list[tuple[str, str, str]] = []
    for endpoint in words.endpoints:
        found += _endpoint_rules(endpoint)
    for bucket, copy in words.buckets.items():
        found.append((bucket, f"{_BEFORE_BUCKET}{re.escape(bucket)}{_AFTER_BUCKET}", copy))
    for cluster, counterpart in (words.clusters or {}).items():
        found.append((cluster, f"(?<=:cluster:){re.escape(cluster)}{_AFTER}", counterpart))
    found.append((words.primary, f"{_BEFORE}{re.escape(words.primary)}{_AFTER}", words.standby))
    found.sort(key=lambda rule: (-len(rule[0]), rule[0]))
    return [(pattern, replacement) for _, pattern, replacement in found]


def _endpoint_rules(endpoint: Endpoint) -> list[tuple[str, str, str]]:
    """`host:port` always; a host alone only where it is a name, because an address may mean anything."""
    rules = []
    port = placeholders.database(endpoint.asset, placeholders.PORT)
    for host, part in ((endpoint.host, placeholders.ENDPOINT), (endpoint.reader, placeholders.READER)):
        if not host or (part == placeholders.READER and host == endpoint.host):
            continue
        mark = placeholders.database(endpoint.asset, part)
        both = f"{host}:{endpoint.port}"
        rules.append((both, f"{_BEFORE_HOST}{re.escape(both)}(?![0-9])", f"{mark}:{port}"))
        if not _is_address(host):
            rules.append((host, f"{_BEFORE_HOST}{re.escape(host)}{_AFTER_HOST}", mark))
    return rules


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return True
