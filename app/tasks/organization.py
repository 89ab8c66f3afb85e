"""Lists the accounts of an organization, within the permission check of the account that may."""

from app.aws import identity, organizations
from app.aws.cloudformation import as_json, permission_policy
from app.aws.formats import PARTITIONS, parse_role_arn
from app.aws.grants import Grant
from app.aws.meter import CallMeter
from app.errors import AwsFault
from app.services.accounts.connection import Connection


def look_at_organization(
    connection: Connection, meter: CallMeter
) -> list[organizations.OrganizationAccount] | AwsFault:
    """The accounts, or why they were not told; no database in here.

    With a session of its own: that of other jobs is narrowed to EC2.
    """
    try:
        credentials = connection.keys
        home = connection.region
        if credentials is None:
            partition = parse_role_arn(connection.role_arn).partition
            home = PARTITIONS[partition].default_region
            policy = as_json(permission_policy(partition, [Grant.ORGANIZATION]), indent=None)
            credentials = identity.assume_role(
                connection.role_arn, connection.external_id, connection.session_name, policy=policy
            )
        return organizations.list_accounts(credentials, home, meter=meter)
    except AwsFault as fault:
        return fault
