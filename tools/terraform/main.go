// Command terraform-provider-aws is a stand-in for Terraform's AWS provider, which must be
// downloaded from a registry. It has the schemas of the resources in infra/lambda, from the
// provider's documentation, and does nothing. This suffices for `terraform validate`, and for
// `terraform test`, which plans with a mock. It does not check values.
package main

import (
	"context"
	"log"
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tfprotov5"
	"github.com/hashicorp/terraform-plugin-go/tfprotov5/tf5server"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

func main() {
	err := tf5server.Serve("registry.terraform.io/hashicorp/aws", func() tfprotov5.ProviderServer { return provider{} })
	if err != nil {
		log.Fatal(err)
	}
}

// block is the schema of a block. attributes are names: "name!" is required, "name" is
// optional, and "name<" is computed. They are strings, except those in others.
type block struct {
	attributes string
	others     map[string]tftypes.Type
	blocks     map[string]block // repeatable
}

func resources() map[string]block {
	texts, list, table := tftypes.Set{ElementType: tftypes.String}, tftypes.List{ElementType: tftypes.String}, tftypes.Map{ElementType: tftypes.String}
	number, truth := tftypes.Number, tftypes.Bool
	behavior := block{
		attributes: "target_origin_id! viewer_protocol_policy! allowed_methods! cached_methods! cache_policy_id origin_request_policy_id response_headers_policy_id compress",
		others:     map[string]tftypes.Type{"allowed_methods": texts, "cached_methods": texts, "compress": truth},
		blocks:     map[string]block{"function_association": {attributes: "event_type! function_arn!"}},
	}
	ordered := behavior
	ordered.attributes += " path_pattern!"
	return map[string]block{
		"aws_lambda_function": {
			attributes: "id< arn< function_name! role! filename source_code_hash runtime handler architectures memory_size timeout reserved_concurrent_executions description",
			others:     map[string]tftypes.Type{"architectures": list, "memory_size": number, "timeout": number, "reserved_concurrent_executions": number},
			blocks: map[string]block{
				"environment":    {attributes: "variables", others: map[string]tftypes.Type{"variables": table}},
				"vpc_config":     {attributes: "subnet_ids! security_group_ids! vpc_id<", others: map[string]tftypes.Type{"subnet_ids": texts, "security_group_ids": texts}},
				"logging_config": {attributes: "log_format! log_group application_log_level system_log_level"},
			},
		},
		"aws_cloudwatch_log_group": {attributes: "id< arn< name retention_in_days kms_key_id", others: map[string]tftypes.Type{"retention_in_days": number}},
		"aws_lambda_function_url":  {attributes: "id< function_url< url_id< function_arn< function_name! authorization_type! invoke_mode qualifier"},
		"aws_lambda_permission": {
			attributes: "id< statement_id action! function_name! principal! function_url_auth_type source_arn source_account invoked_via_function_url",
			others:     map[string]tftypes.Type{"invoked_via_function_url": truth},
		},
		"aws_iam_role":        {attributes: "id< arn< name assume_role_policy! description permissions_boundary"},
		"aws_iam_role_policy": {attributes: "id< name role! policy!"},
		"aws_scheduler_schedule": {
			attributes: "id< arn< name group_name schedule_expression! schedule_expression_timezone state description",
			blocks: map[string]block{
				"flexible_time_window": {attributes: "mode! maximum_window_in_minutes", others: map[string]tftypes.Type{"maximum_window_in_minutes": number}},
				"target": {
					attributes: "arn! role_arn! input",
					blocks: map[string]block{
						"retry_policy": {
							attributes: "maximum_retry_attempts maximum_event_age_in_seconds",
							others:     map[string]tftypes.Type{"maximum_retry_attempts": number, "maximum_event_age_in_seconds": number},
						},
						"dead_letter_config": {attributes: "arn!"},
					},
				},
			},
		},
		"aws_lambda_function_event_invoke_config": {
			attributes: "id< function_name! qualifier maximum_retry_attempts maximum_event_age_in_seconds",
			others:     map[string]tftypes.Type{"maximum_retry_attempts": number, "maximum_event_age_in_seconds": number},
		},
		"aws_cloudfront_function": {attributes: "id< arn< etag< status< name! runtime! code! publish comment", others: map[string]tftypes.Type{"publish": truth}},
		"aws_cloudfront_response_headers_policy": {
			attributes: "id< arn< etag< name! comment",
			blocks: map[string]block{"security_headers_config": {blocks: map[string]block{"strict_transport_security": {
				attributes: "access_control_max_age_sec! override! include_subdomains preload",
				others:     map[string]tftypes.Type{"access_control_max_age_sec": number, "override": truth, "include_subdomains": truth, "preload": truth},
			}}}},
		},
		"aws_cloudfront_distribution": {
			attributes: "id< arn< domain_name< hosted_zone_id< comment enabled! is_ipv6_enabled http_version price_class aliases web_acl_id default_root_object",
			others:     map[string]tftypes.Type{"enabled": truth, "is_ipv6_enabled": truth, "aliases": texts},
			blocks: map[string]block{
				"origin": {
					attributes: "origin_id! domain_name! origin_path",
					blocks: map[string]block{"custom_origin_config": {
						attributes: "http_port! https_port! origin_protocol_policy! origin_ssl_protocols! origin_read_timeout origin_keepalive_timeout",
						others:     map[string]tftypes.Type{"http_port": number, "https_port": number, "origin_ssl_protocols": texts, "origin_read_timeout": number, "origin_keepalive_timeout": number},
					}},
				},
				"default_cache_behavior": behavior,
				"ordered_cache_behavior": ordered,
				"restrictions":           {blocks: map[string]block{"geo_restriction": {attributes: "restriction_type! locations", others: map[string]tftypes.Type{"locations": texts}}}},
				"viewer_certificate": {
					attributes: "cloudfront_default_certificate acm_certificate_arn minimum_protocol_version ssl_support_method iam_certificate_id",
					others:     map[string]tftypes.Type{"cloudfront_default_certificate": truth},
				},
			},
		},
	}
}

func dataSources() map[string]block {
	texts, list := tftypes.Set{ElementType: tftypes.String}, tftypes.List{ElementType: tftypes.String}
	return map[string]block{
		"aws_iam_policy_document": {
			attributes: "id< json< minified_json< policy_id version",
			blocks: map[string]block{"statement": {
				attributes: "sid effect actions not_actions resources not_resources",
				others:     map[string]tftypes.Type{"actions": texts, "not_actions": texts, "resources": texts, "not_resources": texts},
				blocks: map[string]block{
					"principals": {attributes: "type! identifiers!", others: map[string]tftypes.Type{"identifiers": texts}},
					"condition":  {attributes: "test! variable! values!", others: map[string]tftypes.Type{"values": list}},
				},
			}},
		},
	}
}

func (b block) schema() *tfprotov5.SchemaBlock {
	s := new(tfprotov5.SchemaBlock)
	for name := range strings.FieldsSeq(b.attributes) {
		plain := strings.TrimRight(name, "!<")
		a := &tfprotov5.SchemaAttribute{Name: plain, Type: tftypes.String}
		if other, ok := b.others[plain]; ok {
			a.Type = other
		}
		a.Required, a.Computed = strings.HasSuffix(name, "!"), strings.HasSuffix(name, "<")
		a.Optional = !a.Required && !a.Computed
		s.Attributes = append(s.Attributes, a)
	}
	for name, inner := range b.blocks {
		s.BlockTypes = append(s.BlockTypes, &tfprotov5.SchemaNestedBlock{
			TypeName: name, Block: inner.schema(), Nesting: tfprotov5.SchemaNestedBlockNestingModeList,
		})
	}
	return s
}

func schemas(blocks map[string]block) map[string]*tfprotov5.Schema {
	all := map[string]*tfprotov5.Schema{}
	for name, b := range blocks {
		all[name] = &tfprotov5.Schema{Block: b.schema()}
	}
	return all
}

// provider implements the calls that validating and planning need.
type provider struct{ tfprotov5.ProviderServer }

func (provider) GetMetadata(context.Context, *tfprotov5.GetMetadataRequest) (*tfprotov5.GetMetadataResponse, error) {
	return &tfprotov5.GetMetadataResponse{}, nil
}

func (provider) GetProviderSchema(context.Context, *tfprotov5.GetProviderSchemaRequest) (*tfprotov5.GetProviderSchemaResponse, error) {
	return &tfprotov5.GetProviderSchemaResponse{
		Provider:          &tfprotov5.Schema{Block: block{attributes: "region profile"}.schema()},
		ResourceSchemas:   schemas(resources()),
		DataSourceSchemas: schemas(dataSources()),
	}, nil
}

func (provider) PrepareProviderConfig(_ context.Context, r *tfprotov5.PrepareProviderConfigRequest) (*tfprotov5.PrepareProviderConfigResponse, error) {
	return &tfprotov5.PrepareProviderConfigResponse{PreparedConfig: r.Config}, nil
}

func (provider) ValidateResourceTypeConfig(context.Context, *tfprotov5.ValidateResourceTypeConfigRequest) (*tfprotov5.ValidateResourceTypeConfigResponse, error) {
	return &tfprotov5.ValidateResourceTypeConfigResponse{}, nil
}

func (provider) ValidateDataSourceConfig(context.Context, *tfprotov5.ValidateDataSourceConfigRequest) (*tfprotov5.ValidateDataSourceConfigResponse, error) {
	return &tfprotov5.ValidateDataSourceConfigResponse{}, nil
}

func (provider) ConfigureProvider(context.Context, *tfprotov5.ConfigureProviderRequest) (*tfprotov5.ConfigureProviderResponse, error) {
	return &tfprotov5.ConfigureProviderResponse{}, nil
}

func (provider) StopProvider(context.Context, *tfprotov5.StopProviderRequest) (*tfprotov5.StopProviderResponse, error) {
	return &tfprotov5.StopProviderResponse{}, nil
}
