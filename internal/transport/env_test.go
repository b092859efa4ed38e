package transport_test

import (
	"strings"
	"testing"

	"github.com/moneykit/moneykit-go/internal/transport"
)

func TestReadEnv(t *testing.T) {
	set := func(values ...string) {
		for i, name := range []string{"MONEYKIT_URL", "MONEYKIT_CLIENT_ID", "MONEYKIT_CLIENT_SECRET", "MONEYKIT_INSECURE_HTTP"} {
			t.Setenv(name, values[i])
		}
	}
	set(" https://api.example\n", " id ", "\tsecret", " true ")
	if e, err := transport.ReadEnv(); err != nil || e != (transport.Env{URL: "https://api.example", ClientID: "id", ClientSecret: "secret", InsecureHTTP: true}) {
		t.Errorf("got %+v, %v", e, err)
	}
	set("", "", "", "")
	if e, err := transport.ReadEnv(); err != nil || e != (transport.Env{}) {
		t.Errorf("nothing is set: %+v, %v", e, err)
	}
	for want, values := range map[string][]string{
		"MONEYKIT_CLIENT_ID contains a control character":     {"", "a\x7fb", "secret", ""},
		"MONEYKIT_CLIENT_SECRET contains a control character": {"", "id", "hun\nter2", ""},
		`MONEYKIT_INSECURE_HTTP is "on"; want 1 or 0`:         {"", "id", "secret", "on"},
	} {
		set(values...)
		if e, err := transport.ReadEnv(); e != (transport.Env{}) || err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "ter2") {
			t.Errorf("got %+v, %v; want %s", e, err, want)
		}
	}
}
