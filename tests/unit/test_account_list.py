"""A pasted list of accounts: every line is taken, or kept with the reason."""

import pytest

from app.services.accounts.account_list import MOST_LINES, read_list

ARN = "arn:aws:iam::123456789012:role/ops/Reader"


class TestGoodLines:
    @pytest.mark.parametrize(
        ("line", "role", "name"),
        [
            (ARN, ARN, "123456789012"),
            (f"{ARN},Production", ARN, "Production"),
            (f'  {ARN} , "Sales, Europe"', ARN, "Sales, Europe"),
            (f"{ARN}\tProduction", ARN, "Production"),
            ("012345678901", "arn:aws:iam::012345678901:role/SpotkeeperReadOnly", "012345678901"),
            ("0123-4567-8901, Old ", "arn:aws:iam::012345678901:role/SpotkeeperReadOnly", "Old"),
            ("arn:aws-us-gov:iam::123456789012:role/R,x", "arn:aws-us-gov:iam::123456789012:role/R", "x"),
        ],
    )
    def test_an_arn_or_an_id_and_perhaps_a_name(self, line: str, role: str, name: str) -> None:
        (good,), bad = read_list(line)
        assert not bad
        assert (str(good.role), good.name) == (role, name)

    def test_blank_lines_comments_and_a_heading_say_nothing(self) -> None:
        good, bad = read_list(f"arn,name\n\n# ours\n{ARN},One\r\n210987654321\n")
        assert [(line.number, line.name) for line in good] == [(4, "One"), (5, "210987654321")]
        assert not bad

    def test_an_id_alone_is_in_the_part_of_aws_that_was_chosen(self) -> None:
        (good,), _ = read_list("123456789012", "aws-cn")
        assert good.role.partition == "aws-cn"


class TestBadLines:
    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            ("arn:aws:iam::123456789012:user/ops", "ARN of a user"),
            ("12345", "exactly 12 digits"),
            ("Production", "begins with"),
            (f"{ARN},One,Two", "more than an ARN and a name"),
            (f'{ARN},"One', "quotation marks"),
            (f"{ARN},{'x' * 129}", "more than 128"),
            (f"{ARN},a\x1b[2Jb", "cannot be seen"),
            ("arn:aws:iam::١٢٣٤٥٦٧٨٩٠١٢:role/R", "only looks right"),
            ("=HYPERLINK(1)", "begins with"),
        ],
    )
    def test_each_is_kept_with_its_number_and_reason(self, line: str, reason: str) -> None:
        good, (bad,) = read_list(f"{'210987654321'}\n{line}")
        assert [each.number for each in good] == [1]
        assert (bad.number, bad.text) == (2, line)
        assert reason in bad.reason

    def test_the_second_line_about_an_account_is_one(self) -> None:
        good, (bad,) = read_list(f"{ARN},One\n123456789012,Two")
        assert len(good) == 1
        assert bad.reason == "The same account as in line 1."

    def test_what_is_too_much_is_kept_for_another_list(self) -> None:
        good, bad = read_list("\n".join(f"{number:012d}" for number in range(MOST_LINES + 3)))
        assert (len(good), len(bad)) == (MOST_LINES, 3)
        assert "another list" in bad[0].reason
