// Command track runs the function track.
package main

import (
	"github.com/analytics-platform/analytics/functions/track"
	"github.com/analytics-platform/analytics/shared/host"
)

func main() { host.Main("track", track.New) }
