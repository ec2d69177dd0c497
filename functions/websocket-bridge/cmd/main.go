// Command websocket-bridge runs the function websocket-bridge.
package main

import (
	websocketbridge "github.com/analytics-platform/analytics/functions/websocket-bridge"
	"github.com/analytics-platform/analytics/shared/host"
)

func main() { host.Main("websocket-bridge", websocketbridge.New) }
