// Command dashboard runs the function dashboard.
package main

import (
	"github.com/analytics-platform/analytics/functions/dashboard"
	"github.com/analytics-platform/analytics/shared/host"
)

func main() { host.Main("dashboard", dashboard.New) }
