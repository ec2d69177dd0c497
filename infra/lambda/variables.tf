variable "name" {
  description = "Begins the name of everything that is made."
  type        = string
  default     = "analytics"
}

variable "secrets" {
  description = "The ARN of each secret, of Secrets Manager or of a SecureString parameter of SSM. Their values never get here."
  type        = map(string)

  validation {
    condition     = length(setsubtract(["admin-token", "database-url", "redis-url", "subject-key"], keys(var.secrets))) == 0
    error_message = "There must be admin-token, database-url, redis-url and subject-key."
  }
  validation {
    condition     = alltrue([for arn in values(var.secrets) : can(regex("^arn:[^:]+:(secretsmanager|ssm):[^:]+:[0-9]+:(secret:|parameter/)", arn))])
    error_message = "Each must be the ARN of a secret of Secrets Manager or of a parameter of SSM, not the secret itself."
  }
}

variable "secret_key_arns" {
  description = "Keys of KMS that the secrets are encrypted with, other than the account's own."
  type        = list(string)
  default     = []
}

variable "subnet_ids" {
  description = "Private subnets, from which PostgreSQL, Redis and the service that keeps the secrets can be reached."
  type        = list(string)
}

variable "security_group_ids" {
  description = "Security groups that PostgreSQL and Redis let in."
  type        = list(string)
}

variable "bundles" {
  description = "The folder in which `make lambda` put the programs."
  type        = string
  default     = "../../bin/lambda"
}

variable "architecture" {
  description = "The processors that the programs were built for: arm64 or x86_64."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "Use arm64 or x86_64."
  }
}

variable "live_viewers" {
  description = "How many people may follow live numbers at once: each occupies one Lambda."
  type        = number
  default     = 20
}

variable "log_days" {
  description = "How long logs are kept."
  type        = number
  default     = 30
}

variable "domains" {
  description = "Host names of the installation, such as stats.example.com. Without any it has CloudFront's."
  type        = list(string)
  default     = []
}

variable "certificate_arn" {
  description = "The certificate for these names, of ACM in us-east-1."
  type        = string
  default     = null
}
