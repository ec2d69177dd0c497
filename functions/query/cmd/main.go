// Command query runs the function query.
package main

import (
	"github.com/analytics-platform/analytics/functions/query"
	"github.com/analytics-platform/analytics/shared/host"
)

func main() { host.Main("query", query.New) }
