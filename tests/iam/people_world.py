"""A rehearsal in which everybody has nothing but their own documents; run as a script, it records what they need.

`python tests/iam/people_world.py` gives people all rights and writes what they needed into
src/pilotlight/stacks/people.json; the tests beside it let them do the same with what was written. It is rehearsed
twice: with the vault in the workload's account, and in one of its own.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3
import earlier_edition

from model.checker import problems_of
from model.leases import without_lease
from pilotlight.demo import after, before, disaster
from pilotlight.demo.scene import Options, Scene
from pilotlight.demo.stage import open_stage
from pilotlight.demo.waiting import wait_for
from pilotlight.deploy import archive, state_bucket
from pilotlight.deploy.current import current_inventory
from pilotlight.deploy.destroy import Destroy
from pilotlight.deploy.operations import Operations
from pilotlight.engine.embedded import Engine
from pilotlight.engine.resources import TYPES
from pilotlight.local.handle import LocalCloud
from pilotlight.local.iam.identities import MEMBER_ROLE
from pilotlight.local.kernel.cloud import ACCOUNT, MEMBER
from pilotlight.runtime.aws.boto import BotoClient
from pilotlight.runtime.aws.fetch import fetch_through
from pilotlight.runtime.kinds import restore as restoring
from pilotlight.runtime.kinds.buckets import restoring as buckets_restoring
from pilotlight.runtime.kinds.buckets.copying import copy_in_parts
from pilotlight.runtime.kinds.buckets.listing import current
from pilotlight.runtime.kinds.buckets.observe import buckets
from pilotlight.runtime.kinds.restore import Wanted
from pilotlight.runtime.naming import STACKS
from pilotlight.runtime.records.inventory import Inventory
from pilotlight.runtime.records.point import COMPLETE, RecoveryPoint
from pilotlight.runtime.recovery import open_recovery
from pilotlight.stacks import people
from pilotlight.stacks.project import region
from pilotlight.stacks.supplementary import DEPLOYER, OPERATOR, VAULT
from pilotlight.workload.load import load
from pilotlight.workload.model import Vault
from support.asks_as_provider import as_provider

EXAMPLE = Path(__file__).parents[2] / "examples/inference-service"
REGIONS = ("us-east-1", "us-west-2")
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
EARLIER, LOST, DELETED = "earlier.bin", "lost.bin", "deleted.bin"
REPLICATED_SECONDS = 60.0
ROLE_IN_VAULT = "pilotlight-vault"
ADMINISTRATOR = f"arn:aws:iam::{MEMBER}:role/{MEMBER_ROLE}"
Documents = tuple[dict[str, Any], ...]


@dataclass
class Rehearsed:
    """What was needed by whom: kind -> actions of the people, and actions of each role."""

    inventory: Inventory
    people: dict[str, dict[str, list[str]]]
    roles: dict[str, set[str]]
    granted: dict[str, set[str]]
    """Role -> actions in its policies, as deployed."""
    runs: list[str]
    """The kinds of runs that were made, the newest first."""
    not_paths: list[str]
    """Lines of their journals that the protocol does not let be written there."""
    without_lease: list[str]
    """What their functions did with no lease."""


def rehearse(documents_of: Any, apart: bool) -> Rehearsed:
    """Everything once; `documents_of(who, inventory)` are the documents that somebody gets."""
    vault = Vault(account=MEMBER, role=ROLE_IN_VAULT) if apart else None
    workload = load(EXAMPLE / "workload.yaml").model_copy(update={"vault": vault})
    with open_stage(7, False, REGIONS) as stage:
        scene = Scene(Options(EXAMPLE, seed=7), stage, workload, _talk)
        before.deploy_example(scene)
        _tagged_object(scene, EARLIER)
        inventory = current_inventory(workload, stage.account, BotoClient(), stage.clock)
        deployer, operator = (documents_of(who, inventory) for who in (DEPLOYER, OPERATOR))
        if apart:
            _open_vault(stage.cloud, documents_of(VAULT, inventory))
        with _person(scene, DEPLOYER, deployer):
            _deploy(scene)
        before.protect(scene)
        with _person(scene, OPERATOR, operator):
            _backfill(scene)
        before.start_traffic(scene)
        before.await_points(scene)
        disaster.darken(scene)
        disaster.await_recovery(scene)
        disaster.follow_run(scene)
        after.write_in_standby(scene)
        after.return_region(scene)
        with _person(scene, OPERATOR, operator):
            after.go_home(scene)
        _silence_alarms(scene)
        with _person(scene, OPERATOR, operator):
            _operate(scene)
        stage.close_traffic()
        unheld = without_lease(stage.cloud.calls(principal=f":assumed-role/{scene.names.project}-"))
        granted = _granted(scene)
        runs, not_paths = [each.kind for each in scene.recovery.runs()], problems_of(scene.recovery)
        with _person(scene, DEPLOYER, deployer):
            _tear_down(scene)
        labels = {
            DEPLOYER: f":user/{DEPLOYER}",
            OPERATOR: f":user/{OPERATOR}",
            VAULT: f":assumed-role/{ROLE_IN_VAULT}/",
        }
        uses = {who: stage.cloud.uses(labels[who]) for who in people.everybody(inventory)}
        return Rehearsed(
            inventory=replace(inventory, taken_at=""),
            people={who: people.sorted_by_kind(who, found, inventory) for who, found in uses.items()},
            roles={role: _of_role(scene, role) for role in granted},
            granted=granted,
            runs=runs,
            not_paths=not_paths,
            without_lease=unheld,
        )


def _talk(text: str) -> None:
    print(text, file=sys.stderr)


def _open_vault(cloud: LocalCloud, documents: Documents) -> None:
    """The role that a deployer assumes in the vault's account, which has these documents and nothing else."""
    iam = _in_vault(cloud, "iam", REGIONS[0])
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    whole = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    iam.create_role(RoleName=ROLE_IN_VAULT, AssumeRolePolicyDocument=whole)
    for number, document in enumerate(documents):
        policy = json.dumps(document)
        iam.put_role_policy(RoleName=ROLE_IN_VAULT, PolicyName=f"part-{number}", PolicyDocument=policy)


