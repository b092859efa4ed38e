package webhook

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

func TestInsecureHTTP(t *testing.T) {
	t.Parallel()
	at := WithBaseURL("http://keys.example:8042")
	if _, err := NewVerifier(at); err == nil || !strings.Contains(err.Error(), "WithInsecureHTTP") {
		t.Errorf("without the option: %v", err)
	}
	if _, err := NewVerifier(at, WithInsecureHTTP(), WithClientID("live_1")); err == nil || !strings.Contains(err.Error(), "begins with live_") {
		t.Errorf("live: %v", err)
	}
	var log bytes.Buffer
	v, err := NewVerifier(at, WithInsecureHTTP(), WithClientID("sandbox_1"), WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	if err != nil || v.keys.url.String() != "http://keys.example:8042/.well-known/jwks.json" {
		t.Errorf("got %v, %v", v, err)
	}
	if !strings.Contains(log.String(), "level=WARN") || !strings.Contains(log.String(), "host=keys.example:8042") {
		t.Errorf("logged: %s", log.String())
	}
}
