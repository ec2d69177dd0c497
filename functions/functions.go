// Package functions knows all functions of the platform, for what runs several of
// them or any one of them: `make run` and Knative's build. A deployed function
// must never import it, lest every image has all of them.
package functions

import (
	"github.com/analytics-platform/analytics/functions/admin"
	"github.com/analytics-platform/analytics/functions/aggregate"
	"github.com/analytics-platform/analytics/functions/dashboard"
	"github.com/analytics-platform/analytics/functions/query"
	schemaguard "github.com/analytics-platform/analytics/functions/schema-guard"
	"github.com/analytics-platform/analytics/functions/track"
	websocketbridge "github.com/analytics-platform/analytics/functions/websocket-bridge"
	"github.com/analytics-platform/analytics/shared/host"
)

// Function is one function of the platform.
type Function struct {
	// Name is that of its folder, and of its URLs: /function/<Name>/.
	Name string
	// New builds it.
	New host.New
	// Schedule is the cron expression by which a platform must POST / to it; empty
	// when it only answers.
	Schedule string
}

// everyMinute is as often as cron can call.
const everyMinute = "* * * * *"

// All returns the functions in the order in which they can be started on an empty
// database: schema-guard makes the tables that the others want.
func All() []Function {
	return []Function{
		{Name: "schema-guard", New: schemaguard.New, Schedule: everyMinute},
		{Name: "admin", New: admin.New},
		{Name: "track", New: track.New},
		{Name: "aggregate", New: aggregate.New, Schedule: everyMinute},
		{Name: "query", New: query.New},
		{Name: "websocket-bridge", New: websocketbridge.New},
		{Name: "dashboard", New: dashboard.New},
	}
}

// Find returns the function of that name.
func Find(name string) (Function, bool) {
	for _, f := range All() {
		if f.Name == name {
			return f, true
		}
	}
	return Function{}, false
}