@contextmanager
def _person(scene: Scene, who: str, documents: Documents) -> Iterator[None]:
    """Be such a person, who has these documents and nothing else."""
    iam = scene.stage.cloud.client("iam", REGIONS[0])
    name = f"{who}-{len(iam.list_users()['Users'])}"
    iam.create_user(UserName=name)
    for number, document in enumerate(documents):
        iam.put_user_policy(UserName=name, PolicyName=f"part-{number}", PolicyDocument=json.dumps(document))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    earlier = dict(os.environ)
    os.environ.update(AWS_ACCESS_KEY_ID=key["AccessKeyId"], AWS_SECRET_ACCESS_KEY=key["SecretAccessKey"])
    try:
        _open_recovery(scene)
        yield
    finally:
        os.environ.clear()
        os.environ.update(earlier)
        _open_recovery(scene)


def _open_recovery(scene: Scene) -> None:
    """An AWS client keeps the credentials that it was opened with."""
    if scene.inventory is not None:
        look = fetch_through(scene.stage.front_door)
        scene.opened = open_recovery(scene.inventory, "operator", scene.stage.clock, look)


def _tagged_object(scene: Scene, key: str) -> None:
    s3, bucket = scene.stage.cloud.client("s3", scene.primary), scene.outputs["corpus_bucket"]
    s3.put_object(Bucket=bucket, Key=key, Body=b"1", Tagging="licence=open")


