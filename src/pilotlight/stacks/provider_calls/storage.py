"""S3, KMS, DynamoDB, RDS: where data lies."""

from __future__ import annotations

from pilotlight.stacks.provider_calls.calls import READ, Calls, Seen

BUCKETS = ("Buckets", "OriginalBuckets")
TAGS = "s3control.ListTagsForResource"


def _setting(file: str, kind: str, put: str, ask: str, take_away: str, version: int, waits_gone: bool = True,
             kinds: tuple[str, ...] = ("Buckets",), believed: str = "", along: tuple[str, ...] = (),
             acts: tuple[str, ...] = ("Create", "Read", "Update", "Delete")) -> Calls:  # fmt: skip
    """A setting of one bucket: put and waited for, asked, taken away and waited for. `acts`: the functions seen."""
    functions = tuple(f"resourceBucket{kind}{act}" for act in acts)
    return Calls(
        service="s3", kinds=kinds, seen=(Seen(f"s3/{file}.go", functions, version),), create=(put, READ), read=(ask,),
        update=(put, READ), delete=(take_away, ask) if waits_gone else (take_away,), believed=believed, along=along,
    )  # fmt: skip


TABLE: dict[str, Calls] = {
    "aws:s3/bucket:Bucket": Calls(
        service="s3",
        kinds=("Buckets", "Copies", "Records"),
        seen=(
            Seen("s3/bucket.go", ("resourceBucketCreate", "resourceBucketRead", "resourceBucketUpdate",
                                  "resourceBucketDelete", "findBucket", "findBucketRegion"), 6),
            Seen("s3/tags.go", ("BucketListTags", "BucketUpdateTags"), 4),
        ),
        create=("CreateBucket", "HeadBucket", "GetBucketTagging?", "PutBucketTagging?", READ),
        read=("HeadBucket", "GetBucketPolicy", "GetBucketAcl", "GetBucketCors", "GetBucketWebsite",
              "GetBucketVersioning", "GetBucketAccelerateConfiguration", "GetBucketRequestPayment", "GetBucketLogging",
              "GetBucketLifecycleConfiguration", "GetBucketReplication", "GetBucketEncryption",
              "GetObjectLockConfiguration", "HeadBucket", TAGS, "GetBucketTagging?"),
        update=("GetBucketTagging?", "PutBucketTagging?", "s3control.TagResource?", "s3control.UntagResource?", READ),
        delete=("DeleteBucket", "ListObjectVersions?", "DeleteObjects?", "DeleteBucket?", "HeadBucket"),
        along=("s3:TagResource",),
        believed="tags are sent with CreateBucket and asked of S3 Control, and of the bucket's tagging where that is "
                 "refused (CHANGELOG.md, 6.23.0); the functions that ask were seen in their form before that",
        apart={
            TAGS: "the embedded S3 Control has no tags; the provider then asks the bucket itself, as here",
            "s3control.TagResource": "the embedded S3 Control has no tags",
            "s3control.UntagResource": "the embedded S3 Control has no tags",
        },
    ),
    "aws:s3/bucketVersioning:BucketVersioning": _setting(
        "bucket_versioning", "Versioning", "PutBucketVersioning", "GetBucketVersioning", "PutBucketVersioning", 5,
        waits_gone=False, kinds=BUCKETS, acts=("Create", "Read"),
        believed="Update and Delete were seen in 4.x; whether 6.x waits after Delete was not seen",
    ),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": _setting(
        "bucket_server_side_encryption_configuration", "ServerSideEncryptionConfiguration", "PutBucketEncryption",
        "GetBucketEncryption", "DeleteBucketEncryption", 6, waits_gone=False,
    ),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": Calls(
        service="s3",
        kinds=("Buckets",),
        seen=(Seen("s3/bucket_public_access_block.go",
                   ("resourceBucketPublicAccessBlockCreate", "resourceBucketPublicAccessBlockRead",
                    "resourceBucketPublicAccessBlockUpdate", "resourceBucketPublicAccessBlockDelete"), 5),),
        create=("PutPublicAccessBlock", READ),
        read=("GetPublicAccessBlock",),
        update=("PutPublicAccessBlock", "GetPublicAccessBlock?"),
        delete=("DeletePublicAccessBlock", "GetPublicAccessBlock"),
    ),
    "aws:s3/bucketPolicy:BucketPolicy": Calls(
        service="s3",
        kinds=("Buckets",),
        seen=(Seen("s3/bucket_policy.go", ("resourceBucketPolicyPut", "resourceBucketPolicyRead",
                                           "resourceBucketPolicyDelete", "findBucketPolicy"), 6),),
        create=("PutBucketPolicy", READ),
        read=("GetBucketPolicy",),
        update=("PutBucketPolicy", READ),
        delete=("DeleteBucketPolicy", "GetBucketPolicy"),
    ),
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": _setting(
        "bucket_ownership_controls", "OwnershipControls", "PutBucketOwnershipControls", "GetBucketOwnershipControls",
        "DeleteBucketOwnershipControls", 4, believed="that 6.x waits for them to be gone, as its siblings do",
    ),
    "aws:s3/bucketReplicationConfig:BucketReplicationConfig": _setting(
        "bucket_replication_configuration", "ReplicationConfiguration", "PutBucketReplication", "GetBucketReplication",
        "DeleteBucketReplication", 6, kinds=("OriginalBuckets", "PassRoles"), along=("iam:PassRole",),
        acts=("Create",),
        believed="that Read asks, and Delete waits until it is gone, as its siblings do: only Create was seen whole",
    ),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": Calls(
        service="s3",
        kinds=("Buckets",),
        seen=(Seen("s3/bucket_lifecycle_configuration.go",
                   ("bucketLifecycleConfigurationResource.Create", "bucketLifecycleConfigurationResource.Read",
                    "bucketLifecycleConfigurationResource.Update", "bucketLifecycleConfigurationResource.Delete",
                    "waitLifecycleConfigEquals"), 6),),
        create=("PutBucketLifecycleConfiguration", READ),
        read=("GetBucketLifecycleConfiguration",),
        update=("PutBucketLifecycleConfiguration", READ),
        delete=("DeleteBucketLifecycle", "GetBucketLifecycleConfiguration"),
    ),
    "aws:kms/key:Key": Calls(
        service="kms",
        kinds=("NewKey", "NewKeyTags", "Keys", "KeysLookedAt"),
        seen=(Seen("kms/key.go", ("resourceKeyCreate", "resourceKeyRead", "resourceKeyUpdate", "resourceKeyDelete",
                                  "findKeyInfo", "updateKeyRotationEnabled", "updateKeyDescription", "updateKeyPolicy",
                                  "waitKeyDeleted"), 6),),
        create=("CreateKey", "EnableKeyRotation", "GetKeyRotationStatus", "GetKeyPolicy", "ListResourceTags", READ),
        read=("DescribeKey", "GetKeyPolicy", "GetKeyRotationStatus", "ListResourceTags"),
        update=("UntagResource?", "TagResource?", "ListResourceTags?", "EnableKeyRotation?", "GetKeyRotationStatus?",
                "UpdateKeyDescription?", "DescribeKey?", "PutKeyPolicy?", "GetKeyPolicy?", READ),
        delete=("ScheduleKeyDeletion", "DescribeKey"),
        along=("kms:TagResource",),
    ),
    "aws:kms/alias:Alias": Calls(
        service="kms",
        kinds=("Aliases", "Keys", "KeysLookedAt", "Any"),
        seen=(Seen("kms/alias.go", ("resourceAliasCreate", "resourceAliasRead", "resourceAliasUpdate",
                                    "resourceAliasDelete"), 4),),
        create=("CreateAlias", READ),
        read=("ListAliases",),
        update=("UpdateAlias", READ),
        delete=("DeleteAlias",),
        believed="that FindAliasByName lists: the function itself was not seen",
    ),
    "aws:dynamodb/table:Table": Calls(
        service="dynamodb",
        kinds=("Journal",),
        seen=(
            Seen("dynamodb/table.go", ("resourceTableCreate", "resourceTableRead", "resourceTableUpdate"), 6),
            Seen("dynamodb/table.go", ("resourceTableDelete", "updateDynamoDbPITR"), 4),
        ),
        create=("CreateTable", "DescribeTable", "UpdateContinuousBackups?", "DescribeContinuousBackups?", READ),
        read=("DescribeTable", "DescribeContinuousBackups", "DescribeTimeToLive", "ListTagsOfResource"),
        update=("UntagResource?", "TagResource?", "ListTagsOfResource?", "UpdateTable?", "DescribeTable?",
                "UpdateContinuousBackups?", "DescribeContinuousBackups?", READ),
        delete=("DeleteTable", "DescribeTable"),
        along=("dynamodb:TagResource",),
        believed="clearSSEDefaultKey asks KMS for the account's own DynamoDB key and goes on when it may not: seen in "
                 "outline only, and not granted",
        first={"update": ("DescribeTable", "its tags are changed by its ARN, which the engine does not hand over")},
    ),
    "aws:rds/subnetGroup:SubnetGroup": Calls(
        service="rds",
        kinds=("Databases",),
        seen=(Seen("rds/subnet_group.go", ("resourceSubnetGroupCreate", "resourceSubnetGroupRead",
                                           "resourceSubnetGroupUpdate", "resourceSubnetGroupDelete"), 4),),
        create=("CreateDBSubnetGroup", READ),
        read=("DescribeDBSubnetGroups", "ListTagsForResource"),
        update=("RemoveTagsFromResource?", "AddTagsToResource?", "ModifyDBSubnetGroup?", READ),
        delete=("DeleteDBSubnetGroup", "DescribeDBSubnetGroups"),
        along=("rds:AddTagsToResource",),
    ),
    "aws:rds/cluster:Cluster": Calls(
        service="rds",
        kinds=("Databases", "DatabaseSources", "AllGlobalDatabases", "GlobalDatabases"),
        seen=(Seen("rds/cluster.go", ("resourceClusterCreate", "resourceClusterRead", "resourceClusterUpdate",
                                      "resourceClusterDelete"), 6),),
        create=("CreateDBCluster", READ),
        read=("DescribeDBClusters", "DescribeGlobalClusters"),
        update=("RemoveTagsFromResource?", "AddTagsToResource?", "ModifyDBCluster?", READ),
        delete=("RemoveFromGlobalCluster?", "DescribeDBClusters?", "ModifyDBCluster?", "DescribeDBClusters?",
                "DeleteDBCluster", "DescribeDBClusters"),
        along=("rds:AddTagsToResource", "rds:CreateDBClusterSnapshot"),
    ),
    "aws:rds/clusterInstance:ClusterInstance": Calls(
        service="rds",
        kinds=("Databases",),
        seen=(Seen("rds/cluster_instance.go", ("resourceClusterInstanceCreate", "resourceClusterInstanceRead",
                                               "resourceClusterInstanceUpdate", "resourceClusterInstanceDelete"), 6),),
        create=("CreateDBInstance", READ),
        read=("DescribeDBInstances", "DescribeDBClusters"),
        update=("RemoveTagsFromResource?", "AddTagsToResource?", "ModifyDBInstance?", READ),
        delete=("DeleteDBInstance", "DescribeDBInstances"),
        along=("rds:AddTagsToResource",),
    ),
    "aws:rds/globalCluster:GlobalCluster": Calls(
        service="rds",
        kinds=("GlobalDatabases", "TheirDatabases", "AllGlobalDatabases"),
        seen=(Seen("rds/global_cluster.go", ("resourceGlobalClusterCreate", "resourceGlobalClusterRead",
                                             "resourceGlobalClusterUpdate", "resourceGlobalClusterDelete",
                                             "waitForGlobalClusterRemoval"), 5),),
        create=("CreateGlobalCluster", READ),
        read=("DescribeGlobalClusters",),
        update=("ModifyGlobalCluster", READ),
        delete=("RemoveFromGlobalCluster?", "DescribeGlobalClusters?", "DeleteGlobalCluster", "DescribeGlobalClusters"),
        believed="that members are removed only with force_destroy, which stacks do not set: `destroy` removes them",
        first={"delete": ("DescribeGlobalClusters", "it removes whoever is a member now, whatever the state says")},
    ),
}  # fmt: skip
