// Command admin runs the function admin.
package main

import (
	"github.com/analytics-platform/analytics/functions/admin"
	"github.com/analytics-platform/analytics/shared/host"
)

func main() { host.Main("admin", admin.New) }
