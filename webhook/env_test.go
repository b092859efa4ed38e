package webhook

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"
)

func setenv(t *testing.T, url, id, insecureHTTP string) {
	t.Helper()
	t.Setenv("MONEYKIT_URL", url)
	t.Setenv("MONEYKIT_CLIENT_ID", id)
	t.Setenv("MONEYKIT_INSECURE_HTTP", insecureHTTP)
}

func TestFromEnv(t *testing.T) {
	m, c := newMoneyKit(t), newClock()
	ids := make(chan string, 1)
	m.respond(func(w http.ResponseWriter, r *http.Request) {
		ids <- r.Header.Get("X-Client-Id")
		_, _ = w.Write(keySetOf(t, m.kid, m.key))
	})
	for id, url := range map[string]string{"": m.url, "sandbox_1": " " + m.url + "\n"} {
		setenv(t, url, id, "")
		v, err := FromEnv(func(o *options) error { o.now = c.now; return nil })
		if err != nil {
			t.Fatal(err)
		}
		e, err := v.Verify(t.Context(), m.header(t, connected, c.now()), []byte(connected))
		if err != nil || e.LinkID != "mk_1" {
			t.Fatalf("got %v, %v", e, err)
		}
		if got := <-ids; got != id {
			t.Errorf("X-Client-Id: %q, want %q", got, id)
		}
	}
}

func TestFromEnvURL(t *testing.T) {
	var log bytes.Buffer
	logger := WithLogger(slog.New(slog.NewTextHandler(&log, nil)))
	for name, tt := range map[string]struct {
		url, insecureHTTP string
		opts              []Option
		want              string
	}{
		"nothing is set":        {"", "", nil, "https://api.moneykit.com/.well-known/jwks.json"},
		"a URL":                 {"https://moneykit.example/mk", "", nil, "https://moneykit.example/mk/.well-known/jwks.json"},
		"http":                  {"http://env.example:8042", "1", nil, "http://env.example:8042/.well-known/jwks.json"},
		"the option takes over": {"http://env.example", "", []Option{WithBaseURL("https://other.example")}, "https://other.example/.well-known/jwks.json"},
	} {
		setenv(t, tt.url, "sandbox_1", tt.insecureHTTP)
		v, err := FromEnv(append(tt.opts, logger)...)
		if err != nil || v.keys.url.String() != tt.want {
			t.Errorf("%s: got %v, %v", name, v, err)
		}
	}
	if !strings.Contains(log.String(), "host=env.example:8042") {
		t.Errorf("logged: %s", log.String())
	}
}

func TestFromEnvRejects(t *testing.T) {
	for want, set := range map[string][3]string{
		"MONEYKIT_URL: http to env.example":     {"http://env.example", "", "0"},
		"MONEYKIT_URL: no host":                 {"api.moneykit.com", "", ""},
		`MONEYKIT_INSECURE_HTTP is "on"`:        {"http://env.example", "", "on"},
		"begins with live_":                     {"http://env.example", "live_1", "1"},
		"MONEYKIT_CLIENT_ID contains a control": {"", "live\x7f1", ""},
	} {
		setenv(t, set[0], set[1], set[2])
		v, err := FromEnv()
		if v != nil || err == nil || !strings.HasPrefix(err.Error(), "moneykit: webhook: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, %v, want %q", v, err, want)
		}
	}
}
