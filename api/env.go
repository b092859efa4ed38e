package api

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
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
	id, secret := strings.TrimSpace(os.Getenv(EnvClientID)), strings.TrimSpace(os.Getenv(EnvClientSecret))
	var missing []string
	if id == "" {
		missing = append(missing, EnvClientID)
	}
	if secret == "" {
		missing = append(missing, EnvClientSecret)
	}
	if missing != nil {
		return nil, errors.New("moneykit: api: set the environment variable(s) " + strings.Join(missing, ", "))
	}
	var fromEnv []Option
	if baseURL := strings.TrimSpace(os.Getenv(EnvURL)); baseURL != "" {
		fromEnv = append(fromEnv, withBaseURL(EnvURL, baseURL))
	}
	if value := strings.TrimSpace(os.Getenv(EnvInsecureHTTP)); value != "" {
		insecure, err := strconv.ParseBool(value)
		if err != nil {
			return nil, fmt.Errorf("moneykit: api: %s is %q; want 1 or 0", EnvInsecureHTTP, value)
		}
		if insecure {
			fromEnv = append(fromEnv, WithInsecureHTTP())
		}
	}
	return FromCredentials(id, secret, append(fromEnv, opts...)...)
}
