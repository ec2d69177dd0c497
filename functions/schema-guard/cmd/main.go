// Command schema-guard runs the function schema-guard.
package main

import (
	schemaguard "github.com/analytics-platform/analytics/functions/schema-guard"
	"github.com/analytics-platform/analytics/shared/host"
)

func main() { host.Main("schema-guard", schemaguard.New) }
