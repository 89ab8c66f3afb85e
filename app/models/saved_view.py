"""A way to look at the list of instances that somebody gave a name."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.columns import ExactText, UtcDateTime, enum_column
from app.database import Base
from app.models.mixins import Identified, Timestamped
from app.models.types import Role
from app.models.user import User


class SavedView(Identified, Timestamped, Base):
    __tablename__ = "saved_views"
    __table_args__ = (sa.UniqueConstraint("user_id", "name_key"), sa.Index(None, "shared_with"))

    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"))
    """Whose it is: nobody else may change it."""

    name: Mapped[str] = mapped_column(sa.String(80))
    name_key: Mapped[str | None] = mapped_column(ExactText(160))
    """The name as names are compared, case-folded; NULL once the view is deleted, so that the name is free again."""

    query: Mapped[str] = mapped_column(sa.Text)
    """Filters, order and columns as the list's address has them, without the page."""

    shared_with: Mapped[Role | None] = mapped_column(enum_column(Role, "shared_with"))
    """Everybody with at least this role sees it, each on their own accounts; None is its owner alone."""

    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Kept for a while, so that deleting can be undone."""

    user: Mapped[User] = relationship(lazy="raise_on_sql")

    def __repr__(self) -> str:
        return f"<SavedView {self.id} {self.name!r}>"
