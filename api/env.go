package api

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/moneykit/moneykit-go/auth"
	"github.com/moneykit/moneykit-go/internal/transport"
)

// The variables that [FromEnv] reads.
const (
	EnvURL          = "MONEYKIT_URL"
	EnvClientID     = "MONEYKIT_CLIENT_ID"
	EnvClientSecret = "MONEYKIT_CLIENT_SECRET"
)

// FromEnv returns a Client for the API at MONEYKIT_URL, such as https://api.moneykit.com, which gets its tokens from
// that URL's /auth/token with MONEYKIT_CLIENT_ID and MONEYKIT_CLIENT_SECRET. All three are required, and the error
// names every one that is missing. opts come after the environment; the client of [WithHTTPClient] serves token
// requests too.
func FromEnv(opts ...Option) (*Client, error) {
	env := map[string]string{}
	var missing []string
	for _, name := range []string{EnvURL, EnvClientID, EnvClientSecret} {
		if env[name] = strings.TrimSpace(os.Getenv(name)); env[name] == "" {
			missing = append(missing, name)
		}
	}
	if missing != nil {
		return nil, errors.New("api: set the environment variable(s) " + strings.Join(missing, ", "))
	}
	if _, err := transport.ParseURL(EnvURL, env[EnvURL]); err != nil {
		return nil, fmt.Errorf("api: %w", err)
	}
	o, err := apply(env[EnvURL], opts)
	if err != nil {
		return nil, err
	}
	tokenURL := withSlash(env[EnvURL]) + "auth/token"
	sourceOpts := []auth.Option{auth.WithTokenURL(tokenURL)}
	if o.http != nil {
		sourceOpts = append(sourceOpts, auth.WithHTTPClient(o.http))
	}
	source, err := auth.ClientCredentials(env[EnvClientID], env[EnvClientSecret], sourceOpts...)
	if err != nil {
		return nil, fmt.Errorf("api: from the environment: %w", err)
	}
	return o.build(source)
}
