"""Names and tags of everything Pilotlight makes, computed from the declaration alone (pure).

No stack reads another's state: a name that one stack creates and another uses comes from here, so each can be
operated when the others, or their state, are gone. Names are stable; changing one is a migration.
"""

from __future__ import annotations

from dataclasses import dataclass

from pilotlight.runtime.arns import PARTITION

PREFIX = "pilotlight"
STACKS = ("vault", "primary", "standby")
"""In the order of deployment."""
METRIC_NAMESPACE = "Pilotlight"
TAG_WORKLOAD = "pilotlight:workload"
TAG_ASSET = "pilotlight:asset"
TAG_SET = "pilotlight:snapshot-set"
TAG_SOURCE = "pilotlight:source-snapshot"
TAG_SOURCE_IMAGE = "pilotlight:source-image"
"""On an image that a scheduled run copied: the primary's image that it is of."""
TAG_CREATED_AT = "pilotlight:true-at"
TAG_PROTECTS = "pilotlight:protects"
"""On the standby group: the name of the primary's group whose counterpart it is."""
TAG_TEMPLATE = "pilotlight:template"
TEMPLATE_OF_RUN = "run"
"""On a launch template that a run made for itself: what runs may write is told from what stacks own."""

RULE_BEFORE = "pilotlight-forward"
"""Id that the replication rules of every workload had in earlier editions; `up` gives them one of their own."""
FORWARD, REVERSE = "forward", "reverse"
"""The ways of a replication rule: to the standby region, and back."""
EVENTS = "events"
"""In their place in the id of what a bucket's notification configuration has of ours."""

METRIC_ACTIVE_HEALTHY = "ActiveHealthy"
METRIC_STANDBY_ACTIVE = "StandbyActive"
METRIC_PROBE_BEAT = "ProbeHeartbeat"
METRIC_UNREPLICATED = "UnreplicatedObjects"
METRIC_FAILED_REPLICATION = "FailedReplications"
METRIC_POINT_AGE = "NewestCompletePointAgeSeconds"
METRIC_PROTECT_AGE = "ScheduledRunAgeSeconds"
METRIC_PROTECT_FAILURES = "ScheduledRunFailures"
DIMENSION_WORKLOAD = "Workload"

ACTIVE_UNHEALTHY = "active-unhealthy"
ACTIVE_UNKNOWN = "active-unknown"
STANDBY_ACTIVE = "standby-active"
PROBE_SILENT = "probe-silent"
UNREPLICATED = "unreplicated"
REPLICATION_FAILED = "replication-failed"
POINTS_STALE = "points-stale"
PROTECT_SILENT = "protect-silent"
PROTECT_FAILING = "protect-failing"
RECOVER_ERRORS = "recover-errors"
RECOVER_THROTTLED = "recover-throttled"
RECOVER_DROPPED = "recover-dropped"
PROBE_ERRORS = "probe-errors"
PROTECT_ERRORS = "protect-errors"
ALARMS = (
    ACTIVE_UNHEALTHY,
    ACTIVE_UNKNOWN,
    STANDBY_ACTIVE,
    PROBE_SILENT,
    UNREPLICATED,
    REPLICATION_FAILED,
    POINTS_STALE,
    PROTECT_SILENT,
    PROTECT_FAILING,
    RECOVER_ERRORS,
    RECOVER_THROTTLED,
    RECOVER_DROPPED,
    PROBE_ERRORS,
    PROTECT_ERRORS,
)
"""What the standby stack's alarms are about; `Names.alarm` makes their names."""

BUCKET_NAME_LENGTH_MAX = 63
"""S3 User Guide, "General purpose bucket naming rules"."""

RECORD_INVENTORY = "papers/inventory.json"
"""Keys in the vault's bucket, as the first edition called them."""
RECORD_POINTS = "papers/points/"
RECORD_MANIFESTS = "papers/manifests/"
RECORD_PROOFS = "papers/proofs/"
RECORD_RUNS = "papers/runs/"
RECORD_STATES = "papers/states/"
RECORD_OF_FRONT = "papers/record.json"


