"""`destroy`: takes protection down again and deletes no data whose original was not seen first.

The standby region may hold the only copy of everything. So nothing is deleted unless the primary serves and each
asset's original was seen there; the vault stays unless it is named, and goes only once every object in it was found in
the primary too. What stands in the way of deletion by our own wish (protection in the state, in AWS, membership of a
global cluster) is taken away here, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from pilotlight.deploy import bucket_events
from pilotlight.deploy.current import is_home, serving
from pilotlight.deploy.operations import Operations
from pilotlight.engine.resources.waiting import until
from pilotlight.engine.results import Deployment
from pilotlight.runtime.aws.absence import says_absent
from pilotlight.runtime.aws.client import AwsClient, aws_code
from pilotlight.runtime.errors import CallRefused, NotErased, OnlyCopy, RegionUnreachable, ServesFromStandby
from pilotlight.runtime.kinds.buckets.listing import Bucket, current, joined, settled
from pilotlight.runtime.kinds.kind import Question
from pilotlight.runtime.kinds.registry import in_order
from pilotlight.runtime.records.inventory import Inventory
from pilotlight.runtime.store.record_bucket import RecordBucket, kept_inventory
from pilotlight.survey import claims, front_record

LEAVING_SECONDS_MAX = 1800.0
"""Aurora says that a cluster leaves its global database within minutes; half an hour is our patience."""
BATCH = 1000
"""S3 API, DeleteObjects: keys in one call."""
OURS = {"primary": ("aws:rds/globalCluster:GlobalCluster",),
        "standby": ("aws:rds/cluster:Cluster", "aws:rds/clusterInstance:ClusterInstance")}  # fmt: skip
"""What is protected and goes with its stack: copies, and the global cluster around them, which holds nothing itself.
The primary region's key is not among them: objects that came home in a failback are encrypted with it."""
RULES = "aws:s3/bucketReplicationConfig:BucketReplicationConfig"


