"""Forms about people: one's own profile, and what super admins do to others."""

from typing import Any
from zoneinfo import available_timezones

from flask_wtf import FlaskForm
from wtforms import BooleanField, EmailField, SelectField, StringField
from wtforms.validators import InputRequired, Length

from app.models.types import Role
from app.web.forms.choices import choices

ROLES = choices((role.value, role.value.replace("_", " ").capitalize()) for role in Role)
CONTINENTS = frozenset(
    {"Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific"}
)


def time_zones() -> list[Any]:
    """IANA names by which people know their zone, and as they are shown; not the aliases that only machines use."""
    names = available_timezones()
    places = sorted(name for name in names if "/" in name and name.split("/")[0] in CONTINENTS)
    return choices((name, name.replace("_", " ")) for name in ["UTC", *places])


class ProfileForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    time_zone = SelectField("Time zone", [InputRequired()], choices=time_zones)


class NewUserForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    username = StringField("Username", [InputRequired("Enter a username."), Length(max=100)])
    email = EmailField("E-mail", [InputRequired("Enter an e-mail address."), Length(max=254)])
    role = SelectField("Role", [InputRequired()], choices=ROLES, default=Role.CLIENT.value)


class RoleForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    role = SelectField("Role", [InputRequired()], choices=ROLES)
    confirmed = BooleanField("I mean it", [InputRequired("Tick the box to confirm.")])
