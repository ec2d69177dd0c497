package query

import (
	"context"

	"github.com/analytics-platform/analytics/shared/host"
	"github.com/analytics-platform/analytics/shared/query/admission"
)

// WithLimits is New with other limits, for tests: a slow machine must not reach those on
// time, and those on rows take millions of them.
func WithLimits(limits admission.Limits) func(context.Context, *host.Env) (*host.Function, error) {
	return func(ctx context.Context, env *host.Env) (*host.Function, error) {
		return build(ctx, env, func(int) admission.Limits { return limits })
	}
}
