"""What a user loses when one of these fails: the copies that should outlive their account, or the word that they do."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pilotlight.cli.main import run
from pilotlight.engine.embedded import Engine
from pilotlight.local.handle import LocalCloud
from pilotlight.local.kernel.cloud import ACCOUNT, MEMBER
from pilotlight.runtime.aws.session import assumed
from pilotlight.runtime.naming import Names

EXAMPLE = Path(__file__).parents[2] / "examples/inference-service"
EAST, WEST = "us-east-1", "us-west-2"
NAMES = Names("inference", ACCOUNT, EAST, WEST, MEMBER)
COPIES = NAMES.standby_bucket("corpus")
ADMINISTRATOR = f"arn:aws:iam::{MEMBER}:role/OrganizationAccountAccessRole"
Say = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """The example in an embedded cloud that is this process's AWS; its vault is declared to be the member's."""
    folder, before = tmp_path_factory.mktemp("cloud"), dict(os.environ)
    with LocalCloud.start(folder / "cloud") as started:
        started.hold_schedules()
        os.environ.update(started.environment())
        theirs = Engine(folder / "theirs", "inference-service")
        theirs.update("example", EXAMPLE, {"inference-service:standbyRegion": WEST}, region=EAST)
        declare(started, "apart", f"vault: {{account: '{MEMBER}'}}")
        assert run(["up", declared(started, "apart"), "--directory", str(started.directory)]) == 0
        yield started
    os.environ.clear()
    os.environ.update(before)


def declare(cloud: LocalCloud, name: str, more: str) -> str:
    """A declaration of the example's, with these lines in it."""
    path = Path(declared(cloud, name))
    path.write_text((EXAMPLE / "workload.yaml").read_text() + more + "\n")
    return str(path)


def declared(cloud: LocalCloud, name: str) -> str:
    return str(cloud.directory.parent / f"{name}.yaml")


@pytest.fixture
def said(cloud: LocalCloud, capsys: pytest.CaptureFixture[str]) -> Say:
    """What a verb prints as JSON, or, where it fails, as its error."""

    def say(verb: str, *words: str, declaration: str = "apart", code: int = 0) -> dict[str, Any]:
        capsys.readouterr()
        command = [*verb.split(), declared(cloud, declaration), *words, "--directory", str(cloud.directory), "--json"]
        assert run(command) == code
        out, err = capsys.readouterr()
        return {"error": err} if code else dict(json.loads(out))

    return say


def theirs(service: str = "s3") -> Any:
    """A client of the vault's account."""
    return assumed(ADMINISTRATOR, WEST).create_client(service, region_name=WEST)


def refused(act: Callable[..., Any], **parameters: Any) -> bool:
    with pytest.raises(ClientError) as problem:
        act(**parameters)
    return problem.value.response["Error"]["Code"] in ("AccessDenied", "AccessDeniedException")


def test_copies_and_records_are_the_vaults_and_the_journal_is_the_workloads(cloud: LocalCloud, said: Say) -> None:
    owned = {each["Name"] for each in theirs().list_buckets()["Buckets"]}
    assert owned == {COPIES, NAMES.standby_bucket("checkpoints"), NAMES.vault_bucket}
    assert not owned & {each["Name"] for each in cloud.client("s3", WEST).list_buckets()["Buckets"]}
    assert NAMES.journal_table in cloud.client("dynamodb", WEST).list_tables()["TableNames"]
    key = theirs("kms").describe_key(KeyId=NAMES.key_alias)["KeyMetadata"]
    rules = theirs().get_bucket_encryption(Bucket=COPIES)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"] == key["Arn"] and MEMBER in key["Arn"]


def test_again_nothing_changes_and_nothing_has_drifted(said: Say) -> None:
    assert said("up")["changes"] == 0
    assert said("drift")["changes"] == 0


