// Command local runs the whole platform on this machine, as `make run` does. It reads PORT,
// DATA_DIR, ADMIN_TOKEN, SUBJECT_KEY, DATABASE_URL and REDIS_URL; GATEWAY=openfaas makes its
// gateway treat requests as OpenFaaS does.
package main

import "github.com/analytics-platform/analytics/infra/local"

func main() { local.Main() }
