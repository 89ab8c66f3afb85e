"""Forms about saved views."""

from typing import Any

from flask_wtf import FlaskForm
from wtforms import BooleanField, HiddenField, SelectField, StringField
from wtforms.validators import InputRequired, Length

from app.models import User
from app.models.types import Role
from app.services.saved_views import MAX_NAME, roles_to_share_with
from app.web.access import current_viewer
from app.web.forms.choices import choices

NOBODY = ""
WORDS = {Role.CLIENT: "Everybody", Role.ADMIN: "Admins", Role.SUPER_ADMIN: "Super admins"}


def share_choices(viewer: User) -> list[tuple[str, str]]:
    """With whom the viewer may share a view, as (value, words)."""
    return [(NOBODY, "Nobody"), *((role.value, WORDS[role]) for role in roles_to_share_with(viewer))]


def _choices() -> list[Any]:
    return choices(share_choices(current_viewer()))


class ViewForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    name = StringField("Name", [InputRequired("Give the view a name."), Length(max=MAX_NAME)])
    shared_with = SelectField("Share with", choices=_choices, default=NOBODY)

    @property
    def role(self) -> Role | None:
        return Role(self.shared_with.data) if self.shared_with.data else None


class NewViewForm(ViewForm):
    query = HiddenField()
    is_default = BooleanField("Open the list with it")
