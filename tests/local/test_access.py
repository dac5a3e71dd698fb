"""Roles are enforced as AWS enforces them: what a role may not do here, it may not do on the day either."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError
from local_requests import EAST, WEST, allow, assume, client, make_bucket, make_role, set_policy

from pilotlight.local.handle import LocalCloud

ACCOUNT = "123456789012"


def refused(act: Any, **parameters: Any) -> tuple[str, str]:
    """(code, message) of the refusal."""
    with pytest.raises(ClientError) as problem:
        act(**parameters)
    error = problem.value.response["Error"]
    return str(error["Code"]), str(error["Message"])


def deny(actions: str | list[str], resources: str | list[str] = "*", **condition: Any) -> dict[str, Any]:
    return allow(actions, resources, **condition) | {"Effect": "Deny"}


# -- who -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "operation", "code"),
    [
        ("sts", "get_caller_identity", "InvalidClientTokenId"),
        ("rds", "describe_db_clusters", "InvalidClientTokenId"),
        ("s3", "list_buckets", "InvalidAccessKeyId"),
        ("dynamodb", "list_tables", "UnrecognizedClientException"),
        ("ec2", "describe_vpcs", "AuthFailure"),
        ("lambda", "list_functions", "UnrecognizedClientException"),
    ],
)
def test_a_key_that_nobody_issued_is_refused(local_cloud: LocalCloud, service: str, operation: str, code: str) -> None:
    stranger = {"AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "SecretAccessKey": "x"}
    astray = client(local_cloud, service, WEST, credentials=stranger)
    assert refused(getattr(astray, operation))[0] == code


def test_a_users_key_is_the_user_and_stops_when_it_is_deactivated(local_cloud: LocalCloud) -> None:
    iam = client(local_cloud, "iam", EAST)
    iam.create_user(UserName="ada")
    key = iam.create_access_key(UserName="ada")["AccessKey"]
    sts = client(local_cloud, "sts", WEST, credentials=key)
    assert sts.get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/ada"
    assert refused(client(local_cloud, "s3", WEST, credentials=key).list_buckets)[0] == "AccessDenied"
    iam.attach_user_policy(UserName="ada", PolicyArn="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
    client(local_cloud, "s3", WEST, credentials=key).list_buckets()
    iam.update_access_key(UserName="ada", AccessKeyId=key["AccessKeyId"], Status="Inactive")
    assert refused(sts.get_caller_identity)[0] == "InvalidClientTokenId"


def test_a_session_needs_its_own_token(local_cloud: LocalCloud) -> None:
    session = make_role(local_cloud, "tokens", allow("s3:*")) | {"SessionToken": "of somebody else"}
    assert refused(client(local_cloud, "s3", WEST, credentials=session).list_buckets)[0] == "InvalidAccessKeyId"


def test_a_request_without_credentials_is_refused(local_cloud: LocalCloud) -> None:
    from local_requests import by_hand

    make_bucket(local_cloud, "closed-bucket", WEST)
    assert by_hand(local_cloud.router_url, "GET", "/closed-bucket/k", {})[0] == 403


# -- what ------------------------------------------------------------------------------------------------------


def test_a_role_may_only_what_its_policy_says_and_the_refusal_names_it(local_cloud: LocalCloud) -> None:
    session = make_role(local_cloud, "bystander", allow("rds:DescribeDBClusters"))
    rds = client(local_cloud, "rds", WEST, credentials=session)
    rds.describe_db_clusters()
    since = time.time() - 0.1
    code, message = refused(
        rds.failover_global_cluster,
        GlobalClusterIdentifier="registry",
        TargetDbClusterIdentifier=f"arn:aws:rds:{WEST}:{ACCOUNT}:cluster:registry",
    )
    who = f"arn:aws:sts::{ACCOUNT}:assumed-role/bystander/test"
    assert code == "AccessDenied"
    assert message.startswith(f"User: {who} is not authorized to perform: rds:FailoverGlobalCluster on resource: arn:")
    recorded = local_cloud.calls(since=since, principal="bystander")[-1]
    assert (recorded.operation, recorded.outcome, recorded.principal) == ("FailoverGlobalCluster", "AccessDenied", who)


@pytest.mark.parametrize(
    ("service", "operation", "code"),
    [
        ("ec2", "describe_vpcs", "UnauthorizedOperation"),
        ("dynamodb", "list_tables", "AccessDeniedException"),
        ("lambda", "list_functions", "AccessDeniedException"),
        ("sns", "list_topics", "AuthorizationError"),
        ("s3", "list_buckets", "AccessDenied"),
        ("cloudwatch", "list_metrics", "AccessDenied"),
        ("autoscaling", "describe_auto_scaling_groups", "AccessDenied"),
        ("route53", "list_hosted_zones", "AccessDenied"),
    ],
)
def test_each_service_refuses_in_its_own_words(
    local_cloud: LocalCloud, powerless: dict[str, Any], service: str, operation: str, code: str
) -> None:
    found, message = refused(getattr(client(local_cloud, service, WEST, credentials=powerless), operation))
    assert found.startswith(code)
    assert "is not authorized to perform" in message


@pytest.fixture(scope="module")
def powerless(local_cloud: LocalCloud) -> dict[str, Any]:
    return make_role(local_cloud, "powerless", allow("s3:GetObject", "arn:aws:s3:::nothing/*"))


def test_objects_and_buckets_are_different_resources(local_cloud: LocalCloud) -> None:
    make_bucket(local_cloud, "papers", WEST)
    client(local_cloud, "s3", WEST).put_object(Bucket="papers", Key="open/k", Body=b"x")
    session = make_role(local_cloud, "reader", allow("s3:GetObject", "arn:aws:s3:::papers/open/*"))
    s3 = client(local_cloud, "s3", WEST, credentials=session)
    assert s3.get_object(Bucket="papers", Key="open/k")["Body"].read() == b"x"
    s3.head_object(Bucket="papers", Key="open/k")
    assert refused(s3.get_object, Bucket="papers", Key="shut/k")[0] == "AccessDenied"
    assert refused(s3.list_objects_v2, Bucket="papers")[0] == "AccessDenied"
    assert refused(s3.put_object, Bucket="papers", Key="open/k", Body=b"y")[0] == "AccessDenied"
    assert refused(s3.get_object, Bucket="papers", Key="open/k", VersionId="null")[0] == "AccessDenied"
    assert refused(s3.copy_object, Bucket="papers", Key="open/2", CopySource="papers/open/k")[0] == "AccessDenied"
    assert refused(s3.delete_objects, Bucket="papers", Delete={"Objects": [{"Key": "open/k"}]})[0] == "AccessDenied"


def test_a_change_of_policy_counts_at_once(local_cloud: LocalCloud) -> None:
    session = make_role(local_cloud, "changing", allow("sns:ListTopics"))
    sns = client(local_cloud, "sns", WEST, credentials=session)
    sns.list_topics()
    set_policy(local_cloud, "changing", allow("sns:Publish"))
    assert refused(sns.list_topics)[0].startswith("AuthorizationError")


def test_an_explicit_deny_wins(local_cloud: LocalCloud) -> None:
    session = make_role(local_cloud, "denied", allow("*"), deny("dynamodb:List*"))
    code, message = refused(client(local_cloud, "dynamodb", WEST, credentials=session).list_tables)
    assert code == "AccessDeniedException"
    assert "with an explicit deny in an identity-based policy" in message


def test_not_action_and_not_resource_are_the_rest(local_cloud: LocalCloud) -> None:
    rest = {"Effect": "Allow", "NotAction": ["iam:*", "sns:*"], "NotResource": f"arn:aws:dynamodb:*:{ACCOUNT}:table/x"}
    session = make_role(local_cloud, "rest", rest)
    client(local_cloud, "s3", WEST, credentials=session).list_buckets()
    assert refused(client(local_cloud, "sns", WEST, credentials=session).list_topics)[0].startswith(
        "AuthorizationError"
    )
    table = client(local_cloud, "dynamodb", WEST, credentials=session)
    assert refused(table.describe_table, TableName="x")[0] == "AccessDeniedException"
    assert refused(table.describe_table, TableName="y")[0] == "ResourceNotFoundException"


def test_a_namespace_condition_narrows_metrics(local_cloud: LocalCloud) -> None:
    only = allow("cloudwatch:PutMetricData", StringEquals={"cloudwatch:namespace": "Pilotlight"})
    watch = client(local_cloud, "cloudwatch", WEST, credentials=make_role(local_cloud, "metrics", only))
    data = [{"MetricName": "StandbyActive", "Value": 1.0}]
    watch.put_metric_data(Namespace="Pilotlight", MetricData=data)
    assert refused(watch.put_metric_data, Namespace="Other", MetricData=data)[0] == "AccessDenied"


def test_leading_keys_narrow_a_table_to_its_rows(local_cloud: LocalCloud) -> None:
    client(local_cloud, "dynamodb", WEST).create_table(
        TableName="journal",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    active = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["active"]}}
    resource = f"arn:aws:dynamodb:{WEST}:{ACCOUNT}:table/journal"
    session = make_role(local_cloud, "instance", allow(["dynamodb:GetItem", "dynamodb:Query"], resource, **active))
    table = client(local_cloud, "dynamodb", WEST, credentials=session)
    table.get_item(TableName="journal", Key={"pk": {"S": "active"}, "sk": {"S": "active"}})
    other = {"pk": {"S": "lease"}, "sk": {"S": "active"}}
    assert refused(table.get_item, TableName="journal", Key=other)[0] == "AccessDeniedException"
    query = {"KeyConditionExpression": "pk = :p", "ExpressionAttributeValues": {":p": {"S": "lease"}}}
    assert refused(table.query, TableName="journal", **query)[0] == "AccessDeniedException"


def test_a_condition_that_is_not_built_decides_against_the_caller(local_cloud: LocalCloud) -> None:
    near = allow("s3:ListAllMyBuckets", IpAddress={"aws:SourceIp": "127.0.0.0/8"})
    session = make_role(local_cloud, "nearby", near)
    assert refused(client(local_cloud, "s3", WEST, credentials=session).list_buckets)[0] == "AccessDenied"
    log = (local_cloud.directory / "cloud.log").read_text()
    assert "condition operator IpAddress is not built" in log


def test_handing_a_role_to_a_service_needs_permission_to_pass_it(local_cloud: LocalCloud) -> None:
    make_bucket(local_cloud, "handed", WEST)
    client(local_cloud, "s3", WEST).put_bucket_versioning(
        Bucket="handed", VersioningConfiguration={"Status": "Enabled"}
    )
    role = f"arn:aws:iam::{ACCOUNT}:role/replicator"
    rule = {"Status": "Enabled", "Priority": 1, "Filter": {}, "Destination": {"Bucket": "arn:aws:s3:::handed"}}
    rule |= {"DeleteMarkerReplication": {"Status": "Disabled"}}
    put = {"Bucket": "handed", "ReplicationConfiguration": {"Role": role, "Rules": [rule]}}
    session = make_role(local_cloud, "deployer", allow("s3:PutReplicationConfiguration"))
    _, message = refused(client(local_cloud, "s3", WEST, credentials=session).put_bucket_replication, **put)
    assert "iam:PassRole" in message
    set_policy(local_cloud, "deployer", allow("s3:PutReplicationConfiguration"), allow(
        "iam:PassRole", role, StringEquals={"iam:PassedToService": "lambda.amazonaws.com"}
    ))  # fmt: skip
    _, message = refused(client(local_cloud, "s3", WEST, credentials=session).put_bucket_replication, **put)
    assert "iam:PassRole" in message


def test_a_secondary_that_is_signed_for_another_region_is_asked_of_that_region_too(local_cloud: LocalCloud) -> None:
    """SDKs sign a CreateDBCluster for the source's region; whoever may not call it there gets no copy here."""
    here = [f"arn:aws:rds:{WEST}:{ACCOUNT}:*", f"arn:aws:rds::{ACCOUNT}:global-cluster:*"]
    session = make_role(local_cloud, "one-sided", allow("rds:CreateDBCluster", here))
    create = client(local_cloud, "rds", WEST, credentials=session).create_db_cluster
    asked = {"DBClusterIdentifier": "copy", "Engine": "aurora-postgresql", "GlobalClusterIdentifier": "nothing"}
    code, message = refused(create, **asked, SourceRegion=EAST)
    assert code == "AccessDenied"
    assert f"rds:CreateDBCluster on resource: arn:aws:rds:{EAST}:{ACCOUNT}:cluster:copy" in message
    assert refused(create, **asked)[0] == "GlobalClusterNotFoundFault", "unsigned, it is asked here alone"


