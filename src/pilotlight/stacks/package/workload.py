"""The three stacks of a declared workload as components, for teams whose programs are not in Python.

`pilotlight export-pulumi` writes `inventory.json` and `pilotlight-runtime.zip`. Each of the three belongs into a
stack of its own: the vault and the standby must stay deployable when the primary region is lost.
"""

from pathlib import Path
from typing import TypedDict

import pulumi

from pilotlight.runtime.records import codec
from pilotlight.runtime.records.inventory import Inventory
from pilotlight.stacks import program

INVENTORY = "inventory.json"


class VaultStackArgs(TypedDict):
    """What is protected."""

    inventory: str
    """Text of `inventory.json`, as `pilotlight export-pulumi` writes it."""


class PrimaryStackArgs(TypedDict):
    """What is protected."""

    inventory: str
    """Text of `inventory.json`, as `pilotlight export-pulumi` writes it."""


class StandbyStackArgs(TypedDict):
    """What is protected, and what the Lambda functions run."""

    inventory: str
    """Text of `inventory.json`, as `pilotlight export-pulumi` writes it."""
    archive: str
    """Path of `pilotlight-runtime.zip`, as `pilotlight export-pulumi` writes it; absolute, because the package runs
    in a process of its own."""


class VaultStack(pulumi.ComponentResource):
    """Everything that outlives the primary region, in the standby region: key, replicas' buckets, records,
    the journal, the functions' logs."""

    vault_bucket: pulumi.Output[str]
    """Name of the bucket of records."""
    journal_table: pulumi.Output[str]
    """Name of the DynamoDB table that runs are written down in."""
    key_arn: pulumi.Output[str]
    """ARN of the standby region's KMS key."""

    def __init__(self, name: str, args: VaultStackArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pilotlight:index:VaultStack", name, None, opts)
        parts = program.vault_parts(_read(args["inventory"]), pulumi.ResourceOptions(parent=self))
        self.vault_bucket, self.journal_table = parts["vault_bucket_name"], parts["journal_table_name"]
        self.key_arn = parts["key_arn"]
        self.register_outputs(
            {"vaultBucket": self.vault_bucket, "journalTable": self.journal_table, "keyArn": self.key_arn}
        )


class PrimaryStack(pulumi.ComponentResource):
    """Attaches protection to what runs in the primary region: replication rules, a global cluster, a key."""

    primary_buckets: pulumi.Output[dict[str, str]]
    """Name of the user's own bucket, by asset."""
    standby_buckets: pulumi.Output[dict[str, str]]
    """Name of the replica, by asset."""

    def __init__(self, name: str, args: PrimaryStackArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pilotlight:index:PrimaryStack", name, None, opts)
        parts = program.primary_parts(_read(args["inventory"]), pulumi.ResourceOptions(parent=self))
        self.primary_buckets = pulumi.Output.from_input(parts["primary_bucket_names"])
        self.standby_buckets = pulumi.Output.from_input(parts["standby_bucket_names"])
        self.register_outputs({"primaryBuckets": self.primary_buckets, "standbyBuckets": self.standby_buckets})


class StandbyStack(pulumi.ComponentResource):
    """Everything that waits in the standby region, deployed and at rest: network, functions, alarms, the database's
    secondary, a group of no instances, a balancer."""

    alarm_topic_arn: pulumi.Output[str]
    """ARN of the SNS topic that alarms are told to."""
    recover_function_arn: pulumi.Output[str]
    """ARN of the Lambda function that runs a failover."""

    def __init__(self, name: str, args: StandbyStackArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pilotlight:index:StandbyStack", name, None, opts)
        archive = Path(args["archive"])
        if not archive.is_file():
            reason = f"there is no file {archive}: pilotlight export-pulumi writes it"
            raise pulumi.InputPropertyError("archive", reason)
        parts = program.standby_parts(_read(args["inventory"]), archive, pulumi.ResourceOptions(parent=self))
        self.alarm_topic_arn, self.recover_function_arn = parts["alarm_topic_arn"], parts["recover_function_arn"]
        self.register_outputs({"alarmTopicArn": self.alarm_topic_arn, "recoverFunctionArn": self.recover_function_arn})


def _read(text: str) -> Inventory:
    return codec.loads(Inventory, text, INVENTORY)