@dataclass(frozen=True)
class Destroy:
    """The taking down of one workload's protection. `vault` is the client of the account that keeps the copies;
    `client` itself, where that is the workload's own."""

    inventory: Inventory
    client: AwsClient
    vault: AwsClient
    acts: Operations
    say: Callable[[str], None] = lambda text: None

    def run(self, stacks: Iterable[str]) -> Deployment:
        """Delete these stacks, standby first; ServesFromStandby or OnlyCopy before anything where data could go."""
        wanted = [stack for stack in ("standby", "primary", "vault") if stack in set(stacks)]
        self.acts.check_state(wanted)
        self._check_originals()
        if "vault" in wanted:
            self._check_copies()
        done = [self._one(stack) for stack in wanted]
        if "vault" not in wanted:
            self._note(wanted)
        return Deployment(self.inventory, tuple(result for each in done for result in each.stacks))

    def _one(self, stack: str) -> Deployment:
        if stack == "vault":
            self._open_vault()
        else:
            self._leave_global_clusters(stack)
            if stack == "standby":
                self._give_record_back()
            if stack == "primary":
                bucket_events.leave(self.client, self.inventory, None, self.say)
                self._leave_rules_of_others()
            self._unprotect(stack, OURS[stack])
        return self.acts.destroy([stack])

    def _give_record_back(self) -> None:
        names, front = self.inventory.names, self.inventory.traffic
        if front is not None:
            records = RecordBucket(self.client, names.standby, names.vault_bucket)
            front_record.give_back(self.client, names, front, records, self.say)

    def _note(self, gone: Iterable[str]) -> None:
        """Let the vault say that these stacks are deployed no more."""
        names = self.inventory.names
        kept = kept_inventory(names, self.client)
        if kept is not None:
            left = tuple(stack for stack in kept.stacks or ("vault",) if stack not in gone)
            RecordBucket(self.client, names.standby, names.vault_bucket).write_inventory(replace(kept, stacks=left))

    # -- what must be seen first -------------------------------------------------------------------------------

    def _check_originals(self) -> None:
        """The primary serves, answers, and has every asset that is copied to the standby region."""
        inventory = self.inventory
        names = inventory.names
        active = serving(names, self.client)
        if not is_home(names, active):
            raise ServesFromStandby(workload=names.workload, region=active.region, state=active.state)
        for kind, asset in in_order(inventory):
            for question in kind.questions(inventory, (asset,), inventory.primary) if kind.holds_state else ():
                self._see(asset.name, question)

    def _see(self, asset: str, question: Question) -> None:
        try:
            self.client.call(question.client, question.operation, self.inventory.primary, **question.parameters)
        except (CallRefused, RegionUnreachable) as problem:
            raise OnlyCopy(asset=asset, region=self.inventory.standby, reason=problem.message) from problem

    def _check_copies(self) -> None:
        """Every object of the vault is in the primary region too, with the same bytes; also what lies outside the
        declared prefix, because the whole bucket is emptied."""
        for each in self.inventory.datasets:
            here = Bucket(self.inventory.primary, each.primary_bucket, "")
            there = Bucket(self.inventory.standby, each.standby_bucket, "")
            alone = [
                copy.key
                for original, copy in joined(current(self.client, here), current(self.vault, there))
                if copy is not None and not copy.deleted and (original is None or not settled(original, copy))
            ]
            if alone:
                reason = f"{len(alone)} object(s) of s3://{there.name} are not in s3://{here.name}, first {alone[0]}"
                raise OnlyCopy(asset=each.name, region=there.region, reason=reason)

    def _leave_rules_of_others(self) -> None:
        """A bucket has one replication configuration: with another's rules in it, it is not ours to delete."""
        names = self.inventory.names
        for each in self.inventory.datasets:
            found = self._replication(each.primary_bucket)
            if claims.bucket_problem(names, each.name, each.primary_bucket, found):
                rules = ", ".join(str(rule.get("ID", "")) for rule in found["Rules"])
                self.say(
                    f"  primary: the replication rules of {each.primary_bucket} are not ours alone ({rules}); they stay"
                )
                self._let_go("primary", each.primary_bucket)

    def _replication(self, bucket: str) -> dict[str, Any]:
        region = self.inventory.primary
        try:
            return dict(
                self.client.call("s3", "get_bucket_replication", region, Bucket=bucket)["ReplicationConfiguration"]
            )
        except CallRefused as problem:
            if not says_absent(problem):
                raise
            return {}

    def _let_go(self, stack: str, bucket: str) -> None:
        engine = self.acts.engine
        engine.let_go(stack, [one.urn for one in engine.held(stack) if one.type == RULES and one.id == bucket])

    # -- what stands in the way --------------------------------------------------------------------------------

    def _leave_global_clusters(self, stack: str) -> None:
        inventory = self.inventory
        region = inventory.primary if stack == "primary" else inventory.standby
        for each in inventory.databases:
            arn = each.primary_arn if stack == "primary" else each.standby_arn
            if not self._is_member(each.global_cluster, arn, region):
                continue
            until(
                f"{arn} may leave {each.global_cluster}",
                lambda arn=arn, name=each.global_cluster: self._leave(name, arn, region),  # type: ignore[misc]
                LEAVING_SECONDS_MAX,
            )
            until(
                f"{arn} has left {each.global_cluster}",
                lambda arn=arn, name=each.global_cluster: self._has_left(name, arn, region),  # type: ignore[misc]
                LEAVING_SECONDS_MAX,
            )
            if stack == "standby":
                self._make_room(each.name)
                self.client.call(
                    "rds",
                    "modify_db_cluster",
                    region,
                    DBClusterIdentifier=each.standby_cluster,
                    DeletionProtection=False,
                    ApplyImmediately=True,
                )

    def _make_room(self, asset: str) -> None:
        """The copy gets a last snapshot when it is deleted; the one of an earlier destroy bears the same name."""
        name, region = self.inventory.names.final_snapshot(asset), self.inventory.standby
        try:
            self.client.call("rds", "delete_db_cluster_snapshot", region, DBClusterSnapshotIdentifier=name)
        except CallRefused as problem:
            if not says_absent(problem):
                raise
        else:
            self.say(f"  standby: snapshot {name} of an earlier destroy deleted, a new one takes its place")

    def _leave(self, name: str, arn: str, region: str) -> bool:
        """One that does not follow yet, or is being changed, cannot leave now."""
        about = {"GlobalClusterIdentifier": name, "DbClusterIdentifier": arn}
        try:
            self.client.call("rds", "remove_from_global_cluster", region, **about)
        except CallRefused as problem:
            if aws_code(problem) != "InvalidDBClusterStateFault":
                raise
            return False
        return True

    def _has_left(self, name: str, arn: str, region: str) -> bool:
        """A secondary that leaves is promoted first; until then it cannot be changed."""
        if self._is_member(name, arn, region):
            return False
        (found,) = self.client.call("rds", "describe_db_clusters", region, DBClusterIdentifier=arn)["DBClusters"]
        return bool(found["Status"] == "available")

    def _is_member(self, name: str, arn: str, region: str) -> bool:
        try:
            found = self.client.call("rds", "describe_global_clusters", region, GlobalClusterIdentifier=name)
        except CallRefused as problem:
            if says_absent(problem):
                return False
            raise
        members = [each for one in found["GlobalClusters"] for each in one.get("GlobalClusterMembers", [])]
        return any(arn in (each["DBClusterArn"], *each.get("Readers", [])) for each in members)

    def _unprotect(self, stack: str, types: Iterable[str] | None = None) -> None:
        engine = self.acts.engine
        held = [each for each in engine.held(stack) if each.protect and (types is None or each.type in types)]
        if held:
            engine.unprotect(stack, [each.urn for each in held])

    def _open_vault(self) -> None:
        """Its buckets are emptied, its table and its state let go."""
        names = self.inventory.names
        for bucket in [*(each.standby_bucket for each in self.inventory.datasets), names.vault_bucket]:
            self._empty(bucket)
        try:
            about = {"TableName": names.journal_table, "DeletionProtectionEnabled": False}
            self.client.call("dynamodb", "update_table", names.standby, **about)
        except CallRefused as problem:
            if not says_absent(problem):
                raise
        self._unprotect("vault")

    def _empty(self, bucket: str) -> None:
        region, erased = self.inventory.standby, 0
        try:
            for page in self.vault.pages("s3", "list_object_versions", region, Bucket=bucket):
                found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
                for start in range(0, len(found), BATCH):
                    items = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in found[start:][:BATCH]]
                    erased += self._erase(bucket, items, erased)
        except CallRefused as problem:
            if not says_absent(problem):
                raise
        if erased:
            self.say(f"  vault: {erased} versions erased from {bucket}")

    def _erase(self, bucket: str, items: list[dict[str, str]], before: int) -> int:
        region = self.inventory.standby
        objects = {"Objects": items, "Quiet": True}
        answer = self.vault.call("s3", "delete_objects", region, Bucket=bucket, Delete=objects)
        refused = answer.get("Errors", [])
        if refused:
            raise NotErased(
                bucket=bucket,
                region=region,
                erased=before + len(items) - len(refused),
                first=refused[0]["Key"],
                reason=refused[0].get("Message") or refused[0].get("Code"),
            )
        return len(items)