def test_snapshots_are_named_by_their_tags(local_cloud: LocalCloud) -> None:
    ec2 = client(local_cloud, "ec2", WEST)
    volume = ec2.create_volume(AvailabilityZone=f"{WEST}a", Size=1)["VolumeId"]
    tags = [{"ResourceType": "snapshot", "Tags": [{"Key": "pilotlight:workload", "Value": "inference"}]}]
    ours = ec2.create_snapshot(VolumeId=volume, TagSpecifications=tags)["SnapshotId"]
    theirs = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    tagged = {"StringEquals": {"aws:ResourceTag/pilotlight:workload": "inference"}}
    prune = allow("ec2:DeleteSnapshot", f"arn:aws:ec2:{WEST}::snapshot/*", **tagged)
    session = make_role(local_cloud, "pruner", prune, allow("ec2:CreateSnapshot"))
    limited = client(local_cloud, "ec2", WEST, credentials=session)
    assert refused(limited.delete_snapshot, SnapshotId=theirs)[0] == "UnauthorizedOperation"
    limited.delete_snapshot(SnapshotId=ours)
    _, message = refused(limited.create_snapshot, VolumeId=volume, TagSpecifications=tags)
    assert "ec2:CreateTags" in message


# -- resources' own policies -----------------------------------------------------------------------------------


