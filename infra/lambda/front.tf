# One host for all functions, at /function/NAME/ as on all platforms: the dashboard calls the
# other functions there, and one domain suffices.
resource "aws_cloudfront_function" "front" {
  name    = "${var.name}-front"
  runtime = "cloudfront-js-2.0"
  publish = true
  code    = file("${path.module}/front.js")
}

locals {
  methods = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]
  # CloudFront's managed policies: CachingDisabled, and AllViewerExceptHostHeader, since a
  # function URL accepts only its own host name.
  no_cache = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
  all_else = "b689b0a8-53d0-40ab-baf2-68738e2966ac"
}

# Browsers use HTTPS for this host for a year, whatever links say.
resource "aws_cloudfront_response_headers_policy" "front" {
  name = "${var.name}-front"
  security_headers_config {
    strict_transport_security {
      access_control_max_age_sec = 31536000
      override                   = true
    }
  }
}

resource "aws_cloudfront_distribution" "front" {
  comment         = var.name
  enabled         = true
  is_ipv6_enabled = true
  http_version    = "http2and3"
  aliases         = var.domains

  dynamic "origin" {
    for_each = local.served
    content {
      origin_id   = origin.key
      domain_name = trimsuffix(trimprefix(aws_lambda_function_url.served[origin.key].function_url, "https://"), "/")
      custom_origin_config {
        http_port              = 80
        https_port             = 443
        origin_protocol_policy = "https-only"
        origin_ssl_protocols   = ["TLSv1.2"]
        origin_read_timeout    = 60
      }
    }
  }

  default_cache_behavior {
    target_origin_id           = "dashboard"
    viewer_protocol_policy     = "redirect-to-https"
    allowed_methods            = local.methods
    cached_methods             = ["GET", "HEAD"]
    cache_policy_id            = local.no_cache
    origin_request_policy_id   = local.all_else
    response_headers_policy_id = aws_cloudfront_response_headers_policy.front.id
    function_association {
      event_type   = "viewer-request"
      function_arn = aws_cloudfront_function.front.arn
    }
  }

  dynamic "ordered_cache_behavior" {
    for_each = local.served
    content {
      path_pattern               = "/function/${ordered_cache_behavior.key}*"
      target_origin_id           = ordered_cache_behavior.key
      viewer_protocol_policy     = "redirect-to-https"
      allowed_methods            = local.methods
      cached_methods             = ["GET", "HEAD"]
      cache_policy_id            = local.no_cache
      origin_request_policy_id   = local.all_else
      response_headers_policy_id = aws_cloudfront_response_headers_policy.front.id
      function_association {
        event_type   = "viewer-request"
        function_arn = aws_cloudfront_function.front.arn
      }
    }
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }

  viewer_certificate {
    cloudfront_default_certificate = var.certificate_arn == null
    acm_certificate_arn            = var.certificate_arn
    minimum_protocol_version       = var.certificate_arn == null ? "TLSv1" : "TLSv1.2_2021"
    ssl_support_method             = var.certificate_arn == null ? null : "sni-only"
  }
}

output "url" {
  description = "URL of the dashboard; the functions are below it at /function/NAME/."
  value       = "https://${length(var.domains) > 0 ? var.domains[0] : aws_cloudfront_distribution.front.domain_name}"
}
