"""Secrets at rest: sealed for one place, readable with any loaded key, silent about themselves."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.crypto import Keyring, Place, key_id_of
from app.errors import SecretError

HERE = Place("accounts", 1, "aws_secret_access_key")
OLD, NEW = ("k1", bytes(range(32))), ("k2", bytes(range(100, 132)))


def ring(*keys: tuple[str, bytes]) -> Keyring:
    made = Keyring()
    made.load(keys or (OLD,))
    return made


class TestSealing:
    def test_one_value_is_sealed_differently_a_thousand_times(self) -> None:
        keyring = ring()
        sealed = {keyring.encrypt("secret", HERE) for _ in range(1000)}
        assert len(sealed) == 1000
        nonces = {base64.urlsafe_b64decode(value.split(":")[2])[:12] for value in sealed}
        assert len(nonces) == 1000
        assert {keyring.decrypt(value, HERE) for value in sealed} == {"secret"}

    @settings(max_examples=200, deadline=None)
    @given(st.text(st.characters(exclude_categories=["Cs"]), max_size=300), st.integers(1, 2**63 - 1))
    def test_any_text_comes_back(self, text: str, row_id: int) -> None:
        place = Place("accounts", row_id, "x")
        assert ring().decrypt(ring().encrypt(text, place), place) == text

    def test_the_value_names_its_key_and_hides_the_rest(self) -> None:
        sealed = ring(NEW, OLD).encrypt("hunter2", HERE)
        assert key_id_of(sealed) == "k2"
        assert "hunter2" not in sealed
        assert b"hunter2" not in base64.urlsafe_b64decode(sealed.split(":")[2])

    def test_without_a_key_nothing_is_sealed(self) -> None:
        with pytest.raises(SecretError):
            Keyring().encrypt("x", HERE)


class TestOpening:
    def test_one_flipped_bit_anywhere_is_noticed(self) -> None:
        keyring = ring()
        head, _, body = keyring.encrypt("secret", HERE).rpartition(":")
        raw = base64.urlsafe_b64decode(body)
        for bit in range(len(raw) * 8):
            changed = bytearray(raw)
            changed[bit // 8] ^= 1 << bit % 8
            with pytest.raises(SecretError):
                keyring.decrypt(f"{head}:{base64.urlsafe_b64encode(changed).decode()}", HERE)

    @pytest.mark.parametrize(
        "elsewhere",
        [
            Place("accounts", 2, "aws_secret_access_key"),
            Place("accounts", 1, "aws_access_key_id"),
            Place("users", 1, "aws_secret_access_key"),
        ],
    )
    def test_a_value_moved_to_another_row_column_or_table_does_not_open(self, elsewhere: Place) -> None:
        sealed = ring().encrypt("secret", HERE)
        with pytest.raises(SecretError, match="altered, or belongs to another row"):
            ring().decrypt(sealed, elsewhere)

    def test_an_unknown_key_is_named(self) -> None:
        with pytest.raises(SecretError, match="'k2'"):
            ring(OLD).decrypt(ring(NEW).encrypt("secret", HERE), HERE)

    def test_another_key_under_the_same_id_does_not_open_it(self) -> None:
        with pytest.raises(SecretError):
            ring(("k1", NEW[1])).decrypt(ring(OLD).encrypt("secret", HERE), HERE)

    @pytest.mark.parametrize(
        "stored",
        ["", "v1", "v1:", "v1:k1", "v1:k1:", "v1:k1:AAAA", "v1:k1:%%%%", "v1:k1:é", "v2:k1:AAAA", "k1:AAAA", "\0"],
    )
    def test_what_is_not_ours_is_refused_cleanly(self, stored: str) -> None:
        with pytest.raises(SecretError):
            ring().decrypt(stored, HERE)

    def test_an_error_shows_neither_the_value_nor_a_key(self) -> None:
        sealed = ring().encrypt("hunter2", HERE)
        with pytest.raises(SecretError) as caught:
            ring().decrypt(sealed, Place("accounts", 2, "x"))
        assert sealed.split(":")[2] not in str(caught.value)
        assert caught.value.__suppress_context__


class TestSeveralKeys:
    def test_the_first_writes_and_all_read(self) -> None:
        old = ring(OLD).encrypt("secret", HERE)
        both = ring(NEW, OLD)
        assert both.writing_id == "k2"
        assert both.decrypt(old, HERE) == "secret"
        assert key_id_of(both.encrypt("secret", HERE)) == "k2"

    def test_rotating_moves_a_value_to_the_first_key(self) -> None:
        moved = ring(NEW, OLD).rotate(ring(OLD).encrypt("secret", HERE), HERE)
        assert ring(NEW).decrypt(moved, HERE) == "secret"

    def test_rotating_leaves_a_current_value_alone(self) -> None:
        sealed = ring(NEW).encrypt("secret", HERE)
        assert ring(NEW, OLD).rotate(sealed, HERE) == sealed

    def test_rotating_a_moved_value_is_refused(self) -> None:
        with pytest.raises(SecretError):
            ring(NEW, OLD).rotate(ring(OLD).encrypt("secret", Place("accounts", 2, "x")), HERE)

    def test_its_description_shows_ids_only(self) -> None:
        keyring = ring(NEW, OLD)
        assert repr(keyring) == "Keyring(writing='k2', reading=['k1', 'k2'])"
        assert f"{keyring}" == repr(keyring)
