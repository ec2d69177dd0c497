package local

import "testing"

func TestLimitConnections(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"postgres://localhost/analytics":                    "postgres://localhost/analytics?pool_max_conns=12",
		"postgres:///analytics?host=%2Frun%2Fpostgresql":    "postgres:///analytics?host=%2Frun%2Fpostgresql&pool_max_conns=12",
		"postgres://localhost/analytics?pool_max_conns=100": "postgres://localhost/analytics?pool_max_conns=100",
		"host=localhost dbname=analytics":                   "host=localhost dbname=analytics",
	} {
		if got := limitConnections(address); got != want {
			t.Errorf("%s: got %s", address, got)
		}
	}
}
