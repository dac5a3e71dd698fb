"""Corpus and model bucket, and the registry: Aurora PostgreSQL with its password in Secrets Manager."""

import json
import secrets

import pulumi
import pulumi_aws as aws
from network import Network

USER = "registry"
DATABASE = "registry"


class Buckets:
    """Two private buckets, unversioned, as they were made in the first week of the project."""

    def __init__(self, account: str) -> None:
        self.corpus = self._bucket("corpus", f"inference-corpus-{account}")
        self.models = self._bucket("models", f"inference-models-{account}")

    def _bucket(self, name: str, bucket: str) -> aws.s3.Bucket:
        made = aws.s3.Bucket(name, bucket=bucket)
        aws.s3.BucketPublicAccessBlock(
            f"{name}-private",
            bucket=made.bucket,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
        )
        return made


class Registry:
    """The cluster `inference-registry` with the database `registry`."""

    def __init__(self, network: Network, standby_region: str) -> None:
        self.secret, login = self._login(standby_region)
        subnets = aws.rds.SubnetGroup("registry", name="inference-registry", subnet_ids=network.subnet_ids)
        self.cluster = aws.rds.Cluster(
            "registry",
            cluster_identifier="inference-registry",
            engine="aurora-postgresql",
            engine_version="16.6",
            database_name=DATABASE,
            master_username=USER,
            master_password=pulumi.Output.secret(login.apply(lambda text: json.loads(text)["password"])),
            db_subnet_group_name=subnets.name,
            vpc_security_group_ids=[network.database.id],
            storage_encrypted=True,
            backup_retention_period=7,
            enable_http_endpoint=True,
            skip_final_snapshot=True,
            # AWS changes both when the cluster joins a global database or fails over; deploying must not undo that.
            opts=pulumi.ResourceOptions(ignore_changes=["global_cluster_identifier", "replication_source_identifier"]),
        )
        aws.rds.ClusterInstance(
            "registry-1",
            identifier="inference-registry-1",
            cluster_identifier=self.cluster.cluster_identifier,
            engine="aurora-postgresql",
            instance_class="db.r6g.large",
        )

    def _login(self, standby_region: str) -> tuple:
        """User and password, made up at the first deployment and kept since; readable in the standby region too."""
        replicas = [aws.secretsmanager.SecretReplicaArgs(region=standby_region)] if standby_region else []
        secret = aws.secretsmanager.Secret("login", name="inference-registry-login", replicas=replicas)
        password = pulumi.Config().get("databasePassword") or secrets.token_urlsafe(24)
        version = aws.secretsmanager.SecretVersion(
            "login",
            secret_id=secret.id,
            secret_string=json.dumps({"username": USER, "password": password}),
            opts=pulumi.ResourceOptions(ignore_changes=["secret_string"]),
        )
        return secret, version.secret_string

    @property
    def address(self) -> pulumi.Output:
        """host:port of the writer."""
        return pulumi.Output.all(self.cluster.endpoint, self.cluster.port).apply(lambda at: f"{at[0]}:{int(at[1])}")
