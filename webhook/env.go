package webhook

import (
	"fmt"

	"github.com/moneykit/moneykit-go/internal/transport"
)

// FromEnv is [NewVerifier] with the variables of [github.com/moneykit/moneykit-go/api.FromEnv], all optional: MONEYKIT_URL is
// [WithBaseURL], MONEYKIT_CLIENT_ID is [WithClientID], and MONEYKIT_INSECURE_HTTP=1 is [WithInsecureHTTP]. opts take
// precedence.
func FromEnv(opts ...Option) (*Verifier, error) {
	env, err := transport.ReadEnv()
	if err != nil {
		return nil, fmt.Errorf("moneykit: webhook: %w", err)
	}
	var fromEnv []Option
	if env.URL != "" {
		fromEnv = append(fromEnv, withBaseURL("MONEYKIT_URL", env.URL))
	}
	if env.ClientID != "" {
		fromEnv = append(fromEnv, WithClientID(env.ClientID))
	}
	if env.InsecureHTTP {
		fromEnv = append(fromEnv, WithInsecureHTTP())
	}
	return NewVerifier(append(fromEnv, opts...)...)
}
