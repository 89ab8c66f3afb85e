"""The shapes of what people enter about an account; who may, and what follows, is decided elsewhere."""

from collections.abc import Callable

from flask_wtf import FlaskForm
from wtforms import PasswordField, SelectField, StringField
from wtforms.validators import InputRequired, Length, StopValidation

from app.aws.formats import PARTITIONS, check_access_key_id, check_account_id, check_secret_access_key
from app.web.forms.choices import choices


class Shape:
    """Runs one of the checks of `aws/formats.py`, keeping the cleaned value or showing its sentence."""

    def __init__(self, check: Callable[[str], str]) -> None:
        self.check = check

    def __call__(self, _form: object, field: StringField) -> None:
        try:
            field.data = self.check(field.data or "")
        except ValueError as error:
            raise StopValidation(str(error)) from None


def stripped(value: str | None) -> str | None:
    """Without the spaces that come along when something is pasted."""
    return value.strip() if value else value


NAME_CHECKS = (InputRequired("Give the account a name."), Length(max=128, message="At most 128 characters."))


class RenameForm(FlaskForm):  # type: ignore[misc]
    account_name = StringField("Name", filters=[stripped], validators=NAME_CHECKS)


class ConnectRoleForm(FlaskForm):  # type: ignore[misc]
    account_name = StringField(
        "Name", description="How you want to call the account here.", filters=[stripped], validators=NAME_CHECKS
    )
    account_id = StringField(
        "AWS account id",
        description="Twelve digits; in the AWS console they stand at the top right, under your name.",
        validators=[Shape(check_account_id)],
    )
    partition = SelectField(
        "Part of AWS",
        choices=choices((partition.name, partition.title) for partition in PARTITIONS.values()),
        default="aws",
        description="Most accounts are in the first. GovCloud, China and the sovereign clouds are separate.",
    )


class ConnectKeysForm(ConnectRoleForm):
    access_key_id = StringField(
        "Access key id", description="Begins with AKIA.", validators=[Shape(check_access_key_id)]
    )
    # Never filled in again from what was sent: a password field keeps the page's source clean.
    secret_access_key = PasswordField(
        "Secret access key",
        description="Forty characters. It is sealed when you send it, and never shown again.",
        validators=[Shape(check_secret_access_key)],
    )


class RoleForm(FlaskForm):  # type: ignore[misc]
    role_arn = StringField(
        "Role ARN",
        description="As in the stack's outputs, or at the top of the role's page in IAM.",
        filters=[stripped],
        validators=[InputRequired("Paste the role's ARN.")],
    )


class KeysForm(FlaskForm):  # type: ignore[misc]
    access_key_id = StringField(
        "Access key id", description="Begins with AKIA.", validators=[Shape(check_access_key_id)]
    )
    secret_access_key = PasswordField(
        "Secret access key",
        description="Forty characters. It is sealed when you send it, and never shown again.",
        validators=[Shape(check_secret_access_key)],
    )


class DisconnectForm(FlaskForm):  # type: ignore[misc]
    confirmation = StringField("Type the account's name to confirm", validators=[InputRequired("Type the name.")])
