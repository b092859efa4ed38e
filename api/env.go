package api

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/moneykit/moneykit-go/internal/transport"
)

// The variables that [FromEnv] reads.
const (
	EnvURL          = "MONEYKIT_URL"
	EnvClientID     = "MONEYKIT_CLIENT_ID"
	EnvClientSecret = "MONEYKIT_CLIENT_SECRET"
)

// FromEnv is [FromCredentials] with MONEYKIT_CLIENT_ID and MONEYKIT_CLIENT_SECRET, and with MONEYKIT_URL as the base URL,
// https://api.moneykit.com if it is not set. The error names every variable that is missing. opts take precedence over
// MONEYKIT_URL.
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
	if baseURL := strings.TrimSpace(os.Getenv(EnvURL)); baseURL != "" {
		if _, err := transport.ParseURL(EnvURL, baseURL); err != nil {
			return nil, fmt.Errorf("moneykit: api: %w", err)
		}
		opts = append([]Option{WithBaseURL(baseURL)}, opts...)
	}
	return FromCredentials(id, secret, opts...)
}
