"""What the page of an instance makes of AWS's description, whatever that holds."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.models import Instance
from app.services.instances.facts import Facts, facts_of, imds_remedy
from app.services.instances.state_reasons import explain


def facts(metadata: Any, **columns: Any) -> Facts:
    values = {"public_ip": "", "region": "eu-west-1", "instance_id": "i-0abc", **columns}
    return facts_of(Instance(instance_metadata=metadata, **values))


INTERFACE = {
    "NetworkInterfaceId": "eni-1",
    "PrivateIpAddress": "10.0.0.1",
    "PrivateIpAddresses": [
        {"PrivateIpAddress": "10.0.0.1", "Association": {"PublicIp": "203.0.113.1"}},
        {"PrivateIpAddress": "10.0.0.2", "Association": {"PublicIp": "203.0.113.2"}},
    ],
    "Association": {"PublicIp": "203.0.113.1"},
    "Ipv6Addresses": [{"Ipv6Address": "2001:db8::1"}],
    "Groups": [{"GroupId": "sg-2", "GroupName": "ssh"}, {"GroupId": "sg-1", "GroupName": "Web"}],
}

NAMES = ["NetworkInterfaces", "BlockDeviceMappings", "SecurityGroups", "MetadataOptions", "Imds", "SecurityGroupIds"]
INNER = ["PrivateIpAddresses", "Association", "PublicIp", "Ebs", "AttachTime", "Groups", "GroupId", "Enabled"]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(INNER), inner, max_size=4),
    max_leaves=12,
)


class TestFacts:
    def test_every_public_address_counts_whatever_it_hangs_on(self) -> None:
        found = facts({"NetworkInterfaces": [INTERFACE]}, public_ip="203.0.113.1")
        assert found.public_ips == ["203.0.113.1", "203.0.113.2"]
        assert found.ipv6 == ["2001:db8::1"]
        assert found.interfaces[0].private_ips == ["10.0.0.1", "10.0.0.2"]

    def test_groups_are_its_own_or_those_of_its_interfaces_or_ids_alone(self) -> None:
        assert [group.name for group in facts({"NetworkInterfaces": [INTERFACE]}).groups] == ["ssh", "Web"]
        own = {"SecurityGroups": [{"GroupId": "sg-9", "GroupName": "own"}], "NetworkInterfaces": [INTERFACE]}
        assert [group.id for group in facts(own).groups] == ["sg-9"]
        assert [group.id for group in facts({"SecurityGroupIds": ["sg-3"]}).groups] == ["sg-3"]

    def test_a_volume_says_whether_it_outlives_the_instance(self) -> None:
        volumes = [
            {"DeviceName": "/dev/xvda", "Ebs": {"VolumeId": "vol-1", "DeleteOnTermination": True}},
            {"DeviceName": "/dev/sdf", "Ebs": {"VolumeId": "vol-2", "DeleteOnTermination": False}},
            {"DeviceName": "/dev/sdg"},
        ]
        found = facts({"BlockDeviceMappings": volumes, "RootDeviceName": "/dev/xvda"}).disks
        assert [disk.is_deleted_with_instance for disk in found] == [True, False, None]
        assert [disk.is_root for disk in found] == [True, False, False]

    @given(st.dictionaries(st.sampled_from(NAMES), ANYTHING) | ANYTHING)
    def test_no_description_is_too_strange(self, metadata: Any) -> None:
        found = facts(metadata)
        assert all(isinstance(text, str) and text for text in [*found.public_ips, *found.ipv6])


class TestWords:
    def test_the_remedy_names_this_instance_and_its_region(self) -> None:
        command = imds_remedy(Instance(instance_id="i-0abc", region="eu-west-1"))
        assert command.endswith("--region eu-west-1 --instance-id i-0abc")
        assert "--http-tokens required" in command

    @pytest.mark.parametrize("code", ["Client.UserInitiatedShutdown", "Server.SpotInstanceTermination"])
    def test_a_known_reason_has_words(self, code: str) -> None:
        assert explain(code).endswith(".")

    def test_an_unknown_one_has_none(self) -> None:
        assert explain("Server.Tomorrow") == ""
