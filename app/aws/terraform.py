"""The role as Terraform makes it, for those who keep their accounts in code; pure, does not import boto3."""

from typing import Any

from app.aws.cloudformation import as_json

FILE_NAME = "spotkeeper.tf"


def role_configuration(role_name: str, trust: dict[str, Any], permissions: dict[str, Any]) -> str:
    """A role with one inline policy and its ARN as an output; the policies are those of `cloudformation.py`.

    JSON is an expression of HCL as it stands, so the policies read as everywhere else. Nothing in them begins with
    `${` or `%{`, which would be a template: their values are checked by shape where they are made.
    """
    return f"""resource "aws_iam_role" "spotkeeper" {{
  name                 = "{role_name}"
  description          = "Read access for Spotkeeper"
  max_session_duration = 3600

  assume_role_policy = jsonencode({_indented(trust)})
}}

resource "aws_iam_role_policy" "spotkeeper" {{
  name = "SpotkeeperRead"
  role = aws_iam_role.spotkeeper.id

  policy = jsonencode({_indented(permissions)})
}}

output "spotkeeper_role_arn" {{
  value = aws_iam_role.spotkeeper.arn
}}
"""


def _indented(policy: dict[str, Any]) -> str:
    return as_json(policy).replace("\n", "\n  ")
