"""One inventory as the example's survey would give it."""

from __future__ import annotations

import base64
import json

from pilotlight.runtime.naming import Names
from pilotlight.runtime.records.inventory import (
    Compute,
    Database,
    Datasets,
    Inventory,
    Keep,
    Traffic,
    VaultAccount,
    Volumes,
)
from pilotlight.runtime.records.settings import Disk, GroupSettings, GroupTag, LaunchSettings, Metadata, VolumeSettings

ACCOUNT = "123456789012"
VAULT = VaultAccount("210987654321", "pilotlight-vault")
NAMES = Names("inference", ACCOUNT, "us-east-1", "us-west-2")
USER_DATA = "#!/bin/bash\nDATABASE={{pilotlight:database:registry:endpoint}}:{{pilotlight:database:registry:port}}\n"


def inventory(vault: VaultAccount | None = None) -> Inventory:
    """Datasets, checkpoints, volumes, database, compute and traffic, one of each; a vault in its own account or not."""
    names = Names("inference", ACCOUNT, "us-east-1", "us-west-2", vault.account if vault else "")
    return Inventory(
        workload="inference",
        account=ACCOUNT,
        primary="us-east-1",
        standby="us-west-2",
        rpo_seconds=60,
        rto_seconds=120,
        trigger="automatic",
        every_seconds=60,
        keep=Keep(24, 7, 4),
        assets=(
            _dataset(names, "corpus", "dataset", ""),
            _dataset(names, "checkpoints", "checkpoints", "checkpoints/"),
            Volumes(
                "index",
                "backup",
                "index",
                {"/dev/sdf": "vol-1", "/dev/sdg": "vol-2"},
                {"/dev/sdf": 8, "/dev/sdg": 9},
                settings={"/dev/sdf": VolumeSettings("io2", 400)},
            ),
            _database(),
            _compute(),
        ),
        traffic=Traffic(
            "example.internal", "Z1", "models.example.internal", "/healthz", 80, "lb.us-east-1.example", "ZLB"
        ),
        vault=vault,
        taken_at="2026-01-01T00:00:00.000Z",
    )


def _dataset(names: Names, name: str, kind: str, prefix: str) -> Datasets:
    return Datasets(name, kind, f"inference-{name}-{ACCOUNT}", names.standby_bucket(name), prefix)


def _database() -> Database:
    return Database(
        name="registry",
        primary_cluster="inference-registry",
        standby_cluster=NAMES.standby_cluster("registry"),
        global_cluster=NAMES.global_cluster("registry"),
        engine="aurora-postgresql",
        engine_version="16.6",
        database="registry",
        primary_arn=f"arn:aws:rds:us-east-1:{ACCOUNT}:cluster:inference-registry",
        standby_arn=f"arn:aws:rds:us-west-2:{ACCOUNT}:cluster:{NAMES.standby_cluster('registry')}",
    )


def _compute() -> Compute:
    own = {"Sid": "Own", "Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::own/*"]}
    return Compute(
        name="fleet",
        primary_group="inference-fleet",
        standby_group=NAMES.group("fleet"),
        standby_launch_template=NAMES.launch_template("fleet"),
        image="ami-1",
        instance_types=("g5.xlarge", "g4dn.xlarge"),
        count=1,
        user_data=base64.b64encode(USER_DATA.encode()).decode(),
        port=8080,
        instance_profile_policy=json.dumps({"Version": "2012-10-17", "Statement": [own]}),
        volumes=("index",),
        launch=LaunchSettings(
            disks=(Disk("/dev/xvda", VolumeSettings("gp3", 6000, 500), 500, True),),
            metadata=Metadata(hop_limit=2, tags="enabled"),
            ebs_optimized=True,
            monitoring=True,
            cpu_cores=4,
            cpu_threads_per_core=1,
            cpu_credits="standard",
            auto_recovery="disabled",
            tenancy="dedicated",
            shutdown_behavior="terminate",
            instance_tags={"team": "search", "pilotlight:workload": "another"},
            volume_tags={"cost": "7"},
        ),
        group=GroupSettings(
            health_check_type="ELB",
            health_check_grace_seconds=1800,
            cooldown_seconds=60,
            warmup_seconds=0,
            termination_policies=("OldestInstance",),
            tags=(GroupTag("team", "search", True), GroupTag("owner", "ml", False)),
        ),
    )