def test_a_bucket_policy_can_let_a_role_in_and_keep_root_out(local_cloud: LocalCloud) -> None:
    make_bucket(local_cloud, "guarded", WEST)
    root = client(local_cloud, "s3", WEST)
    root.put_object(Bucket="guarded", Key="k", Body=b"x")
    session = make_role(local_cloud, "guest", allow("sns:Publish"))
    guest = client(local_cloud, "s3", WEST, credentials=session)
    assert refused(guest.get_object, Bucket="guarded", Key="k")[0] == "AccessDenied"
    statements = [
        {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/guest"},
            "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::guarded/*",
        },
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:DeleteObject",
            "Resource": "arn:aws:s3:::guarded/*",
        },
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": ["arn:aws:s3:::guarded", "arn:aws:s3:::guarded/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
    ]
    root.put_bucket_policy(Bucket="guarded", Policy=json.dumps({"Version": "2012-10-17", "Statement": statements}))
    assert guest.get_object(Bucket="guarded", Key="k")["Body"].read() == b"x"
    code, message = refused(root.delete_object, Bucket="guarded", Key="k")
    assert code == "AccessDenied"
    assert "with an explicit deny in a resource-based policy" in message


def test_a_queues_policy_can_let_a_role_in_and_keep_it_out(local_cloud: LocalCloud) -> None:
    root, session = (
        client(local_cloud, "sqs", WEST),
        make_role(local_cloud, "queue-reader", allow("sqs:ReceiveMessage")),
    )
    mine = client(local_cloud, "sqs", WEST, credentials=session)
    url = root.create_queue(QueueName="guarded")["QueueUrl"]
    mine.receive_message(QueueUrl=url)
    assert refused(mine.send_message, QueueUrl=url, MessageBody="x")[0].startswith("AccessDenied")
    whom = {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/queue-reader"}, "Resource": "*"}
    send = {"Effect": "Allow", "Action": "sqs:SendMessage", **whom}
    keep_out = {"Effect": "Deny", "Action": "sqs:ReceiveMessage", **whom}
    root.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps({"Statement": [send, keep_out]})})
    mine.send_message(QueueUrl=url, MessageBody="x")
    batch = [{"Id": "1", "MessageBody": "x"}]
    assert mine.send_message_batch(QueueUrl=url, Entries=batch)["Successful"], "asked as the single call"
    assert "explicit deny in a resource-based policy" in refused(mine.receive_message, QueueUrl=url)[1]