def test_what_is_written_arrives_there_and_is_proven_from_here(cloud: LocalCloud, said: Say) -> None:
    cloud.client("s3", EAST).put_object(Bucket=f"inference-corpus-{ACCOUNT}", Key="a", Body=b"1")
    found = said("backfill", "--asset", "corpus")
    assert found["protection"]["corpus"]["state"] == "PROTECTED"
    assert theirs().get_object(Bucket=COPIES, Key="a")["Body"].read() == b"1"


def test_the_root_of_the_workloads_account_can_destroy_nothing_there(cloud: LocalCloud) -> None:
    ours = cloud.client("s3", WEST)
    ours.put_object(Bucket=COPIES, Key="precious", Body=b"1")
    version = ours.list_object_versions(Bucket=COPIES, Prefix="precious")["Versions"][0]["VersionId"]
    ours.delete_object(Bucket=COPIES, Key="precious")
    assert refused(ours.delete_object, Bucket=COPIES, Key="precious", VersionId=version)
    assert refused(ours.delete_bucket_policy, Bucket=COPIES)
    suspended = {"Status": "Suspended"}
    assert refused(ours.put_bucket_versioning, Bucket=COPIES, VersioningConfiguration=suspended)
    rule = {"ID": "all", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}
    lifecycle = {"Rules": [rule]}
    assert refused(ours.put_bucket_lifecycle_configuration, Bucket=COPIES, LifecycleConfiguration=lifecycle)
    key = theirs("kms").describe_key(KeyId=NAMES.key_alias)["KeyMetadata"]["Arn"]
    assert refused(cloud.client("kms", WEST).schedule_key_deletion, KeyId=key)
    assert theirs().get_object(Bucket=COPIES, Key="precious", VersionId=version)["Body"].read() == b"1"
    theirs().delete_object(Bucket=COPIES, Key="precious", VersionId=version)


def test_the_vaults_own_role_is_printed_and_a_deployer_may_assume_it(said: Say) -> None:
    role = json.dumps(said("iam vault")["policies"])
    assert "s3:PutBucketPolicy" in role and f"arn:aws:s3:::{COPIES}" in role and f":{ACCOUNT}:" not in role
    assert ADMINISTRATOR in json.dumps(said("iam deployer")["policies"])
    assert ADMINISTRATOR not in json.dumps(said("iam operator")["policies"])


def test_a_vault_does_not_move_into_the_workloads_account(cloud: LocalCloud, said: Say) -> None:
    declare(cloud, "within", "")
    before = len(cloud.calls(principal="root"))
    told = said("up", declaration="within", code=5)["error"]
    assert NAMES.vault_bucket in told and "Nothing was changed" in told
    acts = [each.operation for each in cloud.calls(principal="root")[before:]]
    assert acts and not [name for name in acts if name.startswith(("Create", "Put", "Delete", "Update"))]


@pytest.mark.parametrize(
    ("more", "code", "wanted"),
    [
        (f"vault: {{account: '{MEMBER}', role: nobody}}", 4, "cannot be assumed"),
        (f"vault: {{account: '{ACCOUNT}'}}", 2, "is the workload's own account"),
    ],
)
def test_a_door_that_is_closed_is_told_before_anything_is_made(
    cloud: LocalCloud, said: Say, more: str, code: int, wanted: str
) -> None:
    declare(cloud, "closed", more)
    assert wanted in said("up", declaration="closed", code=code)["error"]


def test_a_destroyed_vault_is_emptied_by_its_own_account(cloud: LocalCloud, said: Say) -> None:
    ours = cloud.client("s3", WEST)
    ours.put_object(Bucket=COPIES, Key="only-here", Body=b"precious")
    assert "only-here" in said("destroy", "--vault", "inference", code=5)["error"]
    ours.delete_object(Bucket=COPIES, Key="only-here")
    assert said("destroy", "--vault", "inference")["kept"] == []
    assert theirs().list_buckets()["Buckets"] == []
