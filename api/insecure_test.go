package api_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/auth"
)

// network returns a client that reaches a server, with token endpoint and one operation, by whatever host name.
func network(t *testing.T) *http.Client {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /auth/token", reply(201, `{"access_token":"`+bearer+`","token_type":"bearer","expires_in":3600}`))
	mux.HandleFunc("POST /link-session", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+bearer {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		reply(201, session)(w, r)
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", srv.Listener.Addr().String())
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func TestInsecureHTTP(t *testing.T) {
	t.Parallel()
	hc := network(t)
	for name, build := range map[string]func(host string, opts ...api.Option) (*api.Client, error){
		"FromCredentials": func(host string, opts ...api.Option) (*api.Client, error) {
			return api.FromCredentials("sandbox_1", "secret", append(opts, api.WithBaseURL("http://"+host+":8042"))...)
		},
		"New with a static token": func(host string, opts ...api.Option) (*api.Client, error) {
			return api.New(auth.StaticToken(bearer), append(opts, api.WithBaseURL("http://"+host+":8042"))...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host := fmt.Sprintf("insecure-%d.example", len(name))
			if c, err := build(host); c != nil || err == nil || !strings.Contains(err.Error(), "WithInsecureHTTP") {
				t.Errorf("without the option: %v, %v", c, err)
			}
			var log bytes.Buffer
			logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
			for range 2 {
				client, err := build(host, api.WithInsecureHTTP(), api.WithHTTPClient(hc), api.WithLogger(logger))
				if err != nil {
					t.Fatal(err)
				}
				if s, err := client.CreateLinkSession(t.Context(), createRequest()); err != nil || s.LinkSessionToken == "" {
					t.Errorf("got %v, %v", s, err)
				}
			}
			if n := strings.Count(log.String(), "level=WARN"); n != 1 || !strings.Contains(log.String(), "host="+host+":8042") {
				t.Errorf("%d warnings: %s", n, log.String())
			}
		})
	}
}

// The option is for a sandbox: with credentials of the live environment there is no client, whatever the URL.
func TestInsecureHTTPNotForLive(t *testing.T) {
	t.Parallel()
	live, err := auth.ClientCredentials("live_1", "secret")
	if err != nil {
		t.Fatal(err)
	}
	for name, build := range map[string]func(opts ...api.Option) (*api.Client, error){
		"FromCredentials": func(opts ...api.Option) (*api.Client, error) {
			return api.FromCredentials("live_1", "secret", append(opts, api.WithBaseURL("http://sandbox"))...)
		},
		"https": func(opts ...api.Option) (*api.Client, error) { return api.FromCredentials("live_1", "secret", opts...) },
		"New":   func(opts ...api.Option) (*api.Client, error) { return api.New(live, opts...) },
	} {
		if c, err := build(api.WithInsecureHTTP()); c != nil || err == nil || !strings.HasPrefix(err.Error(), "moneykit: ") || !strings.Contains(err.Error(), "begins with live_") {
			t.Errorf("%s: %v, %v", name, c, err)
		}
	}
	if _, err := api.FromCredentials("live_1", "secret"); err != nil {
		t.Errorf("without the option: %v", err)
	}
}

// Without the option, an editor cannot send a request elsewhere by http; with it, only http and https are possible.
func TestInsecureHTTPEditor(t *testing.T) {
	t.Parallel()
	hc := network(t)
	move := func(scheme string) api.Option {
		return api.WithRequestEditor(func(_ context.Context, r *http.Request) error {
			r.URL.Scheme, r.URL.Host = scheme, "editor.example"
			return nil
		})
	}
	for _, tt := range []struct {
		scheme  string
		opts    []api.Option
		refused bool
	}{
		{"http", nil, true},
		{"http", []api.Option{api.WithInsecureHTTP()}, false},
		{"ftp", []api.Option{api.WithInsecureHTTP()}, true},
	} {
		client, err := api.New(auth.StaticToken(bearer), append(tt.opts, move(tt.scheme), api.WithHTTPClient(hc), api.WithLogger(slog.New(slog.DiscardHandler)))...)
		if err != nil {
			t.Fatal(err)
		}
		var info api.HTTPInfo
		if _, err := client.CreateLinkSession(t.Context(), createRequest(), api.WithHTTPInfo(&info)); (err != nil) != tt.refused || (info.Attempts == 0) != tt.refused {
			t.Errorf("%s, %d options: %v after %d attempts", tt.scheme, len(tt.opts), err, info.Attempts)
		}
	}
}

func TestFromEnvInsecureHTTP(t *testing.T) {
	setenv(t, "http://env.example:8042", "sandbox_1", "secret")
	quiet := api.WithLogger(slog.New(slog.DiscardHandler))
	for value, want := range map[string]string{
		"1": "", "true": "", " 1\n": "",
		"": "WithInsecureHTTP", "0": "WithInsecureHTTP",
		"yes": `MONEYKIT_INSECURE_HTTP is "yes"; want 1 or 0`,
	} {
		t.Setenv(api.EnvInsecureHTTP, value)
		c, err := api.FromEnv(quiet)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, %v", value, c, err)
		}
	}
	t.Setenv(api.EnvInsecureHTTP, "0")
	if _, err := api.FromEnv(quiet, api.WithInsecureHTTP()); err != nil {
		t.Errorf("by an option: %v", err)
	}
	t.Setenv(api.EnvInsecureHTTP, "1")
	t.Setenv(api.EnvClientID, "live_1")
	if _, err := api.FromEnv(quiet); err == nil || !strings.Contains(err.Error(), "begins with live_") {
		t.Errorf("got %v", err)
	}
}

func TestAppInfo(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, version, want string }{
		{"shop", "1.4", " shop/1.4"},
		{"shop", "", " shop"},
		{"azAZ09!#$%&'*+-.^_`|~", "v0.0.0-20260101000000-0123456789ab+dirty", " azAZ09!#$%&'*+-.^_`|~/v0.0.0-20260101000000-0123456789ab+dirty"},
	} {
		var got string
		client := serve(t, func(w http.ResponseWriter, r *http.Request) {
			got = r.Header.Get("User-Agent")
			reply(201, session)(w, r)
		}, api.WithAppInfo(tt.name, tt.version))
		if _, err := client.CreateLinkSession(t.Context(), createRequest()); err != nil {
			t.Fatal(err)
		}
		if own, ok := strings.CutSuffix(got, tt.want); !ok || !strings.HasPrefix(own, "moneykit-go/") || !strings.HasSuffix(own, ")") {
			t.Errorf("User-Agent: %q, want …%q", got, tt.want)
		}
	}
	for _, tt := range []struct{ name, version, want string }{
		{"", "1", `the name is ""`},
		{"my shop", "1", `the name is "my shop"`},
		{"shop/1", "", `the name is "shop/1"`},
		{"shop\r\nX: 1", "", `the name is "shop\r\nX: 1"`},
		{"café", "", `the name is "café"`},
		{"shop", "1 2", `the version is "1 2"`},
		{"shop", "1(beta)", `the version is "1(beta)"`},
	} {
		if _, err := api.New(auth.StaticToken("t"), api.WithAppInfo(tt.name, tt.version)); err == nil || !strings.Contains(err.Error(), "WithAppInfo: "+tt.want) {
			t.Errorf("got %v, want %q", err, tt.want)
		}
	}
}
