"""Databases: RDS clusters, their instances, global clusters, subnet groups; DynamoDB tables."""

from __future__ import annotations

from typing import Any

from pilotlight.engine.provider import Place, Properties, ResourceType
from pilotlight.engine.resources.shape import absent, alike, key_as_wanted, pick, tag_list, tag_map, unlike, with_tags
from pilotlight.engine.resources.tagging import retag
from pilotlight.engine.resources.waiting import until

WAIT_SECONDS = 1800.0
"""A real Aurora cluster or secondary can take half an hour."""


class SubnetGroup(ResourceType):
    """aws.rds.SubnetGroup."""

    type = "aws:rds/subnetGroup:SubnetGroup"
    replace_on = frozenset({"name"})
    name_key = "name"

    def create(self, place: Place, inputs: Properties) -> tuple[str, Properties]:
        place.client("rds").create_db_subnet_group(
            DBSubnetGroupName=inputs["name"],
            DBSubnetGroupDescription=inputs.get("description") or "Managed by Pulumi",
            SubnetIds=inputs["subnetIds"],
            Tags=tag_list(inputs.get("tags")),
        )
        return inputs["name"], self.read(place, inputs["name"], inputs) or inputs

    def read(self, place: Place, id_: str, inputs: Properties) -> Properties | None:
        rds = place.client("rds")
        found = absent(lambda: rds.describe_db_subnet_groups(DBSubnetGroupName=id_)["DBSubnetGroups"])
        if not found:
            return None
        arn = found[0].get("DBSubnetGroupArn")
        there = {
            "description": found[0].get("DBSubnetGroupDescription"),
            "subnetIds": [each["SubnetIdentifier"] for each in found[0].get("Subnets", [])],
            "tags": tag_map(rds.list_tags_for_resource(ResourceName=arn)["TagList"]),
        }
        known = {"id": id_, "name": id_, "arn": arn}
        return {**inputs, **with_tags(inputs), **known, **unlike(inputs, there)}

    def update(self, place: Place, id_: str, old: Properties, new: Properties) -> Properties:
        if not alike([old.get("subnetIds"), old.get("description")], [new["subnetIds"], new.get("description")]):
            described = pick(new, {"description": "DBSubnetGroupDescription"})
            place.client("rds").modify_db_subnet_group(DBSubnetGroupName=id_, SubnetIds=new["subnetIds"], **described)
        if found := self.read(place, id_, new):
            retag(place, "rds", str(found["arn"]), old, new)
        return self.read(place, id_, new) or new

    def delete(self, place: Place, id_: str, outputs: Properties) -> None:
        absent(lambda: place.client("rds").delete_db_subnet_group(DBSubnetGroupName=id_))


