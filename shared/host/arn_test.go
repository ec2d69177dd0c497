package host_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	tokenARN   = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:admin-token-AbCdEf"
	pinARN     = "arn:aws:ssm:eu-west-1:123456789012:parameter/analytics/pin"
	refusedARN = "arn:aws:ssm:eu-west-1:123456789012:parameter/analytics/other"
)

// vaults is a fake of Secrets Manager and SSM after their documentation. It throttles the
// first call.
func vaults(t *testing.T) (address string, calls *atomic.Int64) {
	t.Helper()
	calls = new(atomic.Int64)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) == 1 {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprint(w, `{"__type":"ThrottlingException","message":"Rate exceeded"}`)
			return
		}
		var body map[string]any
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || r.Method != http.MethodPost || r.URL.Path != "/" || r.Header.Get("Content-Type") != "application/x-amz-json-1.1" {
			t.Errorf("%s %s %v: %v", r.Method, r.URL, r.Header, err)
		}
		signed := func(service, region string) {
			got := r.Header.Get("Authorization")
			for _, part := range []string{
				"AWS4-HMAC-SHA256 Credential=key-id/", "/" + region + "/" + service + "/aws4_request", "x-amz-security-token;x-amz-target", "Signature=",
			} {
				if !strings.Contains(got, part) {
					t.Errorf("the signature %q lacks %q", got, part)
				}
			}
			if r.Header.Get("X-Amz-Security-Token") != "session" {
				t.Error("no session token")
			}
		}
		switch target := r.Header.Get("X-Amz-Target"); {
		case target == "secretsmanager.GetSecretValue" && body["SecretId"] == tokenARN:
			signed("secretsmanager", "eu-central-1")
			_, _ = fmt.Fprint(w, `{"Name":"admin-token","SecretString":"from a vault\n"}`)
		case target == "AmazonSSM.GetParameter" && body["Name"] == pinARN && body["WithDecryption"] == true:
			signed("ssm", "eu-west-1")
			_, _ = fmt.Fprint(w, `{"Parameter":{"Name":"/analytics/pin","Value":"1234"}}`)
		default:
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprint(w, `{"__type":"com.amazonaws#AccessDeniedException","Message":"not authorized"}`)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, calls
}

type vaultConfig struct {
	Token string `env:"ADMIN_TOKEN,secret,required"`
	Pin   int    `env:"PIN,secret"`
}

func TestAWSSecrets(t *testing.T) {
	t.Parallel()
	address, calls := vaults(t)
	process := newProcess(t, map[string]string{
		"AWS_ENDPOINT_URL_SECRETS_MANAGER": address, "AWS_ENDPOINT_URL_SSM": address + "/",
		"AWS_ACCESS_KEY_ID": "key-id", "AWS_SECRET_ACCESS_KEY": "key", "AWS_SESSION_TOKEN": "session",
		"ADMIN_TOKEN_ARN": tokenARN, "PIN_ARN": pinARN, "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/none-of-ours",
	})
	for range 2 {
		var got vaultConfig
		if err := process.Env("test").Parse(&got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(vaultConfig{"from a vault", 1234}, got); diff != "" {
			t.Error(diff)
		}
	}
	if n := calls.Load(); n != 3 {
		t.Errorf("got %d calls, want one for each secret and one retry", n)
	}
}

func TestAWSSecretErrors(t *testing.T) {
	t.Parallel()
	address, _ := vaults(t)
	tests := map[string]struct {
		variables map[string]string
		want      string
	}{
		"refused": {
			map[string]string{"ADMIN_TOKEN_ARN": refusedARN},
			"ADMIN_TOKEN_ARN: read secret from ssm: 400 Bad Request AccessDeniedException: not authorized",
		},
		"not an ARN": {
			map[string]string{"ADMIN_TOKEN_ARN": "admin-token"},
			`ADMIN_TOKEN_ARN: "admin-token" is not the ARN of a secret of Secrets Manager or a parameter of SSM`,
		},
		"set twice": {
			map[string]string{"ADMIN_TOKEN_ARN": tokenARN, "ADMIN_TOKEN": "secret"},
			"ADMIN_TOKEN and ADMIN_TOKEN_ARN are both set: keep one of them",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.variables["AWS_ENDPOINT_URL"] = address
			test.variables["AWS_ACCESS_KEY_ID"], test.variables["AWS_SECRET_ACCESS_KEY"] = "key-id", "key"
			var got vaultConfig
			err := newProcess(t, test.variables).Env("test").Parse(&got)
			if err == nil || err.Error() != test.want {
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
}

// TestAWSSecretsUnused checks that AWS is not called if no secret is stored there.
func TestAWSSecretsUnused(t *testing.T) {
	t.Parallel()
	address, calls := vaults(t)
	var got vaultConfig
	err := newProcess(t, map[string]string{"AWS_ENDPOINT_URL": address, "ADMIN_TOKEN": "a", "OTHER_ARN": tokenARN}).Env("test").Parse(&got)
	if err != nil || calls.Load() != 0 {
		t.Errorf("got error %v and %d calls, want no calls", err, calls.Load())
	}
}
