package auth_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/moneykit/moneykit-go/auth"
)

func TestInsecureHTTP(t *testing.T) {
	t.Parallel()
	tokenURL := auth.WithTokenURL("http://auth.example:8042/auth/token")
	if src, err := auth.ClientCredentials("sandbox_1", "secret", tokenURL); src != nil || err == nil || !strings.Contains(err.Error(), "WithInsecureHTTP") {
		t.Errorf("without the option: %v, %v", src, err)
	}
	if src, err := auth.ClientCredentials("live_1", "secret", tokenURL, auth.WithInsecureHTTP()); src != nil || err == nil ||
		!strings.HasPrefix(err.Error(), "moneykit: auth: WithInsecureHTTP: the client ID begins with live_") {
		t.Errorf("live: %v, %v", src, err)
	}
	e := newEndpoint(t, issue())
	to := strings.TrimPrefix(e.URL, "http://")
	hc := &http.Client{Transport: transportFunc(func(r *http.Request) (*http.Response, error) {
		r.URL.Host = to
		return http.DefaultTransport.RoundTrip(r)
	})}
	src, err := auth.ClientCredentials("sandbox_1", "secret", tokenURL, auth.WithInsecureHTTP(), auth.WithHTTPClient(hc))
	if err != nil {
		t.Fatal(err)
	}
	if src.ClientID() != "sandbox_1" || auth.StaticToken("t").ClientID() != "" || (*auth.Source)(nil).ClientID() != "" {
		t.Errorf("client ID %q", src.ClientID())
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://auth.example:8042/link-session", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := src.RequestEditor(t.Context(), req); err != nil || req.Header.Get("Authorization") == "" {
		t.Errorf("the token is not on the request: %v", err)
	}
}
