"""A pair of access keys, sealed for the row that holds them; a part of the tables that have one."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.columns import UtcDateTime
from app.crypto import Place, keyring
from app.models.mixins import SEALED, utc_now


class SealedKeys:
    _access_key_id: Mapped[str | None] = mapped_column("aws_access_key_id", sa.Text, info=SEALED)
    _secret_access_key: Mapped[str | None] = mapped_column("aws_secret_access_key", sa.Text, info=SEALED)
    access_key_hint: Mapped[str] = mapped_column(sa.String(4), default="")
    """The last four characters of the key id, so that pages need not decrypt it."""

    keys_changed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    def set_access_keys(self, access_key_id: str, secret_access_key: str) -> None:
        """Seal both keys for this row; they can be opened from here only."""
        self._access_key_id = keyring.encrypt(access_key_id, self.secret_place("aws_access_key_id"))
        self._secret_access_key = keyring.encrypt(secret_access_key, self.secret_place("aws_secret_access_key"))
        self.access_key_hint = access_key_id[-4:]
        self.keys_changed_at = utc_now()

    def open_access_keys(self) -> tuple[str, str]:
        """The key id and the secret in clear, for a job about to call AWS.

        Raises:
            SecretError: a value does not open, or there is none.
        """
        return (
            keyring.decrypt(self._access_key_id or "", self.secret_place("aws_access_key_id")),
            keyring.decrypt(self._secret_access_key or "", self.secret_place("aws_secret_access_key")),
        )

    def forget_access_keys(self) -> None:
        """Drop the ciphertexts, as when an account moves to a role."""
        self._access_key_id = self._secret_access_key = self.keys_changed_at = None
        self.access_key_hint = ""

    def secret_place(self, column: str) -> Place:
        """Where this row keeps the given secret."""
        table: str = self.__tablename__  # type: ignore[attr-defined]  # of the table that it is mixed into
        row_id: int = self.id  # type: ignore[attr-defined]  # the same
        return Place(table, row_id, column)
