// Package functions lists all functions of the platform, for programs that run several of
// them or an arbitrary one: `make run` and Knative's build. A deployed function must never
// import it, since its image would then contain all functions.
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

// Function is a function of the platform.
type Function struct {
	// Name is the name of its folder, also used in its URLs: /function/<Name>/.
	Name string
	// New builds the function.
	New host.New
	// Schedule is the cron expression for the platform's POST / to the function; empty for
	// functions without a schedule.
	Schedule string
}

// everyMinute is the shortest interval of cron.
const everyMinute = "* * * * *"

// All returns the functions in an order in which they can start on an empty database:
// schema-guard creates the tables that the others need.
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

// Find returns the named function.
func Find(name string) (Function, bool) {
	for _, f := range All() {
		if f.Name == name {
			return f, true
		}
	}
	return Function{}, false
}
