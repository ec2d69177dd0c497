# `terraform test` plans everything without AWS.
mock_provider "aws" {
  mock_resource "aws_lambda_function_url" {
    defaults = {
      function_url = "https://abc.lambda-url.eu-central-1.on.aws/"
    }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = {
      arn = "arn:aws:logs:eu-central-1:123456789012:log-group:group"
    }
  }
  mock_resource "aws_iam_role" {
    defaults = {
      arn = "arn:aws:iam::123456789012:role/role"
    }
  }
  mock_resource "aws_lambda_function" {
    defaults = {
      arn = "arn:aws:lambda:eu-central-1:123456789012:function:function"
    }
  }
  mock_resource "aws_cloudfront_function" {
    defaults = {
      arn = "arn:aws:cloudfront::123456789012:function/front"
    }
  }
  mock_data "aws_iam_policy_document" {
    defaults = {
      json = "{}"
    }
  }
}

variables {
  secrets = {
    admin-token  = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:admin-token-AbCdEf"
    database-url = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:database-url-AbCdEf"
    redis-url    = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:redis-url-AbCdEf"
    salt-key     = "arn:aws:ssm:eu-central-1:123456789012:parameter/analytics/salt-key"
    subject-key  = "arn:aws:ssm:eu-central-1:123456789012:parameter/analytics/subject-key"
  }
  subnet_ids         = ["subnet-1", "subnet-2"]
  security_group_ids = ["sg-1"]
}

run "all" {
  assert {
    condition     = length(aws_lambda_function.this) == 7
    error_message = "There are ${length(aws_lambda_function.this)} functions."
  }
  assert {
    condition     = toset(keys(aws_scheduler_schedule.this)) == toset(["aggregate", "schema-guard"])
    error_message = "The scheduled functions are ${join(", ", keys(aws_scheduler_schedule.this))}."
  }
  assert {
    condition     = length(setintersection(keys(aws_lambda_function_url.served), keys(aws_scheduler_schedule.this))) == 0
    error_message = "A scheduled function has a URL."
  }
  assert {
    condition     = alltrue([for url in aws_lambda_function_url.served : url.invoke_mode == "RESPONSE_STREAM"])
    error_message = "A function URL does not stream."
  }
  assert {
    condition     = aws_lambda_function.this["track"].environment[0].variables["SUBJECT_KEY_ARN"] == var.secrets["subject-key"]
    error_message = "The environment of track is ${jsonencode(aws_lambda_function.this["track"].environment[0].variables)}."
  }
  assert {
    condition     = alltrue([for function in aws_lambda_function.this : function.vpc_config[0].subnet_ids == toset(["subnet-1", "subnet-2"])])
    error_message = "A function is not in the VPC, where the database is."
  }
  assert {
    condition     = data.aws_iam_policy_document.function["track"].statement[1].actions == toset(["secretsmanager:GetSecretValue"]) && data.aws_iam_policy_document.function["track"].statement[3].actions == toset(["ssm:GetParameter"])
    error_message = "The policy of track is ${jsonencode(data.aws_iam_policy_document.function["track"].statement)}."
  }
  assert {
    condition     = alltrue([for behavior in concat(aws_cloudfront_distribution.front.default_cache_behavior, aws_cloudfront_distribution.front.ordered_cache_behavior) : behavior.response_headers_policy_id == aws_cloudfront_response_headers_policy.front.id])
    error_message = "A path of CloudFront lacks Strict-Transport-Security."
  }
  assert {
    condition     = alltrue([for origin in aws_cloudfront_distribution.front.origin : origin.domain_name == "abc.lambda-url.eu-central-1.on.aws"])
    error_message = "The origins of CloudFront are ${jsonencode(aws_cloudfront_distribution.front.origin)}."
  }
}

run "a_secret_itself" {
  command = plan
  variables {
    secrets = {
      admin-token  = "hunter2"
      database-url = "arn:aws:ssm:eu-central-1:123456789012:parameter/analytics/database-url"
      redis-url    = "arn:aws:ssm:eu-central-1:123456789012:parameter/analytics/redis-url"
      salt-key     = "arn:aws:ssm:eu-central-1:123456789012:parameter/analytics/salt-key"
      subject-key  = "arn:aws:ssm:eu-central-1:123456789012:parameter/analytics/subject-key"
    }
  }
  expect_failures = [var.secrets]
}

run "a_secret_is_missing" {
  command = plan
  variables {
    secrets = {
      admin-token = "arn:aws:ssm:eu-central-1:123456789012:parameter/analytics/admin-token"
    }
  }
  expect_failures = [var.secrets]
}
