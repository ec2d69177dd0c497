// Command aggregate runs the function aggregate.
package main

import (
	"github.com/analytics-platform/analytics/functions/aggregate"
	"github.com/analytics-platform/analytics/shared/host"
)

func main() { host.Main("aggregate", aggregate.New) }
