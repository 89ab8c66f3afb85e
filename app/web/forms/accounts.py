"""The shapes of what people enter about an account; who may, and what follows, is decided elsewhere."""

import re
import unicodedata
from collections.abc import Callable

from flask_wtf import FlaskForm
from wtforms import PasswordField, SelectField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length, StopValidation

from app.aws.formats import PARTITIONS, check_access_key_id, check_account_id, check_secret_access_key
from app.web.forms.choices import choices

#: Control characters and those that Unicode keeps for itself: HTML has no way to write them, PostgreSQL stores no NUL.
UNSHOWABLE = re.compile("[\x00-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff]")
MARK = "\ufffd"


class Shape:
    """Runs one of the checks of `aws/formats.py`, keeping the cleaned value or showing its sentence."""

    def __init__(self, check: Callable[[str], str]) -> None:
        self.check = check

    def __call__(self, _form: object, field: StringField) -> None:
        try:
            field.data = self.check(field.data or "")
        except ValueError as error:
            raise StopValidation(str(error)) from None


class KeyIdShape(Shape):
    """As above, and forgets what is refused: the secret, pasted here by mistake, must not come back in a page."""

    def __call__(self, form: object, field: StringField) -> None:
        try:
            super().__call__(form, field)
        except StopValidation:
            field.data = ""
            raise


def one_line(value: str | None) -> str | None:
    """Words with single spaces between, as a page shows them, and a mark for what HTML may not contain.

    So a name can be typed to confirm as it is seen, and what is refused is shown again without breaking the page.
    """
    return UNSHOWABLE.sub(MARK, " ".join(value.split())) if value else value


def check_visible(_form: object, field: StringField) -> None:
    """Refuse names that nobody could read."""
    name = field.data or ""
    if MARK in name:
        raise StopValidation("The name has a control character in it, which cannot be seen. Type it anew.")
    if {unicodedata.category(character) for character in name} <= {"Cf", "Mn", "Zs"}:
        raise StopValidation("Give it a name that can be seen.")


NAME_CHECKS = (
    InputRequired("Give the account a name."),
    Length(max=128, message="At most 128 characters."),
    check_visible,
)


class RenameForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    account_name = StringField("Name", filters=[one_line], validators=NAME_CHECKS)


class ConnectRoleForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    account_name = StringField(
        "Name", description="How you want to call the account here.", filters=[one_line], validators=NAME_CHECKS
    )
    account_id = StringField(
        "AWS account id",
        description="Twelve digits; in the AWS console they stand at the top right, under your name.",
        filters=[one_line],
        validators=[Shape(check_account_id)],
    )
    partition = SelectField(
        "Part of AWS",
        choices=choices((partition.name, partition.title) for partition in PARTITIONS.values()),
        default="aws",
        description="Most accounts are in the first. GovCloud, China and the sovereign clouds are separate.",
    )


class KeysForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    access_key_id = StringField(
        "Access key id",
        description="Begins with AKIA.",
        filters=[one_line],
        validators=[KeyIdShape(check_access_key_id)],
    )
    # Never filled in again from what was sent: a password field keeps the page's source clean.
    secret_access_key = PasswordField(
        "Secret access key",
        description="Forty characters. It is sealed when you send it, and never shown again.",
        validators=[Shape(check_secret_access_key)],
    )


class ConnectKeysForm(ConnectRoleForm, KeysForm):
    """Everything to be entered at once: there is no role to be made in between."""


class RoleForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    role_arn = StringField(
        "Role ARN",
        description="As in the stack's outputs, or at the top of the role's page in IAM.",
        filters=[one_line],
        validators=[InputRequired("Paste the role's ARN.")],
    )


class ListForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    accounts = TextAreaField(
        "Accounts",
        description="One a line: a role's ARN or an account id, and perhaps a comma and a name.",
        validators=[InputRequired("Paste at least one account.")],
    )
    partition = SelectField(
        "Part of AWS",
        choices=choices((partition.name, partition.title) for partition in PARTITIONS.values()),
        default="aws",
        description="For lines with an account id; an ARN says it itself.",
    )


class DisconnectForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    confirmation = StringField(
        "Type the account's name to confirm", filters=[one_line], validators=[InputRequired("Type the name.")]
    )
