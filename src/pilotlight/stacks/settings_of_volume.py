"""Settings of a protected EBS volume (EC2 API Reference, Volume), each with its fate."""

from __future__ import annotations

from pilotlight.stacks.settings import Table, answer, carried, left_out, replaced, table

UNLIKE = carried(
    "VolumeType",
    "the instances' are not alike, so it comes up as gp3 with what AWS gives by default",
    "make the volumes of that device alike on all instances",
)

VOLUME: Table = table(
    answer("VolumeId"),
    answer("VolumeArn"),
    answer("OwnerId"),
    answer("State"),
    answer("CreateTime"),
    answer("Operator", "the AWS service that manages the volume"),
    carried("Size", "a volume has the size of its snapshot"),
    carried("VolumeType", "where it is alike on all instances; else gp3", UNLIKE.advice),
    carried("Iops", "where the type takes a number and it is alike on all instances", UNLIKE.advice),
    carried("Throughput", "where the type takes one and it is alike on all instances", UNLIKE.advice),
    replaced("Encrypted", "every volume there is encrypted"),
    replaced("KmsKeyId", "the key of the standby"),
    replaced("SseType", "the key of the standby"),
    replaced("SnapshotId", "the snapshot copies of a point"),
    replaced("SourceVolumeId", "the snapshot copies of a point"),
    replaced("AvailabilityZone", "the zone of the instance"),
    replaced("AvailabilityZoneId", "the zone of the instance"),
    replaced("Attachments", "the device of its instance, from the launch on; volumes are kept when instances end"),
    replaced("Tags", "those of the workload, and those that the launch template gives to volumes"),
    left_out("OutpostArn", "the standby's volumes are in a region", "plan for what the region has"),
    left_out(
        "FastRestored", "snapshots there are read as they are needed", "expect slower first reads after a failover"
    ),
    left_out(
        "MultiAttachEnabled",
        "each instance has a volume of its own from the same snapshot",
        "share files there by EFS or FSx, or declare `assign: shared` where they are only read",
    ),
    left_out(
        "VolumeInitializationRate",
        "volumes there are filled from their snapshots as they are read",
        "expect slower first reads after a failover",
    ),
)
