"""Pages about rules of authorization: the list, one of them, changing it after a look at what that would do."""

from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.database import commits, db
from app.errors import ConflictError, ForbiddenError, InvalidInputError
from app.models import AuthorizationRule, User
from app.models.mixins import utc_now
from app.models.types import Role, RuleState
from app.services.instances.authorize import let_rules_decide
from app.services.instances.filters import as_id
from app.services.rules import edit, listing
from app.services.rules.content import RuleContent
from app.services.rules.preview import preview
from app.web.access import current_viewer, requires
from app.web.forms.rule import FIELD_NAMES, RuleForm, filled, suggested
from app.web.views.instance_authorization import back, named_instances

blueprint = Blueprint("rules", __name__, url_prefix="/rules")

#: What a new rule's last day is, unless somebody says otherwise: a quarter is soon enough to ask again.
SUGGESTED = timedelta(days=90)


@blueprint.get("")
@requires(Role.CLIENT)
def index() -> str:
    viewer = current_viewer()
    is_removed = request.args.get("removed") == "1"
    current, is_descending = listing.parse_sort(request.args.get("sort", ""))
    sorts = {}
    for name in listing.SORTS:
        direction = None if name != current else "desc" if is_descending else "asc"
        turned = f"-{name}" if direction == "asc" else name
        sorts[name] = (url_for("rules.index", sort=turned, removed=is_removed or None), direction)
    return render_template(
        "rule/index.html",
        rows=listing.list_rules(viewer, sort=request.args.get("sort", ""), removed=is_removed),
        notices=listing.list_notices(viewer),
        sorts=sorts,
        is_removed=is_removed,
        may_edit=viewer.can(Role.ADMIN),
        field_names=FIELD_NAMES,
    )


@blueprint.route("/new", methods=["GET", "POST"])
@requires(Role.ADMIN)
@commits
def new() -> ResponseReturnValue:
    if request.method == "POST":
        return _edit(RuleForm(), None)
    today = utc_now().date()
    return _edit_page(suggested(request.args, current_viewer().username, today + SUGGESTED), None)


@blueprint.get("/<int:rule_id>")
@requires(Role.CLIENT)
def show(rule_id: int) -> str:
    viewer = current_viewer()
    rule = listing.get_rule(viewer, rule_id)
    return render_template(
        "rule/show.html",
        rule=rule,
        row=listing.describe_rule(viewer, rule),
        instances=listing.list_instances(viewer, rule),
        edits=listing.list_edits(viewer, rule),
        is_applying=rule.applied_revision < rule.revision,
        may_edit=viewer.can(Role.ADMIN),
        field_names=FIELD_NAMES,
    )


@blueprint.route("/<int:rule_id>/edit", methods=["GET", "POST"])
@requires(Role.ADMIN)
@commits
def change(rule_id: int) -> ResponseReturnValue:
    rule = listing.get_rule(current_viewer(), rule_id)
    if rule.state is RuleState.REMOVED:
        raise ConflictError("The rule was removed. Bring it back first.")
    if request.method == "POST":
        return _edit(RuleForm(), rule)
    return _edit_page(filled(edit.content_of(rule), rule.revision), rule)


class _Deed(NamedTuple):
    """Something that is done to a whole rule, after a look at what it does."""

    label: str
    done: str
    """With the rule's name for `{}`."""

    act: Callable[[User, AuthorizationRule], None]
    allows: bool
    """Whether the rule allows anything afterwards."""


DEEDS = {
    "pause": _Deed("Pause", "Rule “{}” is paused.", edit.pause_rule, False),
    "resume": _Deed("Resume", "Rule “{}” is in force again.", edit.resume_rule, True),
    "remove": _Deed("Remove", "Rule “{}” is removed. It can be brought back.", edit.remove_rule, False),
    "restore": _Deed("Bring back", "Rule “{}” is back, paused. Resume it to allow again.", edit.restore_rule, False),
}


