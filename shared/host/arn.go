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

// arnSuffix ends the variables that name a secret kept by AWS. On Lambda there are no
// files, and a value in the environment would stand in Lambda's configuration.
const arnSuffix = "_ARN"

const (
	// fetchTimeout bounds reading all secrets: a function on Lambda has ten seconds to
	// start.
	fetchTimeout = 5 * time.Second
	// fetchRetry is how soon AWS is asked again that was too busy, and then later.
	fetchRetry = 50 * time.Millisecond
	// maxSecret is how large an answer with a secret may be: AWS allows 64 kB.
	maxSecret = 128 << 10
)

// vault is one of the services of AWS that keep secrets.
type vault struct {
	service  string // as an ARN and a signature name it
	endpoint string // the variable that names another address, as AWS's own clients read it
	target   string // what is called
	request  func(name string) any
	value    func(answer []byte) (string, error)
}

func vaults() []vault {
	return []vault{{
		service: "secretsmanager", endpoint: "AWS_ENDPOINT_URL_SECRETS_MANAGER", target: "secretsmanager.GetSecretValue",
		request: func(name string) any { return map[string]any{"SecretId": name} },
		value: func(answer []byte) (string, error) {
			var a struct{ SecretString *string }
			err := json.Unmarshal(answer, &a)
			if err != nil || a.SecretString == nil {
				return "", errors.New("it is no text")
			}
			return *a.SecretString, nil
		},
	}, {
		service: "ssm", endpoint: "AWS_ENDPOINT_URL_SSM", target: "AmazonSSM.GetParameter",
		request: func(name string) any { return map[string]any{"Name": name, "WithDecryption": true} },
		value: func(answer []byte) (string, error) {
			var a struct{ Parameter struct{ Value *string } }
			err := json.Unmarshal(answer, &a)
			if err != nil || a.Parameter.Value == nil {
				return "", errors.New("it is no text")
			}
			return *a.Parameter.Value, nil
		},
	}}
}

// fetchSecrets reads the secrets that variables such as ADMIN_TOKEN_ARN name, at once, by
// those variables.
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
				return fmt.Errorf("%s: read a secret from %s: %w", variable, parsed.Service, err)
			}
			mu.Lock()
			defer mu.Unlock()
			fetched[variable] = strings.TrimRight(secret, "\r\n")
			return nil
		})
	}
	if err := all.Wait(); err != nil {
		return nil, err
	}
	return fetched, nil
}

// fetch reads one secret, with the credentials that Lambda puts into the environment.
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
		answer, again, err := send(r)
		if again {
			return retry.RetryableError(err)
		}
		if err != nil {
			return err
		}
		value, err = v.value(answer)
		return err
	})
	return value, err
}

// send returns the answer to a request to AWS, or an error and whether it is worth to try
// again.
func send(r *http.Request) (answer []byte, again bool, err error) {
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, true, errors.New(reason(err)) // without the address, which says nothing more
	}
	defer func() { _ = response.Body.Close() }()
	answer, err = io.ReadAll(io.LimitReader(response.Body, maxSecret))
	if err != nil {
		return nil, true, err
	}
	if response.StatusCode == http.StatusOK {
		return answer, false, nil
	}
	var refusal struct {
		Type    string `json:"__type"`
		Message string `json:"message"` // or Message, depending on the service
	}
	_ = json.Unmarshal(answer, &refusal) // what is no JSON says nothing
	kind := refusal.Type[strings.LastIndexByte(refusal.Type, '#')+1:]
	again = response.StatusCode >= http.StatusInternalServerError || response.StatusCode == http.StatusTooManyRequests || strings.HasPrefix(kind, "Throttling")
	return nil, again, fmt.Errorf("%s %s: %s", response.Status, kind, refusal.Message)
}