@dataclass(frozen=True)
class Names:
    """The names of one workload. `account` is its 12-digit AWS account; `vault` that of its vault, empty where it is
    the same. Bucket names tell the account that owns the bucket."""

    workload: str
    account: str
    primary: str
    standby: str
    vault: str = ""

    @property
    def vault_account(self) -> str:
        """The account that owns replicas, records and their key."""
        return self.vault or self.account

    @property
    def project(self) -> str:
        """The Pulumi project of the three stacks; workloads may share one backend."""
        return f"{PREFIX}-{self.workload}"

    @property
    def state_bucket(self) -> str:
        """Where Pulumi's state is kept, in the standby region."""
        return f"{PREFIX}-{self.workload}-state-{self.account}-{self.standby}"

    @property
    def state_key_alias(self) -> str:
        """The KMS alias of the key that state and its secrets are encrypted with, in the standby region."""
        return f"alias/{PREFIX}-{self.workload}-state"

    @property
    def vault_bucket(self) -> str:
        return f"{PREFIX}-{self.workload}-vault-{self.vault_account}-{self.standby}"

    @property
    def journal_table(self) -> str:
        return f"{PREFIX}-{self.workload}-journal"

    @property
    def key_alias(self) -> str:
        """The KMS alias, the same in both regions; each region has its own key behind it."""
        return f"alias/{PREFIX}-{self.workload}"

    @property
    def topic(self) -> str:
        """The topic that alarms publish to and the recover function hears."""
        return f"{PREFIX}-{self.workload}-alarms"

    @property
    def people_topic(self) -> str:
        """The topic that persons are subscribed to."""
        return f"{PREFIX}-{self.workload}-people"

    @property
    def people_topic_arn(self) -> str:
        return f"arn:{PARTITION}:sns:{self.standby}:{self.account}:{self.people_topic}"

    @property
    def events_queue(self) -> str:
        """The SQS queue of the primary region that S3 tells of replication that failed or is late."""
        return f"{PREFIX}-{self.workload}-replication"

    @property
    def events_queue_arn(self) -> str:
        return f"arn:{PARTITION}:sqs:{self.primary}:{self.account}:{self.events_queue}"

    @property
    def events_queue_url(self) -> str:
        """What SQS calls it by (SQS Developer Guide, "Queue and message identifiers"), in the partition of arns.py. It
        only names the queue: where a client connects to, its region and endpoint say, so this holds for the embedded
        cloud too."""
        return f"https://sqs.{self.primary}.amazonaws.com/{self.account}/{self.events_queue}"

    def standby_bucket(self, asset: str) -> str:
        """The replica of a dataset's or checkpoints' bucket, in the standby region."""
        return f"{PREFIX}-{self.workload}-{asset}-{self.vault_account}-{self.standby}"

    def rule(self, asset: str, way: str = FORWARD) -> str:
        """Id of a replication rule, or of a notification (`way` is EVENTS): a slash is in no name, so it tells workload
        and asset (rule_owner). At most 255 characters (S3 API, ReplicationRule)."""
        return "/".join((PREFIX, self.workload, asset, way))

    def role(self, purpose: str) -> str:
        """IAM role: replication, probe, protect, recover, scheduler, instance, reverse."""
        return f"{PREFIX}-{self.workload}-{purpose}"

    def function(self, purpose: str) -> str:
        """Lambda function: probe, protect or recover."""
        return f"{PREFIX}-{self.workload}-{purpose}"

    def schedule(self, purpose: str) -> str:
        return f"{PREFIX}-{self.workload}-{purpose}"

    def alarm(self, purpose: str) -> str:
        """CloudWatch alarm: one of ALARMS."""
        return f"{PREFIX}-{self.workload}-{purpose}"

    def global_cluster(self, asset: str) -> str:
        return f"{PREFIX}-{self.workload}-{asset}"

    def standby_cluster(self, asset: str) -> str:
        return f"{PREFIX}-{self.workload}-{asset}-standby"

    def final_snapshot(self, asset: str) -> str:
        """What is kept of the standby cluster when it is deleted."""
        return f"{self.standby_cluster(asset)}-final"

    def subnet_group(self, asset: str) -> str:
        return f"{PREFIX}-{self.workload}-{asset}"

    def launch_template(self, asset: str) -> str:
        return f"{PREFIX}-{self.workload}-{asset}"

    def run_template(self, asset: str) -> str:
        """The launch template that a run makes on the day, with snapshots in it; no stack owns it."""
        return f"{self.launch_template(asset)}-run"

    def kept_image(self, asset: str, image: str, moment: str) -> str:
        """A scheduled run's copy of an image; names of images are unique in a region (EC2 API, CopyImage), and a copy
        that failed is made anew."""
        return f"{self.launch_template(asset)}-{image}-{''.join(each for each in moment if each.isalnum())}"

    def group(self, asset: str) -> str:
        """The standby Auto Scaling group."""
        return f"{PREFIX}-{self.workload}-{asset}"

    def load_balancer(self) -> str:
        """At most 32 characters (Elastic Load Balancing API, CreateLoadBalancer)."""
        return f"pl-{self.workload}"[:32].rstrip("-")

    def target_group(self) -> str:
        return f"pl-{self.workload}"[:32].rstrip("-")

    def record(self, side: str) -> str:
        """Set identifier of a failover record: of the primary's or the standby's."""
        return f"{self.load_balancer()}-{side}"

    def parameter(self, asset: str) -> str:
        """SSM parameter that tells a recovered workload which checkpoint the run chose (s3:// URI of its folder)."""
        return f"/{PREFIX}/{self.workload}/{asset}/recovered"

    def by_hand(self, part: int) -> str:
        """SSM parameters of the primary region with what is left of a way home, should the standby be lost; by the same
        path as the others, so whoever may write those may write these."""
        return self.parameter(f"by-hand-{part}")

    def tags(self, asset: str = "") -> dict[str, str]:
        return {TAG_WORKLOAD: self.workload} | ({TAG_ASSET: asset} if asset else {})


def rule_owner(rule_id: str) -> tuple[str, str] | None:
    """(workload, asset) of a replication rule's id; None where it is not one of ours."""
    parts = rule_id.split("/")
    return (parts[1], parts[2]) if len(parts) == 4 and parts[0] == PREFIX else None
