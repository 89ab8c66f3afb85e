"""Secrets at rest: AES-256-GCM with a key id in each value, bound to the row and column it belongs to.

A stored value reads `v1:<key id>:<base64url of nonce and ciphertext>`. Its place (table, row id, column) is
authenticated with it, so that a ciphertext moved to another row or column does not open. GCM's 96-bit random
nonces allow 2^32 encryptions under one key (NIST SP 800-38D 8.3), far above what an installation writes.
"""

import base64
import binascii
import os
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.errors import SecretError

VERSION = "v1"
NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class Place:
    """Where a secret is kept; part of what is authenticated."""

    table: str
    row_id: int
    column: str

    def to_bytes(self) -> bytes:
        return f"{VERSION}|{self.table}|{self.row_id}|{self.column}".encode()


class Keyring:
    """The installation's encryption keys: the first writes, all read."""

    def __init__(self) -> None:
        self._ciphers: dict[str, AESGCM] = {}
        self._writing_id = ""

    def load(self, keys: Sequence[tuple[str, bytes]]) -> None:
        """Take the keys from the settings, replacing what was loaded before."""
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys}
        self._writing_id = keys[0][0]

    @property
    def writing_id(self) -> str:
        """The id of the key that new values are written with."""
        return self._writing_id

    def encrypt(self, plaintext: str, place: Place) -> str:
        """Seal a secret for one place.

        Raises:
            SecretError: no key is loaded.
        """
        cipher = self._cipher(self._writing_id)
        nonce = os.urandom(NONCE_BYTES)
        sealed = nonce + cipher.encrypt(nonce, plaintext.encode(), place.to_bytes())
        return f"{VERSION}:{self._writing_id}:{base64.urlsafe_b64encode(sealed).decode()}"

    def decrypt(self, stored: str, place: Place) -> str:
        """Open a secret read from its place.

        Raises:
            SecretError: unknown key, altered value, or a value that belongs to another place. The message
                names the place and the key id, never the value.
        """
        cipher = self._cipher(key_id_of(stored))
        try:
            sealed = base64.b64decode(stored.split(":", 2)[2], altchars=b"-_", validate=True)
            return cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place.to_bytes()).decode()
        except (InvalidTag, binascii.Error, ValueError):
            raise SecretError(
                f"The secret in {place.table}.{place.column} of row {place.row_id} does not open: it was altered, "
                f"or belongs to another row."
            ) from None

    def rotate(self, stored: str, place: Place) -> str:
        """The same secret under the writing key; unchanged when it is already."""
        if key_id_of(stored) == self._writing_id:
            return stored
        return self.encrypt(self.decrypt(stored, place), place)

    def _cipher(self, key_id: str) -> AESGCM:
        try:
            return self._ciphers[key_id]
        except KeyError:
            raise SecretError(
                f"No encryption key with the id {key_id!r} is loaded: add it to ENCRYPTION_KEYS."
            ) from None

    def __repr__(self) -> str:
        return f"Keyring(writing={self._writing_id!r}, reading={sorted(self._ciphers)})"


def key_id_of(stored: str) -> str:
    """The id of the key that a stored value was written with.

    Raises:
        SecretError: the value is not one of ours.
    """
    version, _, rest = stored.partition(":")
    key_id, separator, _ = rest.partition(":")
    if version != VERSION or not separator:
        raise SecretError("A stored secret is not in a format that this version reads.")
    return key_id


keyring = Keyring()
