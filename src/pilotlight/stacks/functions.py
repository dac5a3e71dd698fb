"""The three functions in the standby region: probe, protect, recover; each with a role of its own.

All three run the one archive of the recovery runtime. Their logs are in the vault. No concurrency is reserved: an
account at its default quota could not give it, and the lease already keeps two runs apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_aws as aws

from pilotlight.runtime.readiness import bounds
from pilotlight.runtime.records.inventory import Inventory
from pilotlight.runtime.runs import runbooks
from pilotlight.runtime.runs.engine import at_once
from pilotlight.stacks import function_policies, policies

RUNTIME = "python3.12"
ARCHITECTURE = "arm64"
PROBE_TIMEOUT_SECONDS = 30
"""Half the minute between two scheduled runs: two silent regions cost seconds each."""
PROTECT_TIMEOUT_SECONDS = int(bounds.RUN_SECONDS)
"""The run ends by itself before it and gives its lease back."""
RECOVER_TIMEOUT_SECONDS = 900
"""The longest Lambda allows; a run then goes on in the next invocation, from the journal."""
MEMORY_MIB = 512
MEMORY_MANY_MIB = 1769
"""One whole processor (Lambda Developer Guide, "Configure Lambda function memory"), which is all that Python uses. At
512 MiB a run has 0.3 of one; a call takes some 1.5 ms of it, and a step some twenty calls. Threads need little: 400 of
them 11 MiB."""
STEPS_MANY = 100
"""Steps that may be under way at once from which on the function gets it."""


@dataclass(frozen=True)
class FunctionSpec:
    """One function: its timeout in seconds, its role's policies as JSON, its environment."""

    name: str
    region: str
    handler: str
    timeout_seconds: int
    memory_mib: int
    role: str
    trust: str
    policy: str
    environment: dict[str, str]
    tags: dict[str, str]


@dataclass(frozen=True)
class FunctionArgs:
    """`archive`: the zip that `pilotlight.deploy.archive.build` made."""

    spec: FunctionSpec
    archive: Path


def probe_spec(inventory: Inventory) -> FunctionSpec:
    """Looks at the workload from the standby region, every minute (pure)."""
    policy = policies.text(function_policies.probe(inventory))
    return _spec(inventory, "probe", PROBE_TIMEOUT_SECONDS, policy)


def protect_spec(inventory: Inventory) -> FunctionSpec:
    """Makes a recovery point (pure)."""
    policy = policies.text(function_policies.protect(inventory))
    return _spec(inventory, "protect", PROTECT_TIMEOUT_SECONDS, policy)


def recover_spec(inventory: Inventory) -> FunctionSpec:
    """Drives a failover run (pure)."""
    policy = policies.text(function_policies.recover(inventory))
    many = at_once(runbooks.failover(inventory)) >= STEPS_MANY
    return _spec(inventory, "recover", RECOVER_TIMEOUT_SECONDS, policy, MEMORY_MANY_MIB if many else MEMORY_MIB)


def _spec(
    inventory: Inventory, purpose: str, timeout_seconds: int, policy: str, memory_mib: int = MEMORY_MIB
) -> FunctionSpec:
    names = inventory.names
    return FunctionSpec(
        name=names.function(purpose),
        region=names.standby,
        handler=f"pilotlight.runtime.handlers.{purpose}.handler",
        timeout_seconds=timeout_seconds,
        memory_mib=memory_mib,
        role=names.role(purpose),
        trust=policies.text(policies.assume_by_own_resources("lambda.amazonaws.com")),
        policy=policy,
        environment={
            "PILOTLIGHT_WORKLOAD": names.workload,
            "PILOTLIGHT_VAULT_BUCKET": names.vault_bucket,
            "PILOTLIGHT_JOURNAL_TABLE": names.journal_table,
            "PILOTLIGHT_STANDBY_REGION": names.standby,
        },
        tags=names.tags(),
    )


class Function(pulumi.ComponentResource):
    """Creates role and function. Outputs: `arn`, `function_name`, `role_name`."""

    arn: pulumi.Output[str]
    function_name: pulumi.Output[str]
    role_name: pulumi.Output[str]

    def __init__(self, name: str, args: FunctionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pilotlight:stacks:Function", name, None, opts)
        spec, child = args.spec, pulumi.ResourceOptions(parent=self)
        role = aws.iam.Role(f"{name}-role", name=spec.role, assume_role_policy=spec.trust, tags=spec.tags, opts=child)
        policy = aws.iam.RolePolicy(
            f"{name}-role-policy", name=spec.role, role=role.name, policy=spec.policy, opts=child
        )
        function = aws.lambda_.Function(
            name,
            region=spec.region,
            name=spec.name,
            runtime=RUNTIME,
            architectures=[ARCHITECTURE],
            handler=spec.handler,
            code=pulumi.FileArchive(str(args.archive)),
            role=role.arn,
            timeout=spec.timeout_seconds,
            memory_size=spec.memory_mib,
            environment=aws.lambda_.FunctionEnvironmentArgs(variables=spec.environment),
            tags=spec.tags,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
        )
        self.arn, self.function_name, self.role_name = function.arn, function.name, role.name
        self.register_outputs({"arn": self.arn})
