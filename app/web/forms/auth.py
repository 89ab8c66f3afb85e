"""Forms for signing in and for typing the password again; what a new password must be is `services/passwords`'s."""

from flask_wtf import FlaskForm
from wtforms import PasswordField, StringField
from wtforms.validators import InputRequired, Length


class SignInForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    username = StringField("Username or e-mail", [InputRequired("Enter your name."), Length(max=254)])
    password = PasswordField("Password", [InputRequired("Enter your password.")])


class ConfirmForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    password = PasswordField("Password", [InputRequired("Enter your password.")])


class PasswordForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    current = PasswordField("Current password", [InputRequired("Enter your current password.")])
    password = PasswordField("New password", [InputRequired("Enter a new password.")])
    repeated = PasswordField("New password again", [InputRequired("Enter the new password again.")])