def _backfill(scene: Scene) -> None:
    """Each dataset, in parts as objects above 5 GiB are copied, and whole; with a version that the copy has lost and
    a deletion that it has missed."""
    here, there = scene.stage.cloud.client("s3", scene.primary), _owner_of_copies(scene)
    copy = {"Bucket": scene.names.standby_bucket("corpus")}
    _tagged_object(scene, LOST)
    _tagged_object(scene, DELETED)
    here.delete_object(Bucket=scene.outputs["corpus_bucket"], Key=DELETED)

    def replicated() -> dict[str, Any] | None:
        found = there.list_object_versions(**copy)
        both = (
            [each["Key"] for each in found.get("Versions", ())],
            [each["Key"] for each in found.get("DeleteMarkers", ())],
        )
        return found if LOST in both[0] and DELETED in both[1] else None

    arrived = wait_for("a replica and a deletion", replicated, REPLICATED_SECONDS, scene.stage.clock)
    lost = next(each["VersionId"] for each in arrived["Versions"] if each["Key"] == LOST)
    there.delete_object(**copy, Key=LOST, VersionId=lost)
    there.put_object(**copy, Key=DELETED, Body=b"1")
    source, target = buckets(scene.built, scene.built.datasets[0])
    client = scene.recovery.context.client
    for each in current(client, source):
        if each.key in (EARLIER, LOST):  # without a version, from before there were any, and with one
            copy_in_parts(client, source, target, each, None)
    for each in scene.built.datasets:
        scene.recovery.backfill(each)


def _owner_of_copies(scene: Scene) -> Any:
    """S3 of the standby region as whoever owns the copies: nobody else can destroy a version of one."""
    vault, cloud = scene.built.vault, scene.stage.cloud
    return _in_vault(cloud, "s3", scene.standby) if vault else cloud.client("s3", scene.standby)


def _in_vault(cloud: LocalCloud, service: str, region: str) -> Any:
    """A client of the vault's account, as its administrator; whoever the environment is at the moment."""
    sts = cloud.client("sts", region)
    key = sts.assume_role(RoleArn=ADMINISTRATOR, RoleSessionName="administrator")["Credentials"]
    return boto3.session.Session(key["AccessKeyId"], key["SecretAccessKey"], key["SessionToken"]).client(
        service, region_name=region, endpoint_url=cloud.router_url
    )


def _deploy(scene: Scene) -> None:
    """`state init`, `preview`, `up` of an earlier edition, `up` of this one and `drift`."""
    state_bucket.make(_acts(scene).inventory.names, BotoClient())
    acts, built = _acts(scene), archive.build(scene.stage.folder / "state")
    acts.preview(built)
    for stack, program in earlier_edition.programs(acts.inventory, built).items():
        acts.engine.update(stack, program, region=region(acts.inventory, stack))
    later = acts.up(BotoClient(), built)
    changed = {event.type for one in later.stacks for event in one.operations if event.operation == "update"}
    assert changed == set(earlier_edition.EARLIER), "every type that can change was changed in place"
    assert acts.preview(built).changes == 0
    acts.refresh(keep=False)


def _tear_down(scene: Scene) -> None:
    """`destroy --vault`."""
    acts, client, vault = _acts(scene), BotoClient(), scene.built.vault
    into_vault = BotoClient.assuming(vault.role_arn, scene.standby) if vault else client
    Destroy(acts.inventory, client, into_vault, acts).run(STACKS)


def _acts(scene: Scene) -> Operations:
    inventory = current_inventory(scene.workload, scene.stage.account, BotoClient(), scene.stage.clock)
    folder = scene.stage.folder / "state" / inventory.workload
    return Operations(inventory, Engine(folder, inventory.names.project, types=as_provider(TYPES)))


def _silence_alarms(scene: Scene) -> None:
    """From here on a failover is the operator's alone: on a slow machine the alarm's would be done before theirs."""
    watch = scene.stage.cloud.client("cloudwatch", scene.standby)
    names = [each["AlarmName"] for each in watch.describe_alarms()["MetricAlarms"]]
    watch.disable_alarm_actions(AlarmNames=names)


