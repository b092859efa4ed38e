package webhooks

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestCheckHost(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		host    string
		allowed []string
		ok      bool
	}{
		{"localhost", nil, true}, {"127.0.0.1", nil, true}, {"app.internal", nil, true}, {"192.0.2.1", nil, true},
		{"yourdomain.com", nil, false}, {"YourDomain.com.", nil, false}, {"www.yourdomain.com", nil, false}, {"app.example", nil, false},
		{"notyourdomain.com", nil, true}, {"yourdomain.com", []string{"yourdomain.com"}, true},
		{"localhost", []string{}, true}, {"127.8.9.10", []string{}, true}, {"::1", []string{}, true},
		{"192.0.2.1", []string{}, false}, {"localhost.app.internal", []string{}, false}, {"app.internal", []string{}, false},
		{"app.internal", []string{"APP.internal"}, true}, {"other.internal", []string{"app.internal"}, false}, {"", []string{}, false},
	} {
		if err := CheckHost(tt.host, tt.allowed); (err == nil) != tt.ok {
			t.Errorf("%q, allowed %q: %v", tt.host, tt.allowed, err)
		}
	}
}

// A name that passes CheckHost is no way to other machines, whatever it resolves to.
func TestNewClientConnectsToLoopback(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer srv.Close()
	get := func(hc *http.Client, url string) error {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := hc.Do(r)
		if err == nil {
			res.Body.Close()
		}
		return err
	}
	for _, allowed := range [][]string{nil, {}, {"app.internal"}} {
		if err := get(NewClient(allowed), srv.URL); err != nil {
			t.Errorf("allowed %q: %v", allowed, err)
		}
	}
	for _, allowed := range [][]string{{}, {"app.internal"}} {
		// The address is looked at before a connection is made.
		if err := get(NewClient(allowed), "http://192.0.2.1:9/"); err == nil || !strings.Contains(err.Error(), "not a loopback address") {
			t.Errorf("allowed %q: %v", allowed, err)
		}
	}
}

func TestNewClientUsesNoProxy(t *testing.T) {
	t.Parallel()
	if tr := NewClient(nil).Transport.(*http.Transport); tr.Proxy != nil {
		t.Error("there is a proxy")
	}
}
