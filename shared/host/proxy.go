package host

import (
	"fmt"

	"github.com/analytics-platform/analytics/shared/edge/source"
	"github.com/analytics-platform/analytics/shared/privacy"
)

// proxies are the variables that say how requests reach a function.
type proxies struct {
	TrustedHops int    `env:"TRUSTED_PROXY_HOPS" envDefault:"0" envDoc:"number of trusted reverse proxies in front of the function; 1 behind an OpenFaaS gateway, 2 on Knative"`
	TrustedName string `env:"TRUSTED_PROXY_HEADER" envDefault:"X-Forwarded-For" envDoc:"header in which the trusted proxies send the client's address: X-Forwarded-For, Forwarded, or one with a single address such as CF-Connecting-IP"`
}

// Proxies returns the reverse proxies in front of the function, which name the clients of
// requests.
func (e *Env) Proxies() (privacy.Proxies, error) {
	var config proxies
	if err := e.Parse(&config); err != nil {
		return privacy.Proxies{}, err
	}
	trusted, err := privacy.TrustProxies(config.TrustedHops, config.TrustedName)
	if err != nil {
		return privacy.Proxies{}, fmt.Errorf("TRUSTED_PROXY_HOPS, TRUSTED_PROXY_HEADER: %w", err)
	}
	return trusted, nil
}

// Sources returns what tells the clients of the function apart.
func (e *Env) Sources() (*source.Sources, error) {
	trusted, err := e.Proxies()
	if err != nil {
		return nil, err
	}
	return source.New(trusted), nil
}
