"""What people paste, right and wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.aws.formats import (
    EXTERNAL_ID,
    PARTITIONS,
    check_access_key_id,
    check_account_id,
    check_region,
    check_secret_access_key,
    new_external_id,
    parse_role_arn,
    partition_of_region,
    role_session_name,
)

GOOD = "arn:aws:iam::123456789012:role/SpotkeeperReadOnly"

BAD_ARNS = {
    "": "Paste the role's ARN",
    "   ": "Paste the role's ARN",
    "SpotkeeperReadOnly": "begins with",
    "123456789012": "account id",
    "arn:aws:iam::123456789012": "cut off",
    "arn:aws:iam::123456789012:": "role/",
    "arn:aws:iam::123456789012:role": "role/",
    "arn:aws:iam::123456789012:role/": "1 to 64",
    "arn:aws:iam::123456789012:roles/Reader": "role/",
    "arn:aws:iam::123456789012:Role/Reader": "role/",
    "arn:aws:iam::123456789012:role:Reader": "role/",
    "arn:aws:iam::123456789012:user/alice": "a user",
    "arn:aws:iam::123456789012:root": "root user",
    "arn:aws:iam::123456789012:group/admins": "a group",
    "arn:aws:iam::123456789012:policy/Reader": "a policy",
    "arn:aws:iam::123456789012:instance-profile/Reader": "instance profile",
    "arn:aws:sts::123456789012:assumed-role/Reader/session": "session",
    "arn:aws:sts::123456789012:federated-user/alice": "service iam",
    "arn:aws:s3:::bucket/with/some/key": "service iam",
    "arn:aws:ec2:us-east-1:123456789012:instance/i-0123": "service iam",
    "arn:aws:iam:us-east-1:123456789012:role/Reader": "no region",
    "arn:aws:iam::12345678901:role/Reader": "12 digits",
    "arn:aws:iam::1234567890123:role/Reader": "12 digits",
    "arn:aws:iam::12345678901a:role/Reader": "12 digits",
    "arn:aws:iam:::role/ReaderReader": "12 digits",
    "arn:aws:iam::1234-5678-9012:role/Reader": "12 digits",
    "arn:aws2:iam::123456789012:role/Reader": "partition",
    "arn:aws-iso-z:iam::123456789012:role/Reader": "partition",
    "arn::iam::123456789012:role/Reader": "partition",
    "ARN:aws:iam::123456789012:role/Reader": "begins with",
    "rn:aws:iam::123456789012:role/Reader": "begins with",
    '"arn:aws:iam::123456789012:role/Reader"': "quotation",
    "arn:aws:iam::123456789012:role/Reader;": "semicolon",
    "arn:aws:iam::123456789012:role/My Reader": "space",
    "arn:aws:iam::1234 56789012:role/Reader": "space",
    "arn:aws:iam::123456789012:role/Reader\narn:aws:iam::123456789012:role/Other": "space",
    "arn:aws:iam::123456789012:role/Rеader": "looks right",  # noqa: RUF001 - a Cyrillic e
    "arn:aws:iam::１２３４５６７８９０１２:role/Reader": "looks right",  # noqa: RUF001 - wide digits
    "arn:aws:iam::١٢٣٤٥٦٧٨٩٠١٢:role/Reader": "looks right",
    "arn:aws:iam::123456789012:role/Rea\u200bder": "looks right",
    "\ufeffarn:aws:iam::123456789012:role/Reader": "looks right",
    "arn:aws:iam::123456789012:role/Rea\x00der": "looks right",
    "arn：aws：iam：：123456789012：role/Reader": "looks right",  # noqa: RUF001 - wide colons
    "arn:aws:iam::123456789012:role/" + "a" * 65: "1 to 64",
    "arn:aws:iam::123456789012:role/" + "p" * 511 + "/Reader": "1 to 64",
    "arn:aws:iam::123456789012:role/" + "a" * 2100: "longer",
    "arn:aws:iam::123456789012:role/Reader<b>bold": "1 to 64",
    "arn:aws:iam::123456789012:role/Reader' OR '1'='1": "space",
    "http://169.254.169.254/latest/meta-data/": "begins with",
    "file:///etc/passwd": "begins with",
}


class TestRoleArns:
    @pytest.mark.parametrize("partition", sorted(PARTITIONS))
    def test_it_takes_each_partition(self, partition):
        role = parse_role_arn(f"arn:{partition}:iam::000000000012:role/Reader")
        assert (role.partition, role.account_id, role.path, role.name) == (
            partition,
            "000000000012",
            "/",
            "Reader",
        )

    @pytest.mark.parametrize("wrapping", [" {} ", "{}\n", "\t{}\r\n", "\u00a0{}\u2003"])
    def test_it_trims_what_pasting_adds(self, wrapping):
        assert str(parse_role_arn(wrapping.format(GOOD))) == GOOD

    def test_it_keeps_a_path_apart_from_the_name(self):
        role = parse_role_arn("arn:aws:iam::123456789012:role/aws-reserved/sso/Reader_1+=,.@-")
        assert (role.path, role.name) == ("/aws-reserved/sso/", "Reader_1+=,.@-")
        assert str(role).endswith(":role/aws-reserved/sso/Reader_1+=,.@-")

    @pytest.mark.parametrize("arn", BAD_ARNS)
    def test_it_names_the_mistake(self, arn):
        with pytest.raises(ValueError) as caught:
            parse_role_arn(arn)
        assert BAD_ARNS[arn] in str(caught.value)

    def test_there_are_enough_mistakes_to_learn_from(self):
        assert len(BAD_ARNS) >= 40

    @given(st.text(max_size=200))
    def test_it_never_fails_otherwise(self, text):
        with pytest.raises(ValueError):
            parse_role_arn(text)

    @given(st.from_regex(r"\Aarn:aws:iam::[0-9]{12}:role/([a-z]{1,8}/)?[\w+=,.@-]{1,64}\Z"))
    def test_what_it_takes_reads_back_the_same(self, arn):
        if arn.isascii():
            assert str(parse_role_arn(arn)) == arn
        else:
            with pytest.raises(ValueError):
                parse_role_arn(arn)


class TestAccountIds:
    @pytest.mark.parametrize("text", ["000000000012", " 000000000012\n", "0000-0000-0012"])
    def test_leading_zeros_stay(self, text):
        assert check_account_id(text) == "000000000012"

    @pytest.mark.parametrize(
        "text",
        ["", "12345678901", "1234567890123", "12345678901x", "１２３４５６７８９０１２", "1234 5678"],  # noqa: RUF001
    )
    def test_anything_else_is_refused(self, text):
        with pytest.raises(ValueError, match="12 digits"):
            check_account_id(text)


class TestKeys:
    def test_a_long_term_key_is_taken(self):
        assert check_access_key_id(" AKIAIOSFODNN7EXAMPLE ") == "AKIAIOSFODNN7EXAMPLE"

    def test_a_temporary_key_is_explained(self):
        with pytest.raises(ValueError, match="temporary"):
            check_access_key_id("ASIAIOSFODNN7EXAMPLE")

    @pytest.mark.parametrize("text", ["", "akiaiosfodnn7example", "AKIAIOSFODNN7EXAMPL", "AKIAIOSFODNN7EXAMPLE1"])
    def test_other_shapes_are_refused(self, text):
        with pytest.raises(ValueError, match="20 capital"):
            check_access_key_id(text)

    def test_a_users_id_is_no_key(self):
        with pytest.raises(ValueError, match="not of an access key"):
            check_access_key_id("AIDAIOSFODNN7EXAMPLE")

    def test_a_secret_is_taken_without_its_spaces(self):
        secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
        assert check_secret_access_key(f" {secret}\n") == secret

    @pytest.mark.parametrize("text", ["", "AKIAIOSFODNN7EXAMPLE", "short-secret-value", "ü" * 40])
    def test_a_refused_secret_is_not_repeated(self, text):
        with pytest.raises(ValueError) as caught:
            check_secret_access_key(text)
        assert not text or text not in str(caught.value)


class TestRegions:
    @pytest.mark.parametrize("name", ["us-east-1", "us-gov-west-1", "eusc-de-east-1", "ap-southeast-7"])
    def test_real_names_pass(self, name):
        assert check_region(name) == name

    @pytest.mark.parametrize(
        "name",
        [
            "",
            "x.evil.example#",
            "us-east-1.evil.example",
            "us-east-1/",
            "us-east-1@x",
            "US-EAST-1",
            "us_east_1",
            "127.0.0.1",
        ],
    )
    def test_no_name_can_become_another_host(self, name):
        with pytest.raises(ValueError, match="us-east-1"):
            check_region(name)

    def test_a_region_tells_its_partition(self):
        for partition in PARTITIONS.values():
            assert partition_of_region(partition.default_region) == partition.name


class TestExternalIds:
    def test_they_do_not_repeat(self):
        made = {new_external_id() for _ in range(1000)}
        assert len(made) == 1000
        assert all(len(value) == 32 and EXTERNAL_ID.fullmatch(value) for value in made)


class TestSessionNames:
    @given(st.text(max_size=100))
    def test_any_text_becomes_one_that_sts_takes(self, text):
        name = role_session_name(text)
        assert 2 <= len(name) <= 64
        assert name.isascii()
        assert not set(name) & set(" /:\n")
