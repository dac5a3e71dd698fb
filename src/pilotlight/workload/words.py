"""Single values of a declaration: durations with a unit, names, regions, instance types (pure)."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator

from pilotlight.runtime.records.inventory import BY_TAG, LAUNCH_ORDER, SHARED

UNIT_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
DURATION = re.compile(r"^(\d+(?:\.\d+)?)\s*([smhd])$")
DURATION_SECONDS_MAX = 31 * 86400.0
"""Longer than any objective or schedule that recovery can be about; keeps a slip of the unit from passing."""

REGIONS = (
    "af-south-1", "ap-east-1", "ap-east-2", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1",
    "ap-south-2", "ap-southeast-1", "ap-southeast-2", "ap-southeast-3", "ap-southeast-4", "ap-southeast-5",
    "ap-southeast-6", "ap-southeast-7", "ca-central-1", "ca-west-1", "eu-central-1", "eu-central-2", "eu-north-1",
    "eu-south-1", "eu-south-2", "eu-west-1", "eu-west-2", "eu-west-3", "il-central-1", "me-central-1", "me-south-1",
    "mx-central-1", "sa-east-1", "us-east-1", "us-east-2", "us-west-1", "us-west-2",
)  # fmt: skip
"""AWS General Reference, "AWS service endpoints": the regions of the commercial partition."""

BUCKET = re.compile(r"^[a-z0-9](?:[a-z0-9-]|\.(?=[a-z0-9]))*[a-z0-9]$")
BUCKET_LENGTHS = (3, 63)
BUCKET_ADDRESS = re.compile(r"^\d+\.\d+\.\d+\.\d+$")
INSTANCE_TYPE = re.compile(r"^[a-z][a-z0-9-]*\.[a-z0-9-]+$")
ACCOUNT = re.compile(r"^\d{12}$")
ROLE = re.compile(r"^(?:[\w.,+@=-]{1,512}/)*[\w.,+@=-]{1,64}$", re.ASCII)
TAG_KEY = re.compile(r"^[^=]{1,128}$")
"""EC2 API: tag keys have up to 128 characters; one with = could not be selected by either."""
LABEL = r"[a-z0-9_](?:[a-z0-9-]{0,61}[a-z0-9])?"
EMAIL = re.compile(r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?=.{1,253}$)(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,63}$")
HTTPS_LENGTH_MAX = 2048
"""SNS API, Subscribe: the limit of an endpoint."""
DOMAIN = re.compile(rf"^(?=.{{1,253}}\.?$)(?:{LABEL}\.)+{LABEL}\.?$")


def duration(value: object) -> float:
    """Seconds of a text such as 90s, 15m, 6h or 7d."""
    found = DURATION.match(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"{value!r} is not a duration with a unit; write {_suggestion(value)}")
    seconds = float(found.group(1)) * UNIT_SECONDS[found.group(2)]
    if not 0 < seconds <= DURATION_SECONDS_MAX:
        raise ValueError(f"{value!r} is out of range; write more than 0s and at most 31d")
    return seconds


def _suggestion(value: object) -> str:
    text = str(value).strip()
    return f"{text}s, {text}m or {text}h" if re.fullmatch(r"\d+(\.\d+)?", text) else "for example 90s, 15m, 6h or 7d"


def bucket(value: object) -> str:
    """A bucket name by the rules of the S3 User Guide, "General purpose bucket naming rules"."""
    shortest, longest = BUCKET_LENGTHS
    if not isinstance(value, str) or not shortest <= len(value) <= longest:
        raise ValueError(f"{value!r} is no bucket name; write {shortest} to {longest} characters")
    if not BUCKET.match(value) or BUCKET_ADDRESS.match(value) or value.startswith(("xn--", "sthree-", "amzn-s3-demo-")):
        raise ValueError(
            f"{value!r} is no bucket name; write lower-case letters, digits and hyphens, beginning and ending with a "
            "letter or digit, not like an IP address"
        )
    return value


def region(value: object) -> str:
    """A region of the commercial partition."""
    if value not in REGIONS:
        raise ValueError(f"{value!r} is not an AWS region; {nearest(str(value), REGIONS)}")
    return str(value)


def instance_type(value: object) -> str:
    """An EC2 instance type's form: family.size."""
    if not isinstance(value, str) or not INSTANCE_TYPE.match(value):
        raise ValueError(f"{value!r} is no instance type; write family.size, for example g5.xlarge")
    return value


