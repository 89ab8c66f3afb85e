"""What is true and stored: one class a file. Importing this package registers every table."""

from app.models.account import Account
from app.models.account_batch import AccountBatch
from app.models.account_event import AccountEvent
from app.models.account_lock import AccountLock
from app.models.api_call import ApiCall
from app.models.app_identity import AppIdentity
from app.models.authorization_rule import AuthorizationRule
from app.models.authorization_rule_account import AuthorizationRuleAccount
from app.models.authorization_rule_edit import AuthorizationRuleEdit
from app.models.change_tally import ChangeTally
from app.models.credential_candidate import CredentialCandidate
from app.models.default_view import DefaultView
from app.models.downtime import Downtime
from app.models.ec2_event import Ec2Event
from app.models.experiment import Experiment
from app.models.export import Export
from app.models.instance import Instance
from app.models.instance_change import InstanceChange
from app.models.instance_tag import InstanceTag
from app.models.instance_tally import InstanceTally
from app.models.instance_type_tally import InstanceTypeTally
from app.models.organization_account import OrganizationAccount
from app.models.region_permission import RegionPermission
from app.models.region_scan import RegionScan
from app.models.run import Run
from app.models.saved_view import SavedView
from app.models.sign_in_attempt import SignInAttempt
from app.models.system_log import SystemLog
from app.models.user import User
from app.models.user_session import UserSession

__all__ = [
    "Account",
    "AccountBatch",
    "AccountEvent",
    "AccountLock",
    "ApiCall",
    "AppIdentity",
    "AuthorizationRule",
    "AuthorizationRuleAccount",
    "AuthorizationRuleEdit",
    "ChangeTally",
    "CredentialCandidate",
    "DefaultView",
    "Downtime",
    "Ec2Event",
    "Experiment",
    "Export",
    "Instance",
    "InstanceChange",
    "InstanceTag",
    "InstanceTally",
    "InstanceTypeTally",
    "OrganizationAccount",
    "RegionPermission",
    "RegionScan",
    "Run",
    "SavedView",
    "SignInAttempt",
    "SystemLog",
    "User",
    "UserSession",
]
