"""What is accepted as a password, and how it is kept."""

import time

import pytest

from app.errors import InvalidInputError
from app.services.passwords import (
    HASHER,
    check_new_password,
    hash_password,
    make_initial_password,
    needs_rehash,
    verify_password,
)

COMMON = [
    "password", "password1", "12345678", "123456789", "qwertyuiop", "iloveyou1", "sunshine1", "princess1", "football1",
    "baseball1", "trustno1!", "starwars1", "superman1", "whatever1", "computer1", "Password1!", "letmein123",
    "qwerty123", "1q2w3e4r5t", "abcd1234", "passw0rd", "admin123", "welcome1", "monkey123", "dragon123",
]  # fmt: skip


class TestWhatIsAccepted:
    @pytest.mark.parametrize("password", COMMON)
    def test_a_common_one_is_refused(self, password: str) -> None:
        with pytest.raises(InvalidInputError, match="easy to guess"):
            check_new_password(password)

    @pytest.mark.parametrize("password", ["client1client1", "dora@example.com", "spotkeeper1"])
    def test_ones_own_name_is_refused(self, password: str) -> None:
        with pytest.raises(InvalidInputError, match="easy to guess"):
            check_new_password(password, about=("client1", "dora@example.com"))

    @pytest.mark.parametrize(
        "password",
        [
            "violet umbrella seven",
            "пароль из слов",
            "密码很长而且没有规律",
            "🙂🦊🚲🌋🪁🎻🧿🐡",
            "xk7#Qp2!vL",
            "m" + "aB3$" * 60,
        ],
    )
    def test_any_script_and_any_length_up_to_256_is_taken(self, password: str) -> None:
        check_new_password(password)

    @pytest.mark.parametrize(
        ("password", "words"), [("seven77", "8"), ("ab " * 100, "256"), ("violet\0umbrella", "NUL")]
    )
    def test_too_short_too_long_and_nul_are_refused(self, password: str, words: str) -> None:
        with pytest.raises(InvalidInputError, match=words) as caught:
            check_new_password(password)
        assert caught.value.field == "password"

    def test_a_long_one_is_judged_quickly(self) -> None:
        begun = time.thread_time()
        check_new_password("violet umbrella " * 16)
        assert time.thread_time() - begun < 1

    def test_a_made_one_is_accepted_and_never_the_same(self) -> None:
        made = {make_initial_password() for _ in range(100)}
        assert len(made) == 100
        check_new_password(made.pop())


class TestHowItIsKept:
    def test_it_is_argon2id_with_a_salt_of_its_own(self) -> None:
        first, second = hash_password("violet umbrella"), hash_password("violet umbrella")
        assert first.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
        assert first != second
        assert len(first) <= 255

    def test_nothing_is_cut_off_or_folded(self) -> None:
        password = "Ä" + "x" * 254
        stored = hash_password(password)
        assert verify_password(stored, password)
        wrong = [password[:-1], password + "x", password.lower(), password + " ", "A\u0308" + "x" * 254]
        assert [verify_password(stored, other) for other in wrong] == [False] * 5

    def test_weaker_parameters_are_noticed(self) -> None:
        assert needs_rehash(type(HASHER)(time_cost=1, memory_cost=8192).hash("x"))
        assert not needs_rehash(hash_password("x"))

    @pytest.mark.parametrize("stored", [None, "", "not a hash", "$argon2id$broken"])
    def test_without_a_hash_nothing_fits(self, stored: str | None) -> None:
        assert not verify_password(stored, "violet umbrella")

    def test_nobody_takes_as_long_as_somebody(self) -> None:
        stored = hash_password("violet umbrella")
        verify_password(None, "warm up")

        def fastest(hashed: str | None) -> float:
            times = []
            for _ in range(8):
                begun = time.thread_time()
                verify_password(hashed, "a wrong one")
                times.append(time.thread_time() - begun)
            return min(times)

        assert 0.5 < fastest(None) / fastest(stored) < 2