def account(value: object) -> str:
    """An AWS account id."""
    if isinstance(value, int):
        raise ValueError(f"{value} is a number, which loses zeros in front; write it in quotes")
    if not isinstance(value, str) or not ACCOUNT.match(value):
        raise ValueError(f"{value!r} is no account id; write its 12 digits in quotes")
    return value


def role(value: object) -> str:
    """A role's name, with its path where it has one (IAM User Guide, "IAM identifiers")."""
    if not isinstance(value, str) or not ROLE.match(value):
        raise ValueError(f"{value!r} is no name of a role; write what follows `role/` in its ARN")
    return value


def folder(value: object) -> str:
    """A folder of a bucket as it was written; the survey gives it its slash. Keys begin with no slash and S3 keeps
    an empty name between two slashes as a folder of its own, so both are slips."""
    if not isinstance(value, str) or value.startswith("/") or "//" in value:
        raise ValueError(f"{value!r} is no folder of a bucket; write for example runs/llama/, with no slash in front")
    return value


def domain(value: object) -> str:
    """A DNS name, lower case, without the dot at its end."""
    if not isinstance(value, str) or not DOMAIN.match(value):
        raise ValueError(f"{value!r} is no DNS name; write for example models.example.com")
    return value.rstrip(".")


def email(value: object) -> str:
    """An address that SNS can send to."""
    if not isinstance(value, str) or not EMAIL.match(value):
        raise ValueError(f"{value!r} is no e-mail address; write for example oncall@example.com")
    return value


def https(value: object) -> str:
    """An endpoint that SNS posts to. A password in it would be kept in the inventory and in Pulumi's state."""
    if not isinstance(value, str) or len(value) > HTTPS_LENGTH_MAX or not re.match(r"^https://[^\s/?#@]+", value):
        raise ValueError(f"{value!r} is no HTTPS endpoint; write for example https://alerts.example.com/pilotlight")
    if "@" in value.removeprefix("https://").partition("/")[0]:
        raise ValueError("has a password in it, which would be kept in plain; write an endpoint without one")
    return value


def nearest(word: str, known: tuple[str, ...] | list[str]) -> str:
    """Advice that names the nearest known word, or all of them."""
    import difflib

    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"


def assignment(value: object) -> str:
    """A rule by which instances get volumes, as the inventory names it: `launch-order`, `shared`, `tag:KEY`."""
    if isinstance(value, str) and (value in (LAUNCH_ORDER, SHARED) or value.startswith(BY_TAG)):
        return value
    key = value.get("tag") if isinstance(value, dict) and set(value) == {"tag"} else None
    if not isinstance(key, str) or not TAG_KEY.match(key):
        raise ValueError(f"{value!r} is no rule; write {LAUNCH_ORDER}, {SHARED}, or {{tag: KEY}} with the key of a tag")
    return f"{BY_TAG}{key}"


Seconds = Annotated[float, BeforeValidator(duration)]
BucketName = Annotated[str, BeforeValidator(bucket)]
RegionName = Annotated[str, BeforeValidator(region)]
InstanceType = Annotated[str, BeforeValidator(instance_type)]
AccountId = Annotated[str, BeforeValidator(account)]
RoleName = Annotated[str, BeforeValidator(role)]
FolderName = Annotated[str, BeforeValidator(folder)]
DomainName = Annotated[str, BeforeValidator(domain)]
Assignment = Annotated[str, BeforeValidator(assignment)]
EmailAddress = Annotated[str, BeforeValidator(email)]
HttpsEndpoint = Annotated[str, BeforeValidator(https)]
