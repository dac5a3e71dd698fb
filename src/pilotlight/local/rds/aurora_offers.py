"""What RDS says that it offers of Aurora PostgreSQL: moto lists a few classes of old versions, in one region's zones.

RDS API Reference, DescribeOrderableDBInstanceOptions; Aurora User Guide, "Supported DB engines for DB instance classes"
and "Configuration requirements of an Amazon Aurora global database" (memory-optimized classes). Which minor versions
there are changes every quarter: every one of a major version that Aurora has is offered here.
"""

from __future__ import annotations

import re
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend
from moto.rds.responses import RDSResponse

from pilotlight.local.overrides import original, override

ENGINE = "aurora-postgresql"
VERSIONS = re.compile(r"^1[1-7]\.\d+$")
GLOBAL_CLASSES = ("db.r5", "db.r6g", "db.r6i", "db.r7g", "db.r7i", "db.r8g", "db.x2g")
OTHER_CLASSES = ("db.t3", "db.t4g")
SIZES = ("medium", "large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge")

_orderable = original(RDSResponse, "describe_orderable_db_instance_options")


def install() -> None:
    """Answer for Aurora PostgreSQL of one version and class; moto answers the rest."""

    def describe_orderable_db_instance_options(self: Any) -> ActionResult:
        asked = {key: str(self.params.get(key) or "") for key in ("Engine", "EngineVersion", "DBInstanceClass")}
        if asked["Engine"] != ENGINE or not asked["EngineVersion"] or not asked["DBInstanceClass"]:
            result: ActionResult = _orderable(self)
            return result
        zones = [each.name for each in RegionsAndZonesBackend.zones[self.region]]
        return ActionResult({"OrderableDBInstanceOptions": offered(zones=zones, **asked)})

    override(RDSResponse, describe_orderable_db_instance_options=describe_orderable_db_instance_options)


def offered(Engine: str, EngineVersion: str, DBInstanceClass: str, zones: list[str]) -> list[dict[str, Any]]:  # noqa: N803 - as AWS names them
    """One option, or none (pure)."""
    family, _, size = DBInstanceClass.rpartition(".")
    if not VERSIONS.match(EngineVersion) or size not in SIZES or family not in (*GLOBAL_CLASSES, *OTHER_CLASSES):
        return []
    return [
        {
            "Engine": Engine,
            "EngineVersion": EngineVersion,
            "DBInstanceClass": DBInstanceClass,
            "LicenseModel": "postgresql-license",
            "AvailabilityZones": [{"Name": each} for each in zones],
            "MultiAZCapable": False,
            "Vpc": True,
            "SupportsStorageEncryption": True,
            "StorageType": "aurora",
            "SupportedEngineModes": ["provisioned"],
            "SupportsGlobalDatabases": family in GLOBAL_CLASSES,
            "SupportsClusters": True,
        }
    ]