def test_only_whom_the_trust_policy_names_may_assume_a_role(local_cloud: LocalCloud) -> None:
    iam = client(local_cloud, "iam", EAST)
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = iam.create_role(RoleName="of-lambda", AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))
    with pytest.raises(ClientError, match="sts:AssumeRole"):
        assume(local_cloud, role["Role"]["Arn"])
    with pytest.raises(ClientError, match="sts:AssumeRole"):
        assume(local_cloud, f"arn:aws:iam::{ACCOUNT}:role/nobody-made-it")


def test_a_key_is_known_by_its_alias_and_obeys_its_own_policy(local_cloud: LocalCloud) -> None:
    kms = client(local_cloud, "kms", WEST)
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/workload", TargetKeyId=key)
    named = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/workload"}}
    use = allow(["kms:Encrypt", "kms:DescribeKey"], f"arn:aws:kms:{WEST}:{ACCOUNT}:key/*", **named)
    mine = client(local_cloud, "kms", WEST, credentials=make_role(local_cloud, "encryptor", use))
    mine.encrypt(KeyId="alias/workload", Plaintext=b"x")
    other = kms.create_key()["KeyMetadata"]["KeyId"]
    assert refused(mine.encrypt, KeyId=other, Plaintext=b"x")[0] == "AccessDeniedException"
    closed = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "kms:*", "Resource": "*"}
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps({"Statement": [closed]}))
    assert refused(mine.encrypt, KeyId="alias/workload", Plaintext=b"x")[0] == "AccessDeniedException"


def test_enforcement_goes_on_when_the_control_plane_of_iam_is_dark(healthy_cloud: LocalCloud) -> None:
    session = make_role(healthy_cloud, "survivor", allow("sns:ListTopics"))
    healthy_cloud.dark(EAST)
    client(healthy_cloud, "sns", WEST, credentials=session).list_topics()
    assert refused(client(healthy_cloud, "sqs", WEST, credentials=session).list_queues)[0].startswith("AccessDenied")
    again = assume(healthy_cloud, f"arn:aws:iam::{ACCOUNT}:role/survivor")
    client(healthy_cloud, "sns", WEST, credentials=again).list_topics()
