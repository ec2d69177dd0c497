package host

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/sethvargo/go-retry"
	"golang.org/x/sync/errgroup"
)

// arnSuffix is the suffix of variables with the ARN of a secret. Lambda has no files for
// secrets, and the values of its environment variables are visible in its configuration.
const arnSuffix = "_ARN"

const (
	// fetchTimeout is the time limit for reading all secrets. A function on Lambda must
	// start within ten seconds.
	fetchTimeout = 5 * time.Second
	// fetchRetry is the initial delay before a request is retried.
	fetchRetry = 50 * time.Millisecond
	// maxSecret is the maximum size of a response in bytes. A secret has at most 64 kB.
	maxSecret = 128 << 10
)

// vault is an AWS service that stores secrets.
type vault struct {
	service  string // name in ARNs and signatures
	endpoint string // variable that overrides the endpoint, as in the AWS SDKs
	target   string // name of the operation
	request  func(name string) any
	value    func(response []byte) (string, error)
}

func vaults() []vault {
	return []vault{{
		service: "secretsmanager", endpoint: "AWS_ENDPOINT_URL_SECRETS_MANAGER", target: "secretsmanager.GetSecretValue",
		request: func(name string) any { return map[string]any{"SecretId": name} },
		value: func(response []byte) (string, error) {
			var a struct{ SecretString *string }
			err := json.Unmarshal(response, &a)
			if err != nil || a.SecretString == nil {
				return "", errors.New("the secret is not text")
			}
			return *a.SecretString, nil
		},
	}, {
		service: "ssm", endpoint: "AWS_ENDPOINT_URL_SSM", target: "AmazonSSM.GetParameter",
		request: func(name string) any { return map[string]any{"Name": name, "WithDecryption": true} },
		value: func(response []byte) (string, error) {
			var a struct{ Parameter struct{ Value *string } }
			err := json.Unmarshal(response, &a)
			if err != nil || a.Parameter.Value == nil {
				return "", errors.New("the secret is not text")
			}
			return *a.Parameter.Value, nil
		},
	}}
}

// fetchSecrets reads the secrets to which variables such as ADMIN_TOKEN_ARN refer, all at
// the same time. It returns them by the name of the variable.
func fetchSecrets(variables map[string]string) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	var (
		all     errgroup.Group
		mu      sync.Mutex
		fetched = map[string]string{}
	)
	for variable, value := range variables {
		if !strings.HasSuffix(variable, arnSuffix) {
			continue
		}
		parsed, err := arn.Parse(value)
		at := slices.IndexFunc(vaults(), func(v vault) bool { return v.service == parsed.Service })
		if err != nil || at < 0 || parsed.Region == "" {
			continue // an ARN of something else, such as AWS_ROLE_ARN
		}
		all.Go(func() error {
			secret, err := vaults()[at].fetch(ctx, variables, parsed.Region, value)
			if err != nil {
				return fmt.Errorf("%s: read secret from %s: %w", variable, parsed.Service, err)
			}
			mu.Lock()
			defer mu.Unlock()
			fetched[variable] = strings.TrimSpace(secret)
			return nil
		})
	}
	if err := all.Wait(); err != nil {
		return nil, err
	}
	return fetched, nil
}

// fetch reads a secret with the credentials that Lambda sets in the environment.
func (v vault) fetch(ctx context.Context, variables map[string]string, region, name string) (value string, err error) {
	body, err := json.Marshal(v.request(name))
	if err != nil {
		return "", err
	}
	domain := "amazonaws.com"
	if strings.HasPrefix(region, "cn-") {
		domain += ".cn"
	}
	endpoint := cmp.Or(variables[v.endpoint], variables["AWS_ENDPOINT_URL"], "https://"+v.service+"."+region+"."+domain)
	credentials := aws.Credentials{
		AccessKeyID: variables["AWS_ACCESS_KEY_ID"], SecretAccessKey: variables["AWS_SECRET_ACCESS_KEY"],
		SessionToken: variables["AWS_SESSION_TOKEN"],
	}
	err = retry.Do(ctx, retry.NewExponential(fetchRetry), func(ctx context.Context) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(endpoint, "/")+"/", bytes.NewReader(body))
		if err != nil {
			return err
		}
		r.Header.Set("Content-Type", "application/x-amz-json-1.1")
		r.Header.Set("X-Amz-Target", v.target)
		hash := sha256.Sum256(body)
		if err := v4.NewSigner().SignHTTP(ctx, credentials, r, hex.EncodeToString(hash[:]), v.service, region, time.Now()); err != nil {
			return err
		}
		response, temporary, err := send(r)
		if temporary {
			return retry.RetryableError(err)
		}
		if err != nil {
			return err
		}
		value, err = v.value(response)
		return err
	})
	return value, err
}

// send returns the body of the response to a request, or an error and whether it is
// temporary.
func send(r *http.Request) (body []byte, temporary bool, err error) {
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, true, errors.New(reason(err)) // without the URL
	}
	defer func() { _ = response.Body.Close() }()
	body, err = io.ReadAll(io.LimitReader(response.Body, maxSecret))
	if err != nil {
		return nil, true, err
	}
	if response.StatusCode == http.StatusOK {
		return body, false, nil
	}
	var failure struct {
		Type    string `json:"__type"`
		Message string `json:"message"` // or Message, depending on the service
	}
	_ = json.Unmarshal(body, &failure) // leave it empty if the body is not JSON
	kind := failure.Type[strings.LastIndexByte(failure.Type, '#')+1:]
	temporary = response.StatusCode >= http.StatusInternalServerError || response.StatusCode == http.StatusTooManyRequests || strings.HasPrefix(kind, "Throttling")
	return nil, temporary, fmt.Errorf("%s %s: %s", response.Status, kind, failure.Message)
}
