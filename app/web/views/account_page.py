"""What the views about one account share: whose it is, what its page shows, an objection beside a field."""

from flask import redirect, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm

from app.errors import ForbiddenError, InvalidInputError
from app.models import Account
from app.models.types import ConnectionMethod, Role
from app.services.accounts import listing, setup
from app.services.accounts.calls import list_calls
from app.services.accounts.candidates import find_candidate
from app.services.accounts.found import find_in, is_new
from app.services.accounts.grants import grants_of
from app.services.accounts.permissions import list_permission_grid
from app.services.accounts.verify import patience_for
from app.services.instances.freshness import stale_before
from app.services.remedies import remedy_for
from app.services.runs import MAX_ATTEMPTS, find_active_run
from app.services.runs.listing import RunRow, list_account_runs
from app.web.access import current_viewer, settings
from app.web.forms.accounts import RoleForm

#: How many of the newest runs an account's page shows.
RUNS_LENGTH = 10


def show_context(account_pk: int, *, role_form: RoleForm | None = None) -> dict[str, object]:
    """What `account/show.html` and the part of it that renews itself are made of."""
    viewer = current_viewer()
    account = listing.get_account(viewer, account_pk)
    run = find_active_run(account)
    is_owner = viewer.id == account.user_id
    is_found = is_new(account) and run is None
    candidate = find_candidate(account)
    return {
        "account": account,
        "is_owner": is_owner,
        "may_manage": may_manage(account),
        "is_in_setup": is_owner and is_in_setup(account),
        "remedy": remedy_for(account.error_code),
        "remedy_for": remedy_for,
        "regions": listing.list_region_scans(account),
        "events": listing.list_events(account),
        "runs": list_account_runs(account, size=RUNS_LENGTH),
        "run": run,
        "row": run and RunRow(run),
        "most_attempts": MAX_ATTEMPTS,
        "candidate": candidate,
        "patience": patience_for(account, candidate),
        "calls": list_calls(account, settings().aws_calls_per_hour),
        "grid": list_permission_grid(account),
        "grants": grants_of(account),
        "policy": setup.preview_policy(grants_of(account), account.partition),
        "stale_before": stale_before(settings().discovery_interval_seconds),
        # The External ID is its owner's affair alone.
        "setup": setup.describe_setup(account, settings().template_url) if is_owner else None,
        "found": find_in(account) if is_found else None,
        "role_form": role_form or RoleForm(formdata=None),
    }


def is_in_setup(account: Account) -> bool:
    """Whether its owner still has to make the role, as far as we know."""
    return (
        account.connection_method is ConnectionMethod.IAM_ROLE
        and account.verified_at is None
        and not account.is_working
    )


def owned(account_pk: int) -> Account:
    """An account of the viewer's own.

    Raises:
        NotFoundError: there is none that the viewer may see.
        ForbiddenError: it is somebody else's.
    """
    account = listing.get_account(current_viewer(), account_pk)
    if account.user_id != current_viewer().id:
        raise ForbiddenError("Only the account's owner may see or change how it is connected.")
    return account


def managed(account_pk: int) -> Account:
    """An account that the viewer may rename and disconnect; raises as `owned`."""
    account = listing.get_account(current_viewer(), account_pk)
    if not may_manage(account):
        raise ForbiddenError("Only the account's owner or a super admin may do this.")
    return account


def may_manage(account: Account) -> bool:
    viewer = current_viewer()
    return viewer.id == account.user_id or viewer.can(Role.SUPER_ADMIN)


def form_values(form: FlaskForm) -> dict[str, str]:
    """What was entered, by the names of the fields."""
    return {name: value for name, value in form.data.items() if name != "csrf_token"}


def show_error(form: FlaskForm, error: InvalidInputError) -> None:
    """Put a service's objection beside the field that it is about.

    An objection to no field (the account has changed meanwhile) comes after something was changed: it goes on to
    the error page, which rolls back, and is not caught by a view that then commits.
    """
    if error.field not in form:
        raise error
    field = form[error.field]
    field.errors = [*field.errors, str(error)]


def to_account(account: Account) -> ResponseReturnValue:
    """Go on to the account's page."""
    return redirect(url_for("accounts.show", account_pk=account.id), 303)