class Cluster(ResourceType):
    """aws.rds.Cluster; waits until it is available."""

    type = "aws:rds/cluster:Cluster"
    replace_on = frozenset({
        "clusterIdentifier", "databaseName", "masterUsername", "storageEncrypted", "kmsKeyId", "engine",
        "snapshotIdentifier", "globalClusterIdentifier", "sourceRegion",
    })  # fmt: skip
    secret_outputs = frozenset({"masterPassword"})
    names = {
        "clusterIdentifier": "DBClusterIdentifier", "engine": "Engine", "engineVersion": "EngineVersion",
        "databaseName": "DatabaseName", "masterUsername": "MasterUsername", "masterPassword": "MasterUserPassword",
        "dbSubnetGroupName": "DBSubnetGroupName", "vpcSecurityGroupIds": "VpcSecurityGroupIds",
        "storageEncrypted": "StorageEncrypted", "kmsKeyId": "KmsKeyId", "port": "Port",
        "backupRetentionPeriod": "BackupRetentionPeriod", "deletionProtection": "DeletionProtection",
        "globalClusterIdentifier": "GlobalClusterIdentifier", "copyTagsToSnapshot": "CopyTagsToSnapshot",
        "enabledCloudwatchLogsExports": "EnableCloudwatchLogsExports", "enableHttpEndpoint": "EnableHttpEndpoint",
        "sourceRegion": "SourceRegion",
    }  # fmt: skip
    changeable = {
        "engineVersion": "EngineVersion", "masterPassword": "MasterUserPassword", "port": "Port",
        "vpcSecurityGroupIds": "VpcSecurityGroupIds", "backupRetentionPeriod": "BackupRetentionPeriod",
        "deletionProtection": "DeletionProtection", "copyTagsToSnapshot": "CopyTagsToSnapshot",
        "enableHttpEndpoint": "EnableHttpEndpoint",
    }  # fmt: skip

    def create(self, place: Place, inputs: Properties) -> tuple[str, Properties]:
        rds, name = place.client("rds"), inputs["clusterIdentifier"]
        rds.create_db_cluster(**pick(inputs, self.names), Tags=tag_list(inputs.get("tags")))
        until(f"cluster {name} is available", lambda: self._find(place, name)["Status"] == "available", WAIT_SECONDS)
        return name, self._outputs(place, inputs, self._find(place, name))

    def _find(self, place: Place, name: str) -> Properties:
        found = place.client("rds").describe_db_clusters(DBClusterIdentifier=name)["DBClusters"]
        return dict(found[0])

    def read(self, place: Place, id_: str, inputs: Properties) -> Properties | None:
        found = absent(lambda: self._find(place, id_))
        if found is None:
            return None
        there = self._there(found) | {"kmsKeyId": key_as_wanted(inputs.get("kmsKeyId"), found.get("KmsKeyId"))}
        return self._outputs(place, inputs, found) | unlike(inputs, there)

    def _there(self, found: Properties) -> Properties:
        """What can be changed in place. Version, source and membership are AWS's to change: a failover moves them."""
        names = {
            "backupRetentionPeriod": "BackupRetentionPeriod", "deletionProtection": "DeletionProtection",
            "copyTagsToSnapshot": "CopyTagsToSnapshot", "enableHttpEndpoint": "HttpEndpointEnabled",
            "dbSubnetGroupName": "DBSubnetGroup", "storageEncrypted": "StorageEncrypted", "engine": "Engine",
        }  # fmt: skip
        groups = [each["VpcSecurityGroupId"] for each in found.get("VpcSecurityGroups", [])]
        there = {key: found.get(name) for key, name in names.items()}
        return there | {"vpcSecurityGroupIds": groups, "tags": tag_map(found.get("TagList"))}

    def update(self, place: Place, id_: str, old: Properties, new: Properties) -> Properties:
        changed = {key: name for key, name in self.changeable.items() if old.get(key) != new.get(key)}
        request = pick(new, changed)
        if request:
            place.client("rds").modify_db_cluster(DBClusterIdentifier=id_, ApplyImmediately=True, **request)
        found = self._find(place, id_)
        retag(place, "rds", found["DBClusterArn"], old, new)
        return self._outputs(place, new, found)

    def delete(self, place: Place, id_: str, outputs: Properties) -> None:
        rds = place.client("rds")
        request: Properties = {"SkipFinalSnapshot": bool(outputs.get("skipFinalSnapshot"))}
        if not request["SkipFinalSnapshot"]:
            request["FinalDBSnapshotIdentifier"] = outputs.get("finalSnapshotIdentifier") or f"{id_}-final"
        if absent(lambda: rds.delete_db_cluster(DBClusterIdentifier=id_, **request)) is not None:
            until(f"cluster {id_} is gone", lambda: absent(lambda: self._find(place, id_)) is None, WAIT_SECONDS)

    def _outputs(self, place: Place, inputs: Properties, found: Properties) -> Properties:
        return {
            **inputs,
            **with_tags(inputs),
            "id": found["DBClusterIdentifier"],
            "arn": found["DBClusterArn"],
            "endpoint": found.get("Endpoint"),
            "readerEndpoint": found.get("ReaderEndpoint"),
            "port": found.get("Port"),
            "engineVersionActual": found.get("EngineVersion"),
            "databaseName": inputs.get("databaseName") or found.get("DatabaseName"),
            "clusterResourceId": found.get("DbClusterResourceId"),
            "hostedZoneId": found.get("HostedZoneId"),
            "region": place.region,
        }


