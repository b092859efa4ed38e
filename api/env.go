package api

import (
	"errors"
	"fmt"
	"strings"

	"github.com/moneykit/moneykit-go/internal/transport"
)

// The variables that [FromEnv] reads.
const (
	EnvURL          = "MONEYKIT_URL"
	EnvClientID     = "MONEYKIT_CLIENT_ID"
	EnvClientSecret = "MONEYKIT_CLIENT_SECRET"
	EnvInsecureHTTP = "MONEYKIT_INSECURE_HTTP"
)

// FromEnv is [FromCredentials] with MONEYKIT_CLIENT_ID and MONEYKIT_CLIENT_SECRET, and with MONEYKIT_URL as the base URL,
// https://api.moneykit.com if it is not set. MONEYKIT_INSECURE_HTTP=1 is [WithInsecureHTTP]. The error names every variable
// that is missing. opts take precedence over MONEYKIT_URL.
func FromEnv(opts ...Option) (*Client, error) {
	env, err := transport.ReadEnv()
	if err != nil {
		return nil, fmt.Errorf("moneykit: api: %w", err)
	}
	var missing []string
	if env.ClientID == "" {
		missing = append(missing, EnvClientID)
	}
	if env.ClientSecret == "" {
		missing = append(missing, EnvClientSecret)
	}
	if missing != nil {
		return nil, errors.New("moneykit: api: set the environment variable(s) " + strings.Join(missing, ", "))
	}
	var fromEnv []Option
	if env.URL != "" {
		fromEnv = append(fromEnv, withBaseURL(EnvURL, env.URL))
	}
	if env.InsecureHTTP {
		fromEnv = append(fromEnv, WithInsecureHTTP())
	}
	return FromCredentials(env.ClientID, env.ClientSecret, append(fromEnv, opts...)...)
}
