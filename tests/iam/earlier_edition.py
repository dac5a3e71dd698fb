"""The stacks as an earlier edition of Pilotlight might have made them: what of each type a later one changes in place.

A deployer must be able to go from one edition to the next, and not only to make everything once. A transform of
Pulumi's takes the inputs on their way; what AWS would have to replace is left as it is.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi

from pilotlight.runtime.records.inventory import Inventory
from pilotlight.stacks import program

Inputs = dict[str, Any]


def _named(policy: str) -> str:
    """The same policy with an id of its own."""
    return json.dumps({"Id": "earlier", **json.loads(policy)})


def _first(rules: list[Inputs], **changes: Any) -> list[Inputs]:
    return [{**rules[0], **changes}, *rules[1:]]


EARLIER: dict[str, Callable[[Inputs], Inputs]] = {
    "aws:autoscaling/group:Group": lambda old: {"healthCheckGracePeriod": 60},
    "aws:cloudwatch/logGroup:LogGroup": lambda old: {"retentionInDays": 30},
    "aws:cloudwatch/metricAlarm:MetricAlarm": lambda old: {"alarmDescription": "earlier"},
    "aws:dynamodb/table:Table": lambda old: {"deletionProtectionEnabled": False},
    "aws:ec2/launchTemplate:LaunchTemplate": lambda old: {
        "metadataOptions": old["metadataOptions"] | {"httpPutResponseHopLimit": 2}
    },
    "aws:ec2/securityGroup:SecurityGroup": lambda old: {"ingress": [*old.get("ingress", []), WEB]},
    "aws:iam/role:Role": lambda old: {"assumeRolePolicy": _named(old["assumeRolePolicy"])},
    "aws:kms/key:Key": lambda old: {"policy": _named(old["policy"]), "description": "earlier"},
    "aws:lambda/function:Function": lambda old: {"timeout": 10},
    "aws:lb/loadBalancer:LoadBalancer": lambda old: {"dropInvalidHeaderFields": False},
    "aws:lb/targetGroup:TargetGroup": lambda old: {"healthCheck": old["healthCheck"] | {"interval": 30}},
    "aws:rds/clusterInstance:ClusterInstance": lambda old: {"instanceClass": "db.r6g.xlarge"},
    "aws:route53/healthCheck:HealthCheck": lambda old: {"insufficientDataHealthStatus": "Healthy"},
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": lambda old: {
        "rules": _first(old["rules"], noncurrentVersionExpiration={"noncurrentDays": 1})
    },
    "aws:scheduler/schedule:Schedule": lambda old: {"description": "earlier"},
}
WEB = {"protocol": "tcp", "fromPort": 8443, "toPort": 8443, "cidrBlocks": ["10.0.0.0/8"]}


def _transform(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult | None:
    if args.type_ not in EARLIER:
        return None
    props = dict(args.props)
    return pulumi.ResourceTransformResult(props=props | EARLIER[args.type_](props), opts=args.opts)


def programs(inventory: Inventory, archive: Path) -> dict[str, Callable[[], None]]:
    """The three stacks' programs, of that edition; its functions run another archive."""
    own = archive.with_name("earlier.zip")
    shutil.copy(archive, own)
    with zipfile.ZipFile(own, "a") as whole:
        whole.writestr("earlier.txt", "an earlier edition")

    def earlier(whole: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            pulumi.runtime.register_resource_transform(_transform)
            whole()

        return run

    return {
        "vault": earlier(lambda: program.vault(inventory)),
        "primary": earlier(lambda: program.primary(inventory)),
        "standby": earlier(lambda: program.standby(inventory, own)),
    }
