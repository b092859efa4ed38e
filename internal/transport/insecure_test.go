package transport_test

import (
	"bytes"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"github.com/moneykit/moneykit-go/internal/transport"
)

func TestInsecureHTTP(t *testing.T) {
	t.Parallel()
	if u, err := transport.ParseURL("the URL", "http://sandbox:8042/mk", true); err != nil || transport.HostPath(u) != "sandbox:8042/mk" {
		t.Errorf("got %v, %v", u, err)
	}
	for _, raw := range []string{"ftp://sandbox", "http://", "http://user:hunter2@sandbox", "http://sandbox?x=1"} {
		if u, err := transport.ParseURL("the URL", raw, true); err == nil {
			t.Errorf("%s was accepted: %v", raw, u)
		}
	}
	if err := transport.CheckScheme(nil, true); err == nil {
		t.Error("no URL: no error")
	}
	if err := transport.CheckScheme(&url.URL{Scheme: "http", Host: "sandbox"}, false); err == nil || !strings.Contains(err.Error(), "WithInsecureHTTP") {
		t.Errorf("the error does not name the option: %v", err)
	}
}

func TestInsecureHTTPIsLoggedOnce(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	for range 3 {
		if err := transport.AllowInsecureHTTP(&url.URL{Scheme: "http", Host: "logged-once.example:1"}, "sandbox_1", logger); err != nil {
			t.Fatal(err)
		}
	}
	if err := transport.AllowInsecureHTTP(&url.URL{Scheme: "http", Host: "logged-once.example:2"}, "", logger); err != nil {
		t.Fatal(err)
	}
	if err := transport.AllowInsecureHTTP(&url.URL{Scheme: "https", Host: "logged-once.example:3"}, "", logger); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "level=WARN") || !strings.Contains(lines[0], "host=logged-once.example:1") || !strings.Contains(lines[0], "WithInsecureHTTP") ||
		!strings.Contains(lines[1], "host=logged-once.example:2") {
		t.Errorf("got %s", log.String())
	}
}

func TestInsecureHTTPNotForLive(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	err := transport.AllowInsecureHTTP(&url.URL{Scheme: "http", Host: "live.example"}, "live_0123", slog.New(slog.NewTextHandler(&log, nil)))
	if err == nil || !strings.Contains(err.Error(), "WithInsecureHTTP") || !strings.Contains(err.Error(), "live_") || strings.Contains(err.Error(), "live_0123") {
		t.Errorf("got %v", err)
	}
	if log.Len() > 0 {
		t.Errorf("it was logged: %s", log.String())
	}
}

func TestInsecureHTTPIsLoggedByDefault(t *testing.T) { //nolint:paralleltest // it replaces the default logger
	before := slog.Default()
	defer slog.SetDefault(before)
	var log bytes.Buffer
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	if err := transport.AllowInsecureHTTP(&url.URL{Scheme: "http", Host: "default-logger.example"}, "", nil); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "host=default-logger.example") {
		t.Errorf("got %s", log.String())
	}
}