@blueprint.route("/<int:rule_id>/<any(pause, resume, remove, restore):deed>", methods=["GET", "POST"])
@requires(Role.ADMIN)
@commits
def act(rule_id: int, deed: str) -> ResponseReturnValue:
    """Ask before it is done, with what would change; then do it."""
    rule = listing.get_rule(current_viewer(), rule_id)
    chosen = DEEDS[deed]
    if request.method == "POST":
        try:
            chosen.act(current_viewer(), rule)
        except ConflictError as error:
            flash(str(error), "danger")
        else:
            flash(chosen.done.format(rule.name), "ok")
        return redirect(url_for("rules.show", rule_id=rule.id), 303)
    content = edit.content_of(rule)
    return render_template(
        "rule/act.html",
        rule=rule,
        deed=deed,
        chosen=chosen,
        preview=preview(content.conditions if chosen.allows else None, rule_id=rule.id),
    )


@blueprint.post("/decide")
@requires(Role.ADMIN)
@commits
def decide() -> ResponseReturnValue:
    """Leave the instances whose ids are sent to the rules; then back to where it was asked."""
    viewer = current_viewer()
    try:
        with named_instances(viewer) as ids:
            authorized = let_rules_decide(viewer, ids)
    except InvalidInputError as error:
        flash(str(error), "danger")
    else:
        flash(f"{len(ids):,} left to the rules: {authorized:,} authorized, {len(ids) - authorized:,} not.", "ok")
    return back()


def _edit(form: RuleForm, rule: AuthorizationRule | None) -> ResponseReturnValue:
    """One step with the form: a row more or less, a preview, or the saving of what was previewed."""
    step, _, number = request.form.get("step", "preview").partition("-")
    if step == "add":
        form.add_condition()
        return _edit_page(form, rule, focus=len(form.conditions.entries) - 1)
    if step == "remove":
        form.remove_condition(number)
        return _edit_page(form, rule)
    content = form.read()
    if content is None:
        return _edit_page(form, rule), 422
    if step == "save" and form.previewed.data == content.digest:
        try:
            return _save(form, rule, content)
        except (InvalidInputError, ForbiddenError) as error:
            # What was begun goes; what was typed stays on the page.
            db.session.rollback()
            field = getattr(error, "field", None)
            if field in form:
                form[field].errors = [str(error)]
            else:
                form.form_errors.append(str(error))
            return _edit_page(form, rule and listing.get_rule(current_viewer(), rule.id)), 422
    is_changed = step == "save" and bool(form.previewed.data)
    form.previewed.data = content.digest
    return _edit_page(form, rule, content=content, is_changed=is_changed)


def _save(form: RuleForm, rule: AuthorizationRule | None, content: RuleContent) -> ResponseReturnValue:
    viewer = current_viewer()
    if rule is None:
        saved = edit.create_rule(viewer, content)
    else:
        edit.change_rule(viewer, rule, content, revision=as_id(form.revision.data or "") or 0)
        saved = rule
    flash(f"Rule “{saved.name}” is saved. Its instances follow within moments.", "ok")
    return redirect(url_for("rules.show", rule_id=saved.id), 303)


def _edit_page(
    form: RuleForm,
    rule: AuthorizationRule | None,
    *,
    content: RuleContent | None = None,
    is_changed: bool = False,
    focus: int | None = None,
) -> str:
    is_paused = rule is not None and rule.state is RuleState.PAUSED
    is_over = content is not None and content.expires_on is not None and content.expires_on < utc_now().date()
    will_allow = content is not None and not is_paused and not is_over
    return render_template(
        "rule/edit.html",
        form=form,
        rule=rule,
        content=content,
        is_changed=is_changed,
        focus=focus,
        preview=content and preview(content.conditions if will_allow else None, rule_id=rule.id if rule else None),
        will_allow=will_allow,
    )
