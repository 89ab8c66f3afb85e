"""Named views of the list of instances: one's own, and those that are shared with one's role.

A view is an address and no rights: whoever opens it sees what they may see anyway.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from app.database import db
from app.errors import ConflictError, InvalidInputError, NotFoundError
from app.models import DefaultView, SavedView, User
from app.models.mixins import utc_now
from app.models.types import Role
from app.services import system_logs

#: More than anybody looks through.
MAX_VIEWS = 100
MAX_NAME = 80
#: Far more than a browser's address holds in practice.
MAX_QUERY = 8_000


@dataclass(frozen=True, slots=True)
class ViewRow:
    """A view as somebody sees it."""

    id: int
    name: str
    query: str
    shared_with: Role | None
    owner: str
    is_own: bool
    is_default: bool
    """Whether the list opens with it for this viewer."""
    updated_at: datetime


def list_views(viewer: User) -> list[ViewRow]:
    """One's own and the shared ones, by name."""
    chosen = sa.select(DefaultView.view_id).where(DefaultView.user_id == viewer.id).scalar_subquery()
    rows = db.session.execute(
        sa.select(SavedView, User.username, (SavedView.id == chosen).label("is_default"))
        .join(User, User.id == SavedView.user_id)
        .where(_is_visible(viewer))
        .order_by(sa.func.lower(SavedView.name), SavedView.id)
    )
    return [
        ViewRow(
            view.id,
            view.name,
            view.query,
            view.shared_with,
            owner,
            view.user_id == viewer.id,
            bool(is_default),
            view.updated_at,
        )
        for view, owner, is_default in rows
    ]


def find_view(viewer: User, view_id: int) -> SavedView | None:
    """A view that the viewer may open, if there is such."""
    return db.session.scalar(sa.select(SavedView).where(SavedView.id == view_id, _is_visible(viewer)))


def get_view(viewer: User, view_id: int) -> SavedView:
    """A view that the viewer may open.

    Raises:
        NotFoundError: there is none, or it is somebody else's and not shared.
    """
    return _one(SavedView.id == view_id, _is_visible(viewer))


def find_default_view(viewer: User) -> SavedView | None:
    """The view with which the list opens for them; None also where it is not shared any more."""
    return db.session.scalar(
        sa.select(SavedView)
        .join(DefaultView, DefaultView.view_id == SavedView.id)
        .where(DefaultView.user_id == viewer.id, _is_visible(viewer))
    )


def roles_to_share_with(viewer: User) -> Sequence[Role]:
    """With whom the viewer may share: their role, and lower ones.

    Clients with nobody: other clients are other tenants, whom the names in a view would tell something.
    """
    if not viewer.can(Role.ADMIN):
        return ()
    return [role for role in reversed(Role) if viewer.can(role)]


def save_view(viewer: User, name: str, query: str, *, shared_with: Role | None = None) -> SavedView:
    """Give an address a name.

    Raises:
        InvalidInputError: without a name, with one that is taken or too long, or one view too many.
    """
    count = db.session.scalar(
        sa.select(sa.func.count()).where(SavedView.user_id == viewer.id, SavedView.deleted_at.is_(None))
    )
    if (count or 0) >= MAX_VIEWS:
        raise InvalidInputError(f"You have {MAX_VIEWS} views. Delete one that you do not need.", field="name")
    view = SavedView(user_id=viewer.id, name="", query=_checked_query(query))
    with _unless_taken(name):
        _describe(view, viewer, name, shared_with)
        db.session.add(view)
    _audit("View saved", view, viewer)
    return view


def get_own_view(viewer: User, view_id: int) -> SavedView:
    """A view that the viewer may change.

    Raises:
        NotFoundError: there is none, or it is somebody else's.
    """
    return _one(SavedView.id == view_id, SavedView.user_id == viewer.id, SavedView.deleted_at.is_(None))


def change_view(viewer: User, view_id: int, *, name: str, shared_with: Role | None) -> SavedView:
    """Rename one's own view, and share it or not.

    Raises:
        NotFoundError: it is not one's own.
        InvalidInputError: as `save_view`.
    """
    view = get_own_view(viewer, view_id)
    with _unless_taken(name):
        _describe(view, viewer, name, shared_with)
    _audit("View changed", view, viewer)
    return view


