// Command local runs the whole platform on this machine, as `make run` does. PORT,
// DATA_DIR, ADMIN_TOKEN, SUBJECT_KEY, DATABASE_URL and REDIS_URL can be set, and
// GATEWAY=openfaas has requests pass as through OpenFaaS.
package main

import "github.com/analytics-platform/analytics/infra/local"

func main() { local.Main() }
