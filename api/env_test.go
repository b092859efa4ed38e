package api_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/moneykit/moneykit-go/api"
)

func setenv(t *testing.T, url, id, secret string) {
	t.Helper()
	t.Setenv(api.EnvURL, url)
	t.Setenv(api.EnvClientID, id)
	t.Setenv(api.EnvClientSecret, secret)
}

func TestFromEnv(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /mk/auth/token", func(w http.ResponseWriter, r *http.Request) {
		if id, secret := r.FormValue("client_id"), r.FormValue("client_secret"); id != "id" || secret != "secret" {
			t.Errorf("credentials %q, %q", id, secret)
		}
		reply(201, `{"access_token":"`+bearer+`","token_type":"bearer","expires_in":3600}`)(w, r)
	})
	mux.HandleFunc("POST /mk/link-session", reply(201, session))
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	for _, url := range []string{srv.URL + "/mk", srv.URL + "/mk/", " " + srv.URL + "/mk\n"} {
		setenv(t, url, " id\n", " secret ")
		seen := 0
		client, err := api.FromEnv(api.WithHTTPClient(&http.Client{Transport: counter{&seen}}))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.CreateLinkSession(t.Context(), createRequest()); err != nil {
			t.Error(err)
		}
		if seen != 2 {
			t.Errorf("the given client carried %d requests, want the token's and the operation's", seen)
		}
	}
}

type counter struct{ n *int }

func (c counter) RoundTrip(r *http.Request) (*http.Response, error) {
	*c.n++
	return http.DefaultTransport.RoundTrip(r)
}

func TestFromEnvRefuses(t *testing.T) {
	for want, set := range map[string][3]string{
		"set the environment variable(s) MONEYKIT_CLIENT_ID, MONEYKIT_CLIENT_SECRET": {},
		"set the environment variable(s) MONEYKIT_CLIENT_SECRET":                     {"https://api.moneykit.com", "id", " "},
		"MONEYKIT_URL: http to example.com":                                          {"http://example.com", "id", "hunter2"},
		"MONEYKIT_URL: no host":                                                      {"api.moneykit.com", "id", "hunter2"},
		"MONEYKIT_CLIENT_SECRET contains a control character":                        {"https://api.moneykit.com", "id", "hun\nter2"},
	} {
		setenv(t, set[0], set[1], set[2])
		client, err := api.FromEnv()
		if client != nil || err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "ter2") {
			t.Errorf("got %v, %v, want %q", client, err, want)
		}
	}
	setenv(t, "https://api.moneykit.com", "id", "secret")
	if _, err := api.FromEnv(nil); err == nil || !strings.Contains(err.Error(), "option is nil") {
		t.Errorf("a nil option: %v", err)
	}
}

func TestFromEnvDefaultURL(t *testing.T) {
	setenv(t, "", "id", "secret")
	if client, err := api.FromEnv(); err != nil || client.String() != "api.Client(api.moneykit.com)" {
		t.Errorf("without MONEYKIT_URL: %v, %v", client, err)
	}
	setenv(t, "http://localhost:1", "id", "secret")
	if client, err := api.FromEnv(api.WithBaseURL("http://localhost:2")); err != nil || client.String() != "api.Client(localhost:2)" {
		t.Errorf("an option takes precedence: %v, %v", client, err)
	}
}