class ClusterInstance(ResourceType):
    """aws.rds.ClusterInstance; waits until it is available."""

    type = "aws:rds/clusterInstance:ClusterInstance"
    replace_on = frozenset({"identifier", "clusterIdentifier", "engine", "availabilityZone", "dbSubnetGroupName"})
    name_key = "identifier"
    changeable = {
        "instanceClass": "DBInstanceClass", "autoMinorVersionUpgrade": "AutoMinorVersionUpgrade",
        "publiclyAccessible": "PubliclyAccessible",
    }  # fmt: skip

    def create(self, place: Place, inputs: Properties) -> tuple[str, Properties]:
        names = {"identifier": "DBInstanceIdentifier", "clusterIdentifier": "DBClusterIdentifier", "engine": "Engine",
                 "instanceClass": "DBInstanceClass", "engineVersion": "EngineVersion",
                 "dbSubnetGroupName": "DBSubnetGroupName", "publiclyAccessible": "PubliclyAccessible",
                 "performanceInsightsEnabled": "EnablePerformanceInsights",
                 "performanceInsightsKmsKeyId": "PerformanceInsightsKMSKeyId",
                 "autoMinorVersionUpgrade": "AutoMinorVersionUpgrade"}  # fmt: skip
        name = inputs["identifier"]
        place.client("rds").create_db_instance(**pick(inputs, names), Tags=tag_list(inputs.get("tags")))
        until(
            f"database instance {name} is available",
            lambda: self._find(place, name)["DBInstanceStatus"] == "available",
            WAIT_SECONDS,
        )
        return name, self.read(place, name, inputs) or inputs

    def _find(self, place: Place, name: str) -> Properties:
        return dict(place.client("rds").describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0])

    def read(self, place: Place, id_: str, inputs: Properties) -> Properties | None:
        found = absent(lambda: self._find(place, id_))
        if found is None:
            return None
        endpoint = found.get("Endpoint") or {}
        known = {"id": id_, "identifier": id_, "arn": found["DBInstanceArn"], "endpoint": endpoint.get("Address"),
                 "port": endpoint.get("Port"), "region": place.region}  # fmt: skip
        there = {key: found.get(name) for key, name in self.changeable.items()} | {
            "tags": tag_map(found.get("TagList"))
        }
        return {**inputs, **with_tags(inputs), **known, **unlike(inputs, there)}

    def update(self, place: Place, id_: str, old: Properties, new: Properties) -> Properties:
        changed = {key: name for key, name in self.changeable.items() if old.get(key) != new.get(key)}
        if pick(new, changed):
            request = pick(new, changed)
            place.client("rds").modify_db_instance(DBInstanceIdentifier=id_, ApplyImmediately=True, **request)
        retag(place, "rds", self._find(place, id_)["DBInstanceArn"], old, new)
        return self.read(place, id_, new) or new

    def delete(self, place: Place, id_: str, outputs: Properties) -> None:
        rds = place.client("rds")
        deleted = absent(lambda: rds.delete_db_instance(DBInstanceIdentifier=id_, SkipFinalSnapshot=True))
        if deleted is not None:
            until(f"instance {id_} is gone", lambda: absent(lambda: self._find(place, id_)) is None, WAIT_SECONDS)


class GlobalCluster(ResourceType):
    """aws.rds.GlobalCluster."""

    type = "aws:rds/globalCluster:GlobalCluster"
    replace_on = frozenset({"globalClusterIdentifier", "sourceDbClusterIdentifier", "storageEncrypted", "databaseName"})

    def create(self, place: Place, inputs: Properties) -> tuple[str, Properties]:
        names = {"globalClusterIdentifier": "GlobalClusterIdentifier", "sourceDbClusterIdentifier":
                 "SourceDBClusterIdentifier", "engine": "Engine", "engineVersion": "EngineVersion",
                 "deletionProtection": "DeletionProtection", "storageEncrypted": "StorageEncrypted"}  # fmt: skip
        name = inputs["globalClusterIdentifier"]
        place.client("rds").create_global_cluster(**pick(inputs, names))
        return name, self.read(place, name, inputs) or inputs

    def _find(self, place: Place, name: str) -> Any:
        rds = place.client("rds")
        return rds.describe_global_clusters(GlobalClusterIdentifier=name)["GlobalClusters"][0]

    def read(self, place: Place, id_: str, inputs: Properties) -> Properties | None:
        found = absent(lambda: self._find(place, id_))
        if found is None:
            return None
        members = [
            {"dbClusterArn": each["DBClusterArn"], "isWriter": each["IsWriter"]}
            for each in found.get("GlobalClusterMembers") or []
        ]
        known = {"id": id_, "arn": found["GlobalClusterArn"], "globalClusterMembers": members, "region": place.region}
        there = {"deletionProtection": found.get("DeletionProtection"), "tags": tag_map(found.get("TagList"))}
        return {**inputs, **known, **unlike(inputs, there)}

    def update(self, place: Place, id_: str, old: Properties, new: Properties) -> Properties:
        if old.get("deletionProtection") != new.get("deletionProtection"):
            place.client("rds").modify_global_cluster(
                GlobalClusterIdentifier=id_, DeletionProtection=bool(new.get("deletionProtection"))
            )
        return self.read(place, id_, new) or new

    def delete(self, place: Place, id_: str, outputs: Properties) -> None:
        rds = place.client("rds")
        for member in absent(lambda: self._find(place, id_).get("GlobalClusterMembers")) or []:
            arn = member["DBClusterArn"]
            absent(
                lambda arn=arn: rds.remove_from_global_cluster(  # type: ignore[misc]
                    GlobalClusterIdentifier=id_, DbClusterIdentifier=arn
                )
            )
        absent(lambda: rds.delete_global_cluster(GlobalClusterIdentifier=id_))