def _operate(scene: Scene) -> None:
    """Everything of the recovery that is a person's, a failover at their word among them."""
    recovery, datasets = scene.recovery, scene.built.datasets
    for asset in datasets:
        recovery.backfill(asset)
    recovery.hand_over(datasets[0])
    recovery.status()
    before.await_points(scene)
    newest = recovery.points(1)[0]
    recovery.verify(newest.id, deep=True)
    scene.stage.cloud.dark(scene.primary)
    recovery.request("a rehearsal")
    recovery.approve("operator")
    assert recovery.failover() is not None
    scene.stage.cloud.light(scene.primary)
    assert recovery.failback() is not None
    recovery.refuse(newest.id, "a rehearsal", "operator")
    recovery.runs()
    before.await_points(scene)
    _restore(scene, next(each for each in recovery.points() if each.status == COMPLETE))


def _restore(scene: Scene, point: RecoveryPoint) -> None:
    """One asset of each kind: in place and beside, in both regions, and a plan that S3 Batch Operations carries out.
    Not volumes of the primary, whose snapshots are let go once they are copied."""
    corpus = next(each for each in scene.built.datasets if each.kind == "dataset")
    models = next(each for each in scene.built.datasets if each.kind == "checkpoints")
    index, registry = scene.built.volumes[0], scene.built.databases[0]
    s3, bucket = scene.stage.cloud.client("s3", scene.primary), scene.outputs["corpus_bucket"]
    scene.stage.clock.sleep(2)
    moment = scene.stage.clock.now() - 1
    scene.stage.clock.sleep(1)
    for key in (EARLIER, "spoiled.bin"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"spoiled")
    scene.stage.clock.sleep(REPLICATED_SECONDS / 10)
    for threshold, more in ((100_000, {}), (0, {"beside": "restored/"})):
        buckets_restoring.BATCH_FROM_ITEMS = threshold
        _restored(scene, corpus, Wanted(scene.primary, moment, **more))
    buckets_restoring.BATCH_FROM_ITEMS = 100_000
    _restored(scene, corpus, Wanted(scene.standby, moment))
    _restored(scene, models, Wanted(scene.primary, moment, beside=f"{models.prefix}restored/"))
    _restored(scene, index, Wanted(scene.standby, moment, point, beside="rehearsed"))
    _restored(scene, registry, Wanted(scene.primary, scene.stage.clock.now() - 0.5, beside="rehearsed"))


def _restored(scene: Scene, asset: Any, wanted: Wanted) -> None:
    path = scene.stage.folder / "plan.json"
    with path.open("w") as into:
        scene.recovery.plan_restore(asset, wanted, into)
    done = scene.recovery.restore(restoring.read(path))
    assert done.left == 0, done


def _granted(scene: Scene) -> dict[str, set[str]]:
    """Role of ours -> actions of its policies."""
    iam = scene.stage.cloud.client("iam", REGIONS[0])
    found: dict[str, set[str]] = {}
    for role in (each["RoleName"] for each in iam.list_roles()["Roles"]):
        if role.startswith(scene.names.project):
            names = iam.list_role_policies(RoleName=role)["PolicyNames"]
            policies = [iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names]
            found[role] = {action for one in policies for each in one["Statement"] for action in each["Action"]}
    return found


def _of_role(scene: Scene, role: str) -> set[str]:
    cloud = scene.stage.cloud
    uses = [*cloud.uses(f":assumed-role/{role}/"), *cloud.uses(f":role/{role}")]
    return {action for _, action, _ in uses}


def record() -> None:
    """Write what everybody needed, all rights given."""
    rehearsed = {people.WITHIN: rehearse(_everything, False), people.APART: rehearse(_everything, True)}
    target = Path(people.__file__).with_name(people.RECORDED)
    target.write_text(json.dumps({name: each.people for name, each in rehearsed.items()}, indent=1) + "\n")
    for name, found in rehearsed.items():
        for role, granted in sorted(found.granted.items()):
            print(name, role, "unused:", *sorted(granted - found.roles[role]))


def _everything(who: str, inventory: Inventory) -> Documents:
    return (EVERYTHING,)


if __name__ == "__main__":
    record()
