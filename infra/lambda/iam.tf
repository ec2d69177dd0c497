# A role for each function, for its log, its secrets and its network interfaces.
data "aws_iam_policy_document" "trust" {
  for_each = toset(["lambda", "scheduler"])

  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["${each.key}.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "function" {
  for_each = local.functions

  name               = "${var.name}-${each.key}"
  assume_role_policy = data.aws_iam_policy_document.trust["lambda"].json
}

locals {
  # Lambda creates a function's network interfaces with the function's role. These actions
  # can't be restricted to resources.
  interfaces = [
    "ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses",
  ]
  readers = { secretsmanager = "secretsmanager:GetSecretValue", ssm = "ssm:GetParameter" }
}

data "aws_iam_policy_document" "function" {
  for_each = local.functions

  statement {
    sid       = "Log"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.function[each.key].arn}:*"]
  }

  dynamic "statement" {
    for_each = { for secret in each.value.secrets : secret => var.secrets[secret] }
    content {
      actions   = [local.readers[split(":", statement.value)[2]]]
      resources = [statement.value]
    }
  }

  dynamic "statement" {
    for_each = length(var.secret_key_arns) > 0 ? [1] : []
    content {
      sid       = "Decrypt"
      actions   = ["kms:Decrypt"]
      resources = var.secret_key_arns
    }
  }

  statement {
    sid       = "Network"
    actions   = local.interfaces
    resources = ["*"]
  }

  # Only Lambda itself may use them, not the code of the function.
  statement {
    sid       = "NetworkOfLambdaAlone"
    effect    = "Deny"
    actions   = local.interfaces
    resources = ["*"]
    condition {
      test     = "ArnLike"
      variable = "lambda:SourceFunctionArn"
      values   = ["arn:*:lambda:*:*:function:${var.name}-${each.key}"]
    }
  }
}

resource "aws_iam_role_policy" "function" {
  for_each = local.functions

  name   = "own"
  role   = aws_iam_role.function[each.key].name
  policy = data.aws_iam_policy_document.function[each.key].json
}