def _encryption(inputs: Properties) -> Properties:
    """A table's SSESpecification."""
    wanted = inputs.get("serverSideEncryption") or {}
    if not wanted.get("enabled"):
        return {"Enabled": False}
    return {"Enabled": True, "SSEType": "KMS"} | pick(wanted, {"kmsKeyArn": "KMSMasterKeyId"})


class Table(ResourceType):
    """aws.dynamodb.Table."""

    type = "aws:dynamodb/table:Table"
    replace_on = frozenset({"name", "hashKey", "rangeKey"})
    name_key = "name"

    def create(self, place: Place, inputs: Properties) -> tuple[str, Properties]:
        dynamo, name = place.client("dynamodb"), inputs["name"]
        schema = [{"AttributeName": inputs["hashKey"], "KeyType": "HASH"}]
        if inputs.get("rangeKey"):
            schema.append({"AttributeName": inputs["rangeKey"], "KeyType": "RANGE"})
        request: Properties = {
            "TableName": name,
            "KeySchema": schema,
            "AttributeDefinitions": [
                {"AttributeName": each["name"], "AttributeType": each["type"]} for each in inputs["attributes"]
            ],
            "BillingMode": inputs.get("billingMode") or "PROVISIONED",
            "Tags": tag_list(inputs.get("tags")),
        }
        if _encryption(inputs)["Enabled"]:
            request["SSESpecification"] = _encryption(inputs)
        if inputs.get("deletionProtectionEnabled"):
            request["DeletionProtectionEnabled"] = True
        dynamo.create_table(**request)
        until(f"table {name} is active", lambda: self._status(dynamo, name) == "ACTIVE", WAIT_SECONDS)
        self._point_in_time(dynamo, name, {}, inputs)
        return name, self.read(place, name, inputs) or inputs

    def _status(self, dynamo: Any, name: str) -> str:
        return str(dynamo.describe_table(TableName=name)["Table"]["TableStatus"])

    def _point_in_time(self, dynamo: Any, name: str, old: Properties, new: Properties) -> None:
        wanted = bool((new.get("pointInTimeRecovery") or {}).get("enabled"))
        if wanted != bool((old.get("pointInTimeRecovery") or {}).get("enabled")):
            dynamo.update_continuous_backups(
                TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": wanted}
            )

    def read(self, place: Place, id_: str, inputs: Properties) -> Properties | None:
        dynamo = place.client("dynamodb")
        found = absent(lambda: dynamo.describe_table(TableName=id_)["Table"])
        if found is None:
            return None
        known = {"id": id_, "name": id_, "arn": found["TableArn"], "region": place.region}
        return {**inputs, **with_tags(inputs), **known, **unlike(inputs, self._there(dynamo, id_, inputs, found))}

    def _there(self, dynamo: Any, name: str, inputs: Properties, found: Properties) -> Properties:
        wanted = (inputs.get("serverSideEncryption") or {}).get("kmsKeyArn")
        backups = dynamo.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
        recovery = backups.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus")
        secured = found.get("SSEDescription", {})
        return {
            "billingMode": found.get("BillingModeSummary", {}).get("BillingMode") or "PROVISIONED",
            "deletionProtectionEnabled": found.get("DeletionProtectionEnabled"),
            "pointInTimeRecovery": {"enabled": recovery == "ENABLED"},
            "serverSideEncryption": {
                "enabled": secured.get("Status") in ("ENABLED", "ENABLING", "UPDATING"),
                "kmsKeyArn": key_as_wanted(wanted, secured.get("KMSMasterKeyArn")),
            },
            "tags": tag_map(dynamo.list_tags_of_resource(ResourceArn=found["TableArn"])["Tags"]),
        }

    def update(self, place: Place, id_: str, old: Properties, new: Properties) -> Properties:
        dynamo = place.client("dynamodb")
        if (old.get("tags") or {}) != (new.get("tags") or {}):
            retag(place, "dynamodb", dynamo.describe_table(TableName=id_)["Table"]["TableArn"], old, new)
        wanted = bool(new.get("deletionProtectionEnabled"))
        if wanted != bool(old.get("deletionProtectionEnabled")):
            dynamo.update_table(TableName=id_, DeletionProtectionEnabled=wanted)
        if new.get("billingMode") and old.get("billingMode") != new["billingMode"]:
            dynamo.update_table(TableName=id_, BillingMode=new["billingMode"])
        if old.get("serverSideEncryption") != new.get("serverSideEncryption"):
            dynamo.update_table(TableName=id_, SSESpecification=_encryption(new))
        self._point_in_time(dynamo, id_, old, new)
        return self.read(place, id_, new) or new

    def delete(self, place: Place, id_: str, outputs: Properties) -> None:
        absent(lambda: place.client("dynamodb").delete_table(TableName=id_))
