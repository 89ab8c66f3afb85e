"""What an address can say about the list of instances."""

from urllib.parse import parse_qs, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.services.instances.filters import MAX_LENGTH, MAX_VALUES, InstanceFilters, as_id

NAMES = ("account", "region", "state", "lifecycle", "type", "auth_status", "tag", "q")
WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=MAX_LENGTH)
ADDRESSES = st.dictionaries(st.sampled_from(NAMES), st.lists(WORDS, max_size=4))


def parse(address: str) -> InstanceFilters:
    return InstanceFilters.parse(parse_qs(address, keep_blank_values=True))


class TestAnAddress:
    @given(ADDRESSES)
    def test_what_is_written_is_read_again(self, params: dict[str, list[str]]) -> None:
        filters = InstanceFilters.parse(params)
        assert parse(urlencode(filters.to_params(), doseq=True)) == filters

    @given(ADDRESSES)
    def test_every_filter_can_be_taken_away_alone(self, params: dict[str, list[str]]) -> None:
        filters = InstanceFilters.parse(params)
        for name, value in filters.pairs():
            assert list(filters.without(name, value).pairs()) == [
                pair for pair in filters.pairs() if pair != (name, value)
            ]

    @given(st.dictionaries(st.text(), st.lists(st.text(st.characters()), max_size=60)))
    def test_nothing_makes_it_stumble_and_nothing_unstorable_passes(self, params: dict[str, list[str]]) -> None:
        filters = InstanceFilters.parse(params)
        for _, value in filters.pairs():
            value.encode()
            assert "\0" not in value
            assert 0 < len(value) <= MAX_LENGTH
        assert all(len(values) <= MAX_VALUES for values in filters.to_params().values())

    def test_it_keeps_the_order_and_drops_repetitions_and_blanks(self) -> None:
        assert parse("state=running&state=+&state=stopped&state=running&nonsense=1") == InstanceFilters(
            state=("running", "stopped")
        )


class TestIds:
    @pytest.mark.parametrize(("text", "id_"), [("0", 0), ("17", 17), (str(2**63 - 1), 2**63 - 1)])
    def test_numbers_of_sixty_three_bits_are(self, text: str, id_: int) -> None:
        assert as_id(text) == id_

    @pytest.mark.parametrize("text", ["", "-1", "+1", " 1", "1.0", "²", "١", "0x1", "1_0", str(2**63), "9" * 400])  # noqa: RUF001
    def test_nothing_else_is(self, text: str) -> None:
        assert as_id(text) is None
