"""What is kept of what AWS says of an instance; pure data.

Another field here needs another `READER_VERSION` (`instance_page`), or it is read for new and changed instances alone.
"""

#: What else is kept of an instance, beside the fields of the record. A list of what to keep, not of what to drop:
#: a field that AWS adds tomorrow must not change every instance's content each time it is read.
KEPT = (
    "AmiLaunchIndex",
    "BlockDeviceMappings",
    "BootMode",
    "CapacityBlockId",
    "CapacityReservationId",
    "CapacityReservationSpecification",
    "ClientToken",
    "CpuOptions",
    "CurrentInstanceBootMode",
    "EbsOptimized",
    "EnaSupport",
    "EnclaveOptions",
    "HibernationOptions",
    "Hypervisor",
    "Ipv6Address",
    "KernelId",
    "Licenses",
    "MaintenanceOptions",
    "MetadataOptions",
    "Monitoring",
    "NetworkInterfaces",
    "NetworkPerformanceOptions",
    "Operator",
    "OutpostArn",
    "Placement",
    "Platform",
    "PrivateDnsName",
    "PrivateDnsNameOptions",
    "ProductCodes",
    "PublicDnsName",
    "RamdiskId",
    "RootDeviceName",
    "RootDeviceType",
    "SecurityGroups",
    "SourceDestCheck",
    "StateTransitionReason",
    "TpmSupport",
    "UsageOperationUpdateTime",
    "VirtualizationType",
)
#: Within these, what is kept. The rest says the same again, or only what AWS needs for itself.
KEPT_WITHIN = {
    "Instance.NetworkInterfaces": frozenset(
        {
            "Association",
            "Attachment",
            "Description",
            "Groups",
            "InterfaceType",
            "Ipv6Addresses",
            "MacAddress",
            "NetworkInterfaceId",
            "PrivateIpAddress",
            "PrivateIpAddresses",
            "SourceDestCheck",
            "Status",
            "SubnetId",
            "VpcId",
        }
    ),
    "Instance.NetworkInterfaces.Association": frozenset({"CarrierIp", "CustomerOwnedIp", "PublicIp"}),
    "Instance.NetworkInterfaces.Attachment": frozenset({"AttachTime", "DeviceIndex", "NetworkCardIndex"}),
    "Instance.NetworkInterfaces.PrivateIpAddresses": frozenset({"Association", "Primary", "PrivateIpAddress"}),
    "Instance.NetworkInterfaces.PrivateIpAddresses.Association": frozenset({"PublicIp"}),
}

#: And what is read for the fields of the record alone.
READ = (
    "Architecture",
    "IamInstanceProfile",
    "ImageId",
    "InstanceId",
    "InstanceLifecycle",
    "InstanceType",
    "KeyName",
    "LaunchTime",
    "PlatformDetails",
    "PrivateIpAddress",
    "PublicIpAddress",
    "SpotInstanceRequestId",
    "State",
    "StateReason",
    "SubnetId",
    "Tags",
    "UsageOperation",
    "VpcId",
)
