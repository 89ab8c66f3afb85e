"""The shape of a rule of authorization as it is entered; what it means is `services/rules`'s."""

from datetime import date
from typing import Any

from flask_wtf import FlaskForm
from werkzeug.datastructures import MultiDict
from wtforms import DateField, FieldList, Form, FormField, HiddenField, SelectField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length, Optional

from app.services.rules.conditions import Condition, Field
from app.services.rules.content import RuleContent, check_fields, check_values
from app.web.forms.accounts import check_visible, one_line
from app.web.forms.choices import choices

#: What a condition can be about, in the words of the form.
FIELD_NAMES = {
    Field.TAG: "Tag",
    Field.TYPE: "Instance type",
    Field.ACCOUNT: "Account",
    Field.IMAGE: "Image",
    Field.SUBNET: "Subnet",
    Field.REGION: "Region",
    Field.LIFECYCLE: "Lifecycle",
}


class DayField(DateField):
    """A day, with a sentence of ours where it is none."""

    def process_formdata(self, valuelist: list[str]) -> None:
        try:
            super().process_formdata(valuelist)
        except ValueError:
            raise ValueError("Write the day as in 2026-12-31, or leave it empty.") from None


def lines(value: str | None) -> str | None:
    """As `one_line`, for each line."""
    return "\n".join(one_line(line) or "" for line in value.splitlines()) if value else value


class ConditionForm(Form):
    field = SelectField("About", choices=choices((field.value, name) for field, name in FIELD_NAMES.items()))
    values = TextAreaField("Any of these, one on each line", filters=[lines])


class RuleForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    name = StringField(
        "Name",
        filters=[one_line],
        validators=[
            InputRequired("Give the rule a name."),
            Length(max=128, message="At most 128 characters."),
            check_visible,
        ],
    )
    conditions = FieldList(FormField(ConditionForm), min_entries=1, max_entries=20)
    owner_name = StringField(
        "Owner",
        filters=[one_line],
        validators=[InputRequired("Say who answers for it."), Length(max=128, message="At most 128 characters.")],
    )
    owner_contact = StringField(
        "Contact", filters=[one_line], validators=[Length(max=254, message="At most 254 characters.")]
    )
    note = TextAreaField("Reason", filters=[one_line], validators=[Length(max=500, message="At most 500 characters.")])
    expires_on = DayField("Last day", validators=[Optional()])
    revision = HiddenField(default="0")
    previewed = HiddenField()
    """The digest of what the page's preview was of."""

    def add_condition(self) -> None:
        """One more row, as empty as a row is."""
        if len(self.conditions.entries) < (self.conditions.max_entries or 0):
            self.conditions.append_entry()

    def remove_condition(self, number: str) -> None:
        """Without the row of that number; at least one stays."""
        name = f"{self.conditions.name}-{number}"
        self.conditions.entries = [each for each in self.conditions.entries if each.name != name]
        if not self.conditions.entries:
            self.conditions.append_entry()

    def read(self) -> RuleContent | None:
        """What was entered; None where something is amiss, which then stands beside its field."""
        is_valid = self.validate()
        conditions = []
        for entry in self.conditions.entries:
            try:
                field = Field(entry.form["field"].data)
                conditions.append(Condition(field, check_values(field, (entry.form["values"].data or "").splitlines())))
            except ValueError as error:
                is_valid = False
                entry.form["values"].errors = [str(error)]
        try:
            check_fields([condition.field for condition in conditions] if is_valid else [Field.TAG])
        except ValueError as error:
            is_valid = False
            self.form_errors.append(str(error))
        if not is_valid:
            return None
        return RuleContent(
            name=self.name.data or "",
            conditions=tuple(conditions),
            owner_name=self.owner_name.data or "",
            owner_contact=self.owner_contact.data or "",
            note=self.note.data or "",
            expires_on=self.expires_on.data,
        )


def filled(content: RuleContent, revision: int) -> RuleForm:
    """The form with what a rule says."""
    rows = [{"field": each.field.value, "values": "\n".join(each.values)} for each in content.conditions]
    return RuleForm(
        data={
            "name": content.name,
            "conditions": rows,
            "owner_name": content.owner_name,
            "owner_contact": content.owner_contact,
            "note": content.note,
            "expires_on": content.expires_on,
            "revision": str(revision),
        }
    )


def suggested(args: "MultiDict[str, str]", owner_name: str, last_day: date) -> RuleForm:
    """The form for a new rule; conditions may stand in the address (`?tag=team%3Dci&type=m5.large`)."""
    rows: list[dict[str, Any]] = [
        {"field": field.value, "values": "\n".join(args.getlist(field.value))}
        for field in Field
        if args.getlist(field.value)
    ]
    first = rows or [{"field": Field.TAG.value, "values": ""}]
    return RuleForm(data={"conditions": first, "owner_name": owner_name, "expires_on": last_day})