def replace_query(viewer: User, view_id: int, query: str) -> SavedView:
    """Have one's own view show something else.

    Raises:
        NotFoundError: it is not one's own.
        InvalidInputError: it is more than a view holds.
    """
    view = get_own_view(viewer, view_id)
    view.query = _checked_query(query)
    db.session.flush()
    _audit("View changed", view, viewer)
    return view


def delete_view(viewer: User, view_id: int) -> SavedView:
    """Delete one's own view, for everybody; it can be restored for a while.

    Raises:
        NotFoundError: it is not one's own.
    """
    view = get_own_view(viewer, view_id)
    view.deleted_at, view.name_key = utc_now(), None
    db.session.flush()
    _audit("View deleted", view, viewer)
    return view


def restore_view(viewer: User, view_id: int) -> SavedView:
    """Have a deleted view back, and with it the choice of those who had it as their default.

    Raises:
        NotFoundError: it is not one's own, or gone for good.
        ConflictError: its name has been given to another view meanwhile.
    """
    view = _one(SavedView.id == view_id, SavedView.user_id == viewer.id)
    name = view.name
    try:
        with _unless_taken(name):
            view.deleted_at, view.name_key = None, _key(name)
    except InvalidInputError as error:
        raise ConflictError(str(error)) from None
    _audit("View restored", view, viewer)
    return view


def choose_default_view(viewer: User, view_id: int | None) -> SavedView | None:
    """Have the list open with a view that one may see; with None, with everything.

    Raises:
        NotFoundError: there is no such view for them.
    """
    view = get_view(viewer, view_id) if view_id is not None else None
    chosen = db.session.get(DefaultView, viewer.id)
    if view is None:
        if chosen is not None:
            db.session.delete(chosen)
    elif chosen is None:
        db.session.add(DefaultView(user_id=viewer.id, view_id=view.id))
    else:
        chosen.view_id = view.id
    db.session.flush()
    return view


def _is_visible(viewer: User) -> sa.ColumnElement[bool]:
    roles = [role for role in Role if viewer.can(role)]
    is_mine_or_shared = sa.or_(SavedView.user_id == viewer.id, SavedView.shared_with.in_(roles))
    return sa.and_(SavedView.deleted_at.is_(None), is_mine_or_shared)


def _one(*conditions: sa.ColumnElement[bool]) -> SavedView:
    view = db.session.scalar(sa.select(SavedView).where(*conditions))
    if view is None:
        raise NotFoundError("There is no such view.")
    return view


def _describe(view: SavedView, viewer: User, name: str, shared_with: Role | None) -> None:
    name = " ".join(name.split())
    if not name:
        raise InvalidInputError("Give the view a name.", field="name")
    if len(name) > MAX_NAME:
        raise InvalidInputError(f"A name has {MAX_NAME} characters at most.", field="name")
    if not name.isprintable():
        raise InvalidInputError("A name is made of characters that can be seen.", field="name")
    if shared_with is not None and shared_with not in roles_to_share_with(viewer):
        raise InvalidInputError("You cannot share views with them.", field="shared_with")
    view.name, view.name_key, view.shared_with = name, _key(name), shared_with


def _key(name: str) -> str:
    return name.casefold()[:160]


def _checked_query(query: str) -> str:
    if len(query) > MAX_QUERY or "\0" in query:
        raise InvalidInputError("This is more than a view can hold: filter by less, and save again.", field="name")
    return query


@contextmanager
def _unless_taken(name: str) -> Iterator[None]:
    """What is set within is written, or none of it where another view of theirs has the name."""
    try:
        with db.session.begin_nested():
            yield
    except IntegrityError:
        raise InvalidInputError(f"You have another view called “{' '.join(name.split())}”.", field="name") from None


def _audit(message: str, view: SavedView, viewer: User) -> None:
    shared = view.shared_with.value if view.shared_with else None
    system_logs.record("audit", message, user=viewer, view_id=view.id, name=view.name, shared_with=shared)
