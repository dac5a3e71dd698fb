"""Every document that we write, read by people who know IAM's rules: unknown actions, wrong resources, escalation."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "stacks"))

from parliament import analyze_policy_string
from stack_samples import VAULT, inventory

from pilotlight.cli.main import run
from pilotlight.stacks import people, roles
from pilotlight.stacks.supplementary import DEPLOYER, OPERATOR
from pilotlight.stacks.supplementary import VAULT as VAULT_ROLE

KNOWN = {
    "RESOURCE_POLICY_PRIVILEGE_ESCALATION": "writing bucket policies is what they are for: TLS only, and a returned "
    "bucket is closed by its policy",
    "UNKNOWN_CONDITION_FOR_ACTION": "kms:ResourceAliases is newer than the linter's list (KMS Developer Guide)",
}
OTHER_FORMS = {
    "elasticloadbalancing:DeleteListener": "network balancers, of which there are none",
    "elasticloadbalancing:ModifyListener": "network balancers, of which there are none",
    "kms:DescribeKey": "asked by an alias that is not there yet",
    "route53:ChangeTagsForResource": "zones, which are the user's and are not tagged",
}
"""Actions that AWS allows on resources of other forms too."""
WRITES_ON_EVERYTHING = {
    "sns:Unsubscribe": "SNS offers no resource for it (Service Authorization Reference)",
    "kms:CreateKey": "a key has no name before it is made; the tag that it gets is asked for",
    "route53:CreateHealthCheck": "Route 53 offers no resource for it (Service Authorization Reference)",
    "s3:CreateJob": "S3 offers no resource for it; the role that a job gets is named",
    "cloudwatch:PutMetricData": "CloudWatch offers no resource for it; the namespace is asked for",
}
READS = ("Describe", "Get", "List")


def documents() -> Iterator[tuple[str, dict[str, Any]]]:
    """Of everybody and every role, with the vault in the workload's account and in one of its own."""
    for where, one in (("within", inventory()), ("apart", inventory(VAULT))):
        for who in people.everybody(one):
            for number, document in enumerate(people.documents(who, one)):
                yield f"{where}/{who}-{number}", document
        yield from ((f"{where}/{role}", document) for role, document in roles.documents(one).items())


ALL = dict(documents())
OF_PEOPLE = [name for name in ALL if name.partition("/")[2].startswith((DEPLOYER, OPERATOR, VAULT_ROLE))]


@pytest.mark.parametrize("name", ALL)
def test_a_linter_of_policies_finds_nothing(name: str) -> None:
    found = [each for each in analyze_policy_string(json.dumps(ALL[name])).findings if each.issue not in KNOWN]
    mismatches = [form for each in found if each.issue == "RESOURCE_MISMATCH" for form in each.detail]
    assert [form for form in mismatches if not _elsewhere(name, **form)] == []
    assert [(each.issue, each.detail) for each in found if each.issue != "RESOURCE_MISMATCH"] == []


def _elsewhere(name: str, action: str, required_format: str) -> bool:
    """An action that needs resources of several forms has each in a statement of its own."""
    if action in OTHER_FORMS:
        return True
    whose = [one for other, one in ALL.items() if other.partition("-")[0] == name.partition("-")[0]]
    granting = [each for one in whose for each in one["Statement"] if action in each["Action"]]
    return any(fnmatchcase(arn, required_format) for each in granting for arn in each["Resource"])


@pytest.mark.parametrize("name", ALL)
def test_nothing_is_allowed_on_everything_but_reading_and_what_cannot_be_narrowed(name: str) -> None:
    for statement in ALL[name]["Statement"]:
        assert "*" not in statement["Action"] and not any(each.endswith(":*") for each in statement["Action"])
        if statement["Resource"] == ["*"]:
            writing = [each for each in statement["Action"] if not each.partition(":")[2].startswith(READS)]
            assert set(writing) <= set(WRITES_ON_EVERYTHING), name


@pytest.mark.parametrize("name", OF_PEOPLE)
def test_a_document_fits_into_a_managed_policy(name: str) -> None:
    assert len("".join(json.dumps(ALL[name]).split())) <= people.DOCUMENT_CHARACTERS_MAX


def test_nobody_may_make_himself_more_than_he_is() -> None:
    """Roles are made, changed and passed by our names only; no user, group or managed policy is touched."""
    for name, document in ALL.items():
        for statement in document["Statement"]:
            touching = [each for each in statement["Action"] if each.startswith("iam:")]
            changing = [each for each in touching if not each.partition(":")[2].startswith(READS)]
            if changing == ["iam:CreateServiceLinkedRole"]:
                assert all(":role/aws-service-role/" in each for each in statement["Resource"]), name
                assert statement["Condition"]["StringEquals"]["iam:AWSServiceName"], name
            elif changing:
                assert all("/pilotlight-inference-" in each for each in statement["Resource"]), name
                assert not [each for each in changing if "User" in each or "Group" in each or "AttachRole" in each]


def test_the_command_refuses_a_person_that_there_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["iam", "nobody"]) == 2
    assert "runtime" in capsys.readouterr().err
