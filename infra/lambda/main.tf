# All functions on AWS Lambda: see "AWS Lambda" in docs/deploy.md.
terraform {
  required_version = ">= 1.9"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.29" # for invoked_via_function_url
    }
  }
}

locals {
  # front.js sets X-Viewer-Address, and so overwrites the client's value.
  #
  # secrets: as in stack.yml, but for metrics-token, since Prometheus can't reach each process of a
  # function: /metrics is refused. schedule: how often EventBridge calls it; it then has no URL.
  # concurrency: maximum number of concurrent requests; -1 means no limit.
  functions = {
    track = {
      memory      = 512
      timeout     = 30
      schedule    = ""
      concurrency = -1
      secrets     = ["redis-url", "database-url", "salt-key", "subject-key"]
      environment = { TRUSTED_PROXY_HOPS = "1", TRUSTED_PROXY_HEADER = "X-Viewer-Address" }
    }
    aggregate = {
      memory      = 1769 # corresponds to one CPU
      timeout     = 60
      schedule    = "rate(1 minute)"
      concurrency = 2
      secrets     = ["redis-url", "database-url", "salt-key", "admin-token"]
      environment = { AGGREGATE_DEADLINE = "50s" }
    }
    query = {
      memory      = 1769
      timeout     = 900 # exports
      schedule    = ""
      concurrency = -1
      secrets     = ["database-url", "admin-token"]
      environment = { TRUSTED_PROXY_HOPS = "1", TRUSTED_PROXY_HEADER = "X-Viewer-Address" }
    }
    websocket-bridge = {
      memory      = 256
      timeout     = 900
      schedule    = ""
      concurrency = var.live_viewers # each viewer occupies one
      secrets     = ["redis-url", "database-url", "admin-token"]
      environment = { TRUSTED_PROXY_HOPS = "1", TRUSTED_PROXY_HEADER = "X-Viewer-Address" }
    }
    schema-guard = {
      memory      = 1024
      timeout     = 60
      schedule    = "rate(1 minute)"
      concurrency = 1
      secrets     = ["database-url", "admin-token"]
      environment = { SCHEMA_GUARD_DEADLINE = "50s" }
    }
    admin = {
      memory      = 256
      timeout     = 30
      schedule    = ""
      concurrency = -1
      secrets     = ["redis-url", "database-url", "admin-token"]
      environment = { TRUSTED_PROXY_HOPS = "1", TRUSTED_PROXY_HEADER = "X-Viewer-Address" }
    }
    dashboard = {
      memory      = 256
      timeout     = 30
      schedule    = ""
      concurrency = -1
      secrets     = ["database-url", "admin-token"]
      environment = { TRUSTED_PROXY_HOPS = "1", TRUSTED_PROXY_HEADER = "X-Viewer-Address" }
    }
  }
  scheduled = { for name, f in local.functions : name => f if f.schedule != "" }
  served    = { for name, f in local.functions : name => f if f.schedule == "" }
}

resource "aws_lambda_function" "this" {
  for_each = local.functions

  function_name                  = "${var.name}-${each.key}"
  role                           = aws_iam_role.function[each.key].arn
  filename                       = "${var.bundles}/${each.key}.zip"
  source_code_hash               = filebase64sha256("${var.bundles}/${each.key}.zip")
  runtime                        = "provided.al2023"
  handler                        = "bootstrap"
  architectures                  = [var.architecture]
  memory_size                    = each.value.memory
  timeout                        = each.value.timeout
  reserved_concurrent_executions = each.value.concurrency

  environment {
    variables = merge(each.value.environment, {
      # The ARNs of the secrets, not their values: the function reads those when it starts.
      for secret in each.value.secrets : "${upper(replace(secret, "-", "_"))}_ARN" => var.secrets[secret]
    })
  }

  vpc_config { # all of them need the database
    subnet_ids         = var.subnet_ids
    security_group_ids = var.security_group_ids
  }

  logging_config {
    log_format = "Text" # the lines are JSON already
    log_group  = aws_cloudwatch_log_group.function[each.key].name
  }

  depends_on = [aws_iam_role_policy.function]
}

resource "aws_cloudwatch_log_group" "function" {
  for_each = local.functions

  name              = "/aws/lambda/${var.name}-${each.key}"
  retention_in_days = var.log_days
}

# The functions authorize requests themselves.
resource "aws_lambda_function_url" "served" {
  for_each = local.served

  function_name      = aws_lambda_function.this[each.key].function_name
  authorization_type = "NONE"
  invoke_mode        = "RESPONSE_STREAM"
}

resource "aws_lambda_permission" "url" {
  for_each = local.served

  statement_id           = "AnyoneByURL"
  action                 = "lambda:InvokeFunctionUrl"
  function_name          = aws_lambda_function.this[each.key].function_name
  principal              = "*"
  function_url_auth_type = "NONE"
}

resource "aws_lambda_permission" "invoke" {
  for_each = local.served

  statement_id             = "AnyoneInvokesByURL"
  action                   = "lambda:InvokeFunction"
  function_name            = aws_lambda_function.this[each.key].function_name
  principal                = "*"
  invoked_via_function_url = true
}
