"""Answers that Pulumi's AWS provider compares with what it sent: one that is not AWS's is a change at every `up`.

Each name says what somebody would see again and again, or could not delete.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pilotlight.local.ec2.launch_templates import without_own_tags
from pilotlight.local.handle import LocalCloud
from pilotlight.local.iam.needs import needs_of
from pilotlight.local.iam.resources import Place
from pilotlight.local.rds.aurora_global import GlobalDatabase
from pilotlight.local.wire.operations import Operation

HERE = "us-west-2"
ACCOUNT = "123456789012"
BUCKET = "provider-answers"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    started = LocalCloud.start(tmp_path_factory.mktemp("answers") / "cloud")
    yield started
    started.stop()


@pytest.fixture(scope="module")
def s3(cloud: LocalCloud) -> Any:
    client = cloud.client("s3", HERE)
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": HERE})
    return client


def test_a_check_of_an_alarm_says_nothing_of_ports_and_intervals(cloud: LocalCloud) -> None:
    """The provider would replace the health check that traffic moves by, at every `up`."""
    alarm = {"Name": "active", "Region": HERE}
    wanted = {"Type": "CLOUDWATCH_METRIC", "AlarmIdentifier": alarm, "InsufficientDataHealthStatus": "LastKnownStatus"}
    route53 = cloud.client("route53", HERE)
    made = route53.create_health_check(CallerReference="alarm", HealthCheckConfig=wanted)["HealthCheck"]
    config = route53.get_health_check(HealthCheckId=made["Id"])["HealthCheck"]["HealthCheckConfig"]
    assert config == wanted | {"Inverted": False, "Disabled": False}


def test_a_check_of_an_endpoint_still_says_both(cloud: LocalCloud) -> None:
    wanted = {"Type": "HTTP", "IPAddress": "127.0.0.1", "Port": 8080, "RequestInterval": 10}
    route53 = cloud.client("route53", HERE)
    made = route53.create_health_check(CallerReference="endpoint", HealthCheckConfig=wanted)["HealthCheck"]
    config = route53.get_health_check(HealthCheckId=made["Id"])["HealthCheck"]["HealthCheckConfig"]
    assert {key: config[key] for key in wanted} == wanted


def test_a_launch_template_gives_instances_no_tags_that_are_its_own(cloud: LocalCloud) -> None:
    ec2 = cloud.client("ec2", HERE)
    data = {"InstanceType": "m5.large", "TagSpecifications": [{"ResourceType": "instance", "Tags": [_tag("a")]}]}
    own = [{"ResourceType": "launch-template", "Tags": [_tag("own")]}]
    made = ec2.create_launch_template(LaunchTemplateName="t", LaunchTemplateData=data, TagSpecifications=own)
    id_ = made["LaunchTemplate"]["LaunchTemplateId"]
    version = ec2.describe_launch_template_versions(LaunchTemplateId=id_)["LaunchTemplateVersions"][0]
    assert version["LaunchTemplateData"] == data
    assert made["LaunchTemplate"]["Tags"] == [_tag("own")]


def test_a_template_without_tags_for_instances_has_no_list_of_them() -> None:
    given = {"ImageId": "ami-1", "TagSpecifications": [{"ResourceType": "launch-template", "Tags": []}]}
    assert without_own_tags(given) == {"ImageId": "ami-1"}


def _tag(key: str) -> dict[str, str]:
    return {"Key": key, "Value": "1"}


@pytest.mark.parametrize("asked", ["varies_by_storage_class", "all_storage_classes_128K"])
def test_a_lifecycle_tells_the_size_that_it_was_given(s3: Any, asked: str) -> None:
    rule = {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 9}}
    given = {"Bucket": BUCKET, "LifecycleConfiguration": {"Rules": [rule]}}
    put = s3.put_bucket_lifecycle_configuration(**given, TransitionDefaultMinimumObjectSize=asked)
    found = s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)
    assert put["TransitionDefaultMinimumObjectSize"] == found["TransitionDefaultMinimumObjectSize"] == asked
    again = s3.put_bucket_lifecycle_configuration(**given)
    assert again["TransitionDefaultMinimumObjectSize"] == "all_storage_classes_128K"


def test_a_bucket_tells_which_encryption_it_refuses(s3: Any) -> None:
    """S3 blocks SSE-C in new buckets and says so; whoever did not ask for it sees a difference at every `up`."""
    rule: dict[str, Any] = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}

    def told(**given: Any) -> Any:
        configuration = {"Rules": [rule | given]}
        s3.put_bucket_encryption(Bucket=BUCKET, ServerSideEncryptionConfiguration=configuration)
        found = s3.get_bucket_encryption(Bucket=BUCKET)["ServerSideEncryptionConfiguration"]["Rules"][0]
        return found["BlockedEncryptionTypes"]["EncryptionType"]

    assert told() == ["SSE-C"]
    assert told(BlockedEncryptionTypes={"EncryptionType": ["NONE"]}) == ["NONE"]
    assert told(BlockedEncryptionTypes={"EncryptionType": ["SSE-C"]}) == ["SSE-C"]


def test_a_provisioned_cluster_says_nothing_of_scaling(cloud: LocalCloud) -> None:
    rds = cloud.client("rds", HERE)
    rds.create_db_cluster(
        DBClusterIdentifier="plain", Engine="aurora-mysql", MasterUsername="owner", MasterUserPassword="correct-horse"
    )
    found = rds.describe_db_clusters(DBClusterIdentifier="plain")["DBClusters"][0]
    assert "ScalingConfigurationInfo" not in found


def test_a_cluster_that_is_no_member_can_still_be_deleted() -> None:
    """The provider takes a cluster out of its global cluster before it deletes it, and goes on at these words alone."""
    one = GlobalDatabase("g", "cluster-1", ACCOUNT, "aurora-postgresql", "16.4")
    with pytest.raises(Exception, match="is not found in global cluster") as refused:
        one.leaving("arn:aws:rds:us-west-2:123456789012:cluster:gone")
    assert refused.value.code == "InvalidParameterValue"  # type: ignore[attr-defined]


def test_a_global_cluster_that_is_not_there_is_told_as_such(cloud: LocalCloud) -> None:
    with pytest.raises(ClientError, match="GlobalClusterNotFoundFault"):
        cloud.client("rds", HERE).remove_from_global_cluster(
            GlobalClusterIdentifier="none", DbClusterIdentifier=f"arn:aws:rds:{HERE}:{ACCOUNT}:cluster:gone"
        )


def _of(kind: str, id_: str) -> dict[str, str]:
    return {"ResourceType": kind, "ResourceId": id_}


@pytest.mark.parametrize(
    ("service", "name", "params", "resource"),
    [
        ("ec2", "DescribeVpcAttribute", {"VpcId": "vpc-1"}, f"arn:aws:ec2:{HERE}:{ACCOUNT}:vpc/vpc-1"),
        ("ec2", "DescribeVpcs", {"VpcIds": ["vpc-1"]}, "*"),
        ("route53", "GetChange", {"Id": "/change/C1"}, "arn:aws:route53:::change/C1"),
        ("route53", "GetHostedZone", {"Id": "/hostedzone/Z1"}, "arn:aws:route53:::hostedzone/Z1"),
        ("route53", "ListTagsForResource", _of("hostedzone", "Z1"), "arn:aws:route53:::hostedzone/Z1"),
        ("route53", "ListTagsForResource", _of("healthcheck", "H1"), "arn:aws:route53:::healthcheck/H1"),
        ("rds", "DescribeGlobalClusters", {}, f"arn:aws:rds::{ACCOUNT}:global-cluster:*"),
        ("s3control", "ListTagsForResource", {"ResourceArn": "arn:aws:s3:::b"}, "arn:aws:s3:::b"),
    ],
)
def test_a_call_is_asked_of_the_resource_that_aws_asks_it_of(
    service: str, name: str, params: dict[str, Any], resource: str
) -> None:
    """Else the printed policies are proven to be enough where AWS refuses them."""
    operation = Operation(service, name, "s3" if service == "s3control" else service, "query", params)
    assert [each.resource for each in needs_of(operation, Place(HERE, ACCOUNT))] == [resource]


def test_who_pays_for_requests_is_told_as_it_was_set_and_no_list_of_objects(s3: Any) -> None:
    """A bucket that is read at its readers' cost would be taken for an ordinary one."""
    assert s3.get_bucket_request_payment(Bucket=BUCKET)["Payer"] == "BucketOwner"
    s3.put_bucket_request_payment(Bucket=BUCKET, RequestPaymentConfiguration={"Payer": "Requester"})
    assert s3.get_bucket_request_payment(Bucket=BUCKET)["Payer"] == "Requester"
