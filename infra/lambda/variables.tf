variable "name" {
  description = "Prefix of the names of all resources."
  type        = string
  default     = "analytics"
}

variable "secrets" {
  description = "ARN of each secret in Secrets Manager, or of each SecureString parameter in SSM. Terraform never sees their values."
  type        = map(string)

  validation {
    condition     = length(setsubtract(["admin-token", "database-url", "redis-url", "salt-key", "subject-key"], keys(var.secrets))) == 0
    error_message = "Set admin-token, database-url, redis-url, salt-key and subject-key."
  }
  validation {
    condition     = alltrue([for arn in values(var.secrets) : can(regex("^arn:[^:]+:(secretsmanager|ssm):[^:]+:[0-9]+:(secret:|parameter/)", arn))])
    error_message = "Each must be the ARN of a secret in Secrets Manager or of a parameter in SSM, not the secret itself."
  }
}

variable "secret_key_arns" {
  description = "KMS keys that encrypt the secrets, other than the account's default key."
  type        = list(string)
  default     = []
}

variable "subnet_ids" {
  description = "Private subnets with access to PostgreSQL, Redis and the service that stores the secrets."
  type        = list(string)
}

variable "security_group_ids" {
  description = "Security groups with access to PostgreSQL and Redis."
  type        = list(string)
}

variable "bundles" {
  description = "Output directory of `make lambda`."
  type        = string
  default     = "../../bin/lambda"
}

variable "architecture" {
  description = "Architecture of the programs: arm64 or x86_64."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "Use arm64 or x86_64."
  }
}

variable "live_viewers" {
  description = "Maximum number of concurrent viewers of live numbers; each occupies one Lambda instance."
  type        = number
  default     = 20
}

variable "log_days" {
  description = "Retention of logs in days."
  type        = number
  default     = 30
}

variable "domains" {
  description = "Host names of the installation, such as stats.example.com. The default is CloudFront's host name."
  type        = list(string)
  default     = []
}

variable "certificate_arn" {
  description = "ARN of the certificate for these names, in ACM in us-east-1."
  type        = string
  default     = null
}
