"""Passwords: what is accepted, how it is hashed, and a comparison that takes as long for nobody as for somebody."""

import functools
import secrets

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from app.errors import InvalidInputError

#: argon2id with 19 MiB, two passes, one lane: the least that OWASP's cheat sheet and ASVS 5.0 (appendix C) take,
#: and about 30 ms of one core. Raise them here: hashes are renewed as people sign in.
HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1, hash_len=32, salt_len=16, type=Type.ID)

SHORTEST = 8
LONGEST = 256
#: zxcvbn's scale of 0 to 4; 2 asks for more than a million guesses, which every listed common password fails.
LEAST_SCORE = 2


def check_new_password(password: str, *, about: tuple[str, ...] = ()) -> None:
    """Refuse a password that is too short, too long or easily guessed; `about` are words that guess it (the name).

    Raises:
        InvalidInputError: with what is wrong, for the field `password`.
    """
    if "\0" in password:
        raise InvalidInputError("A password cannot contain the NUL character.", field="password")
    if len(password) < SHORTEST:
        raise InvalidInputError(f"Use at least {SHORTEST} characters.", field="password")
    if len(password) > LONGEST:
        raise InvalidInputError(f"Use at most {LONGEST} characters.", field="password")
    from zxcvbn import zxcvbn  # its lists of words take 12 MiB, which only those who set passwords need

    words = [part for text in about for part in (text, text.partition("@")[0]) if part]
    # Its time grows with the square of the length, and 64 characters settle the matter.
    verdict = zxcvbn(password[:64], user_inputs=[*words, "spotkeeper"])
    if verdict["score"] < LEAST_SCORE:
        hint = verdict["feedback"]["warning"] or "It follows a common pattern"
        raise InvalidInputError(
            f"This password is too easy to guess. {hint.rstrip('.')}. Try a few unrelated words.", field="password"
        )


def hash_password(password: str) -> str:
    """The argon2id hash with its parameters and its own salt."""
    return HASHER.hash(password)


def verify_password(password_hash: str | None, password: str) -> bool:
    """Whether the password is the one; without a hash as slow as with one, and always False."""
    # Over-long input is no password of ours; hashing it would let strangers choose how much work we do.
    is_possible = password_hash is not None and len(password) <= LONGEST and "\0" not in password
    tried = password if len(password) <= LONGEST else ""
    try:
        HASHER.verify(password_hash if password_hash and is_possible else _nobodys_hash(), tried)
    except (VerificationError, InvalidHashError):
        return False
    return is_possible


def needs_rehash(password_hash: str) -> bool:
    """Whether the hash was made with weaker parameters than today's."""
    return HASHER.check_needs_rehash(password_hash)


def make_initial_password() -> str:
    """A random password of 120 bits to be shown once and changed at first sign-in."""
    alphabet = "abcdefghjkmnpqrstuvwxyz23456789"
    groups = ["".join(secrets.choice(alphabet) for _ in range(5)) for _ in range(5)]
    return "-".join(groups)


@functools.cache
def _nobodys_hash() -> str:
    return HASHER.hash(secrets.token_urlsafe(32))
