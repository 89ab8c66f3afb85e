"""What moto's CloudFormation lacks of EventBridge: connections and API destinations made by a stack.

Names, ARNs and all else are moto's own.
"""

from typing import Any

from moto.cloudformation import parsing
from moto.core.common_models import CloudFormationModel
from moto.events.models import events_backends


class _Made(CloudFormationModel):  # type: ignore[misc]  # moto has no types
    """Made once and left alone: no test changes a stack."""

    physical_resource_id = ""

    def __init__(self, arn: str, name: str) -> None:
        self.arn, self.physical_resource_id = arn, name

    @staticmethod
    def cloudformation_name_type() -> str:
        return "Name"

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return attr == "Arn"

    def get_cfn_attribute(self, attribute_name: str) -> str:
        assert attribute_name == "Arn"
        return self.arn

    @classmethod
    def update_from_cloudformation_json(cls, *_: Any, **__: Any) -> Any:
        raise NotImplementedError("Stacks of these tests are made, and never changed")

    @classmethod
    def delete_from_cloudformation_json(cls, *_: Any, **__: Any) -> None:
        raise NotImplementedError("Nor taken away: they go with the simulation")


class StackConnection(_Made, CloudFormationModel):
    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::Events::Connection"

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **_: Any
    ) -> Any:
        asked = cloudformation_json["Properties"]
        made = events_backends[account_id][region_name].create_connection(
            resource_name, "", asked["AuthorizationType"], asked["AuthParameters"]
        )
        return cls(made.arn, resource_name)


class StackDestination(_Made, CloudFormationModel):
    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::Events::ApiDestination"

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **_: Any
    ) -> Any:
        asked = cloudformation_json["Properties"]
        made = events_backends[account_id][region_name].create_api_destination(
            resource_name,
            "",
            asked["ConnectionArn"],
            asked["InvocationEndpoint"],
            asked["InvocationRateLimitPerSecond"],
            asked["HttpMethod"],
        )
        return cls(made["ApiDestinationArn"], resource_name)


def teach_moto() -> None:
    """Have it look once more what there is."""
    parsing.get_model_map.cache_clear()
