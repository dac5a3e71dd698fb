"""Settings of a launch template's version (EC2 API Reference, ResponseLaunchTemplateData), each with its fate."""

from __future__ import annotations

from pilotlight.stacks.settings import Table, answer, carried, left_out, replaced, table

OTHER_TYPES = "only where every instance type of the standby is one that the group launches with it today"
NARROW = "declare as `instance_types` only types of the group, or set it in the software"
NETWORK = "interfaces are those of the standby's own subnets and security group"
INTERFACES = (
    "the standby's instances have one plain interface; software that needs more has to be tried there with a drill"
)
PLACED = "placement groups and hosts belong to a region; the standby's instances are placed by EC2"
PLACE_AFTER = "if it is needed, put the instances into one of the standby region's by hand after a failover"
RETIRED = "AWS has given it up; take it out of the template"

TEMPLATE: Table = table(
    # -- software
    carried("ImageId", "a copy of the image, encrypted with the key of the standby"),
    carried("UserData", "with buckets, endpoints and regions translated"),
    left_out("KernelId", "a kernel image belongs to a region", "use an image of type HVM, which brings its own"),
    left_out("RamDiskId", "a RAM disk image belongs to a region", "use an image of type HVM, which needs none"),
    replaced("IamInstanceProfile", "a role of the standby's own has the same statements, translated"),
    left_out(
        "KeyName",
        "key pairs belong to a region, and one of the same name may be another",
        "reach instances there by Session Manager, or have the user data write the public key",
    ),
    # -- types
    carried("InstanceType", "unless the declaration says `instance_types`"),
    replaced("InstanceRequirements", "the declaration names `instance_types`; a survey refuses to guess them"),
    carried("EbsOptimized", OTHER_TYPES, "current types are EBS-optimized by themselves; name none that is not"),
    carried("CpuOptions.CoreCount", OTHER_TYPES, NARROW),
    carried("CpuOptions.ThreadsPerCore", OTHER_TYPES, NARROW),
    carried("CpuOptions.AmdSevSnp", OTHER_TYPES, NARROW),
    left_out("CpuOptions.NestedVirtualization", "instances there start without it", "run no virtual machines there"),
    carried("CreditSpecification.CpuCredits", OTHER_TYPES, NARROW),
    left_out("EnclaveOptions.Enabled", "instances there start without enclaves", "keep what needs enclaves out of it"),
    left_out(
        "HibernationOptions.Configured", "instances there cannot hibernate", "a group stops no instances; leave it out"
    ),
    left_out(
        "NetworkPerformanceOptions.BandwidthWeighting",
        "bandwidth there is weighted as AWS does by default",
        "measure there whether it is enough",
        ("default",),
    ),
    left_out("ElasticGpuSpecifications", "AWS has given it up", RETIRED),
    left_out("ElasticInferenceAccelerators", "AWS has given it up", RETIRED),
    # -- disks
    carried("BlockDeviceMappings.DeviceName", "devices that a volume group protects get the snapshots of a point"),
    carried("BlockDeviceMappings.Ebs.VolumeSize", "for the root volume and every other; protected ones as they are"),
    carried("BlockDeviceMappings.Ebs.VolumeType", "protected volumes as they are, where all instances' are alike"),
    carried("BlockDeviceMappings.Ebs.Iops", "protected volumes as they are, where all instances' are alike"),
    carried("BlockDeviceMappings.Ebs.Throughput", "protected volumes as they are, where all instances' are alike"),
    carried("BlockDeviceMappings.Ebs.DeleteOnTermination", "protected volumes are always kept"),
    replaced("BlockDeviceMappings.Ebs.Encrypted", "every volume there is encrypted"),
    replaced("BlockDeviceMappings.Ebs.KmsKeyId", "the key of the standby"),
    carried(
        "BlockDeviceMappings.Ebs.SnapshotId",
        "the image's own, by the copy of the image; other snapshots belong to a region, and their device is left out",
        "put its data into the image, or protect its volume as an asset of kind volumes",
    ),
    left_out(
        "BlockDeviceMappings.Ebs.VolumeInitializationRate",
        "volumes there are filled from their snapshots as they are read",
        "expect slower first reads after a failover",
    ),
    left_out("BlockDeviceMappings.Ebs.EbsCardIndex", "volumes there are on the first card", "measure there"),
    left_out(
        "BlockDeviceMappings.VirtualName",
        "instance store volumes of current types appear without being named",
        "name types whose instance store is NVMe",
    ),
    left_out("BlockDeviceMappings.NoDevice", "the device of the image is there", "take it out of the image"),
    # -- metadata, monitoring, upkeep
    answer("MetadataOptions.State"),
    carried("MetadataOptions.HttpTokens", "required where the template says nothing"),
    carried("MetadataOptions.HttpPutResponseHopLimit", "1 where the template says nothing"),
    carried("MetadataOptions.HttpEndpoint", "enabled where the template says nothing"),
    carried("MetadataOptions.HttpProtocolIpv6", "as it is"),
    carried("MetadataOptions.InstanceMetadataTags", "as it is"),
    carried("Monitoring.Enabled", "as it is"),
    left_out("Monitoring.MetricCategoryIds", "detailed monitoring there has its usual metrics", "add them by hand"),
    carried("MaintenanceOptions.AutoRecovery", "as it is"),
    carried("InstanceInitiatedShutdownBehavior", "as it is"),
    left_out(
        "DisableApiTermination",
        "instances there can be terminated by hand",
        "deny ec2:TerminateInstances to people; what the group ends it would not keep anyway",
    ),
    left_out("DisableApiStop", "instances there can be stopped by hand", "deny ec2:StopInstances to people"),
    # -- tags
    carried("TagSpecifications.ResourceType", "instances and volumes; others are not carried over", "tag them by hand"),
    carried("TagSpecifications.Tags", "besides those of Pilotlight, which win; AWS keeps those that begin with aws:"),
    # -- place
    replaced("Placement.AvailabilityZone", "the group has subnets of its own in two zones"),
    replaced("Placement.AvailabilityZoneId", "the group has subnets of its own in two zones"),
    carried("Placement.Tenancy", "dedicated instances; hosts are not carried over", PLACED),
    left_out("Placement.Affinity", PLACED, PLACE_AFTER, ("default",)),
    left_out("Placement.GroupName", PLACED, PLACE_AFTER),
    left_out("Placement.GroupId", PLACED, PLACE_AFTER),
    left_out("Placement.PartitionNumber", PLACED, PLACE_AFTER),
    left_out("Placement.HostId", PLACED, PLACE_AFTER),
    left_out("Placement.HostResourceGroupArn", PLACED, PLACE_AFTER),
    left_out("Placement.SpreadDomain", PLACED, PLACE_AFTER),
    left_out(
        "CapacityReservationSpecification.CapacityReservationPreference",
        "instances there take any open reservation that fits",
        "reserve there what has to be there on the day, as open",
        ("open",),
    ),
    left_out(
        "CapacityReservationSpecification.CapacityReservationTarget",
        "reservations belong to a region",
        "reserve there what has to be there on the day, as open: instances take it by themselves",
    ),
    left_out(
        "LicenseSpecifications",
        "licence configurations belong to a region",
        "count the licences of the standby by hand",
    ),
    left_out("InstanceMarketOptions", "instances there are on demand", "plan for what they cost on demand"),
    # -- network
    replaced("SecurityGroupIds", NETWORK),
    replaced("SecurityGroups", NETWORK),
    replaced("NetworkInterfaces.Groups", NETWORK),
    replaced("NetworkInterfaces.SubnetId", NETWORK),
    replaced("NetworkInterfaces.DeviceIndex", NETWORK),
    replaced("NetworkInterfaces.NetworkCardIndex", "cards beyond the first are told by their InterfaceType"),
    replaced("NetworkInterfaces.DeleteOnTermination", "an interface that a launch makes goes with its instance"),
    replaced("NetworkInterfaces.Description", NETWORK),
    left_out(
        "NetworkInterfaces.AssociatePublicIpAddress",
        "instances there have a public address, and a security group that lets nobody in from outside",
        "see that nothing relies on their having none",
        ("True",),
    ),
    left_out("NetworkInterfaces.InterfaceType", INTERFACES, "without EFA, NCCL goes over TCP: try it", ("interface",)),
    *(
        left_out(f"NetworkInterfaces.{each}", INTERFACES, "have the software find its addresses by itself", ("0",))
        for each in (
            "AssociateCarrierIpAddress",
            "Ipv6AddressCount",
            "Ipv6Addresses",
            "NetworkInterfaceId",
            "PrivateIpAddress",
            "PrivateIpAddresses",
            "SecondaryPrivateIpAddressCount",
            "Ipv4Prefixes",
            "Ipv4PrefixCount",
            "Ipv6Prefixes",
            "Ipv6PrefixCount",
            "PrimaryIpv6",
            "EnaSrdSpecification",
            "ConnectionTrackingSpecification",
            "EnaQueueCount",
        )
    ),
    left_out("SecondaryInterfaces", INTERFACES, "try there whether the software does without"),
    left_out(
        "PrivateDnsNameOptions", "host names there follow the subnets", "have the software rely on no form of names"
    ),
    answer("Operator", "the AWS service that manages the template"),
)
