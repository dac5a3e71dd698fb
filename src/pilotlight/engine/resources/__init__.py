"""Every resource type the embedded engine knows, one small class each, by the AWS service it belongs to.

A type that is not here is refused by name. To add one: a class with create, read, update, delete, and its name below.
"""

from __future__ import annotations

from pilotlight.engine.provider import ResourceType
from pilotlight.engine.resources import compute, data, edge, events, network, queues, s3, security

CLASSES: tuple[type[ResourceType], ...] = (
    s3.Bucket, s3.BucketVersioning, s3.BucketServerSideEncryptionConfiguration, s3.BucketPublicAccessBlock,
    s3.BucketPolicy, s3.BucketOwnershipControls, s3.BucketReplicationConfig, s3.BucketLifecycleConfiguration,
    s3.BucketObject,
    security.Key, security.Alias, security.Role, security.RolePolicy, security.InstanceProfile, security.Secret,
    security.SecretVersion, security.Parameter,
    network.Vpc, network.Subnet, network.InternetGateway, network.RouteTable, network.Route,
    network.RouteTableAssociation, network.SecurityGroup, network.VpcEndpoint,
    compute.Instance, compute.Volume, compute.VolumeAttachment, compute.AmiCopy, compute.LaunchTemplate, compute.Group,
    data.SubnetGroup, data.Cluster, data.ClusterInstance, data.GlobalCluster, data.Table,
    events.Function, events.Permission, events.LogGroup, events.MetricAlarm, events.Topic, events.TopicPolicy,
    events.TopicSubscription, events.Schedule, queues.Queue, queues.QueuePolicy,
    edge.LoadBalancer, edge.TargetGroup, edge.Listener, edge.Zone, edge.HealthCheck, edge.Record,
)  # fmt: skip

TYPES: dict[str, ResourceType] = {each.type: each() for each in CLASSES}
