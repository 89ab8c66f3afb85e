"""What the customers of the simulated AWS do in their accounts: users, keys, roles, instances."""

import json
from collections.abc import Mapping
from typing import Any

from moto.ec2.models import ec2_backends
from moto.ec2.models.instances import Instance
from moto.iam.models import AccessKey, iam_backends
from moto.iam.utils import generate_access_key_id_from_account_id

from demo.aws.accounts import Keys
from demo.aws.instances import complete_instances, set_platform
from demo.aws.policies import EVERYTHING, READ_INSTANCES, Document
from demo.aws.principals import PARTITION, find_role
from demo.aws.trust import trust_policy

#: An image that moto does not know, so that no platform is guessed from it.
IMAGE_ID = "ami-0c7e5f1a2b3d4e5f6"


class Customers:
    """Shortcuts past the API, for what a test or the seeder would otherwise need keys and many calls for."""

    def create_user_keys(
        self, account_id: str, user_name: str = "spotkeeper", permissions: Document = READ_INSTANCES
    ) -> Keys:
        """A key of an IAM user, who is made where there is none. A user has two keys at most."""
        backend = iam_backends[account_id][PARTITION]
        if user_name not in backend.users:
            user = backend.create_user("us-east-1", user_name)
            user.id = generate_access_key_id_from_account_id(account_id, "AIDA", 21)
        backend.put_user_policy(user_name, "permissions", json.dumps(permissions))
        key = backend.create_access_key(user_name)
        arn = backend.get_user(user_name).arn
        return Keys(account_id, arn, key.access_key_id, key.secret_access_key)

    def create_root_keys(self, account_id: str) -> Keys:
        """A key of the account's root user, which may do everything but assume roles."""
        backend = iam_backends[account_id][PARTITION]
        key: Any = AccessKey(user_name=None, prefix="AKIA", account_id=account_id)  # type: ignore[abstract]
        backend.access_keys[key.access_key_id] = key
        return Keys(account_id, f"arn:{PARTITION}:iam::{account_id}:root", key.access_key_id, key.secret_access_key)

    def create_admin_keys(self, account_id: str) -> Keys:
        """A key of a user who may do everything, to make and change things through boto3."""
        return self.create_user_keys(account_id, "administrator", EVERYTHING)

    def revoke_keys(self, keys: Keys) -> None:
        """Set a key inactive, as a customer does after a leak."""
        iam_backends[keys.account_id][PARTITION].access_keys[keys.access_key_id].status = "Inactive"

    def create_role(
        self,
        account_id: str,
        name: str,
        trust: Mapping[str, Any],
        permissions: Document | None = READ_INSTANCES,
        max_session_seconds: int = 3600,
    ) -> str:
        """Make a role, or change the one of that name; returns its ARN. `permissions` None: it may do nothing."""
        backend = iam_backends[account_id][PARTITION]
        role = find_role(account_id, name)
        if role is None:
            role = backend.create_role(name, json.dumps(trust), "/", None, "", [], str(max_session_seconds))
        role.assume_role_policy_document = json.dumps(trust)
        role.max_session_duration = str(max_session_seconds)
        role.policies.clear()
        if permissions is not None:
            backend.put_role_policy(name, "permissions", json.dumps(permissions))
        return str(role.arn)

    def set_role_trust(
        self,
        account_id: str,
        role_name: str,
        principal_account: str,
        external_id: str | None,
        principal_pattern: str | None = None,
    ) -> str:
        """What a customer does with the policy that Spotkeeper shows; makes the role where there is none.

        `external_id` None leaves the condition out. Returns the role's ARN.
        """
        principal = f"arn:{PARTITION}:iam::{principal_account}:root"
        trust = trust_policy(principal, external_id, principal_pattern)
        role = find_role(account_id, role_name)
        if role is None:
            return self.create_role(account_id, role_name, trust)
        role.assume_role_policy_document = json.dumps(trust)
        return str(role.arn)

    def delete_role(self, account_id: str, name: str) -> None:
        """The role is gone, with its policies and sessions."""
        role = find_role(account_id, name)
        if role is not None:
            iam_backends[account_id][PARTITION].roles.pop(role.id)

    def run_instances(
        self,
        account_id: str,
        region: str,
        count: int = 1,
        *,
        instance_type: str = "m5.large",
        zone: str | None = None,
        lifecycle: str | None = None,
        platform: str = "Linux/UNIX",
        tags: Mapping[str, str] | None = None,
        metadata_options: Mapping[str, str] | None = None,
        has_public_ip: bool = False,
    ) -> list[Instance]:
        """Start instances in one reservation; returns moto's objects, whose attributes are what AWS answers."""
        backend: Any = ec2_backends[account_id][region]
        subnet = backend.get_default_subnets()[zone or f"{region}a"]
        reservation = backend.run_instances(
            IMAGE_ID,
            count,
            None,
            [],
            region_name=region,
            instance_type=instance_type,
            is_instance_type_default=True,
            subnet_id=subnet.id,
            security_group_ids=[backend.get_default_security_group(subnet.vpc_id).id],
            associate_public_ip=has_public_ip,
            lifecycle=lifecycle,
            metadata_options=dict(metadata_options or {}),
            tags={"instance": dict(tags or {})},
        )
        for instance in reservation.instances:
            instance.virtualization_type = "hvm"
            set_platform(instance, platform)
        complete_instances(account_id, region)
        return list(reservation.instances)

    def instances(self, account_id: str, region: str) -> list[Instance]:
        """moto's objects of one region, terminated ones too; changing them changes what AWS answers."""
        return list(ec2_backends[account_id][region].all_instances())

    def instance(self, account_id: str, region: str, instance_id: str) -> Any:
        """moto's object of one instance. Raises KeyError where there is none."""
        return _find(account_id, region, instance_id)[1]

    def forget_instance(self, account_id: str, region: str, instance_id: str) -> Instance:
        """No longer list an instance, as AWS does some time after it has ended. Raises KeyError where there is none."""
        reservation, instance = _find(account_id, region, instance_id)
        reservation.instances.remove(instance)
        return instance

    def remember_instance(self, account_id: str, region: str, instance: Instance) -> None:
        """List an instance again that had been forgotten."""
        reservation = next(iter(ec2_backends[account_id][region].reservations.values()))
        reservation.instances.append(instance)


def _find(account_id: str, region: str, instance_id: str) -> tuple[Any, Instance]:
    for reservation in ec2_backends[account_id][region].reservations.values():
        for instance in reservation.instances:
            if instance.id == instance_id:
                return reservation, instance
    raise KeyError(instance_id)
