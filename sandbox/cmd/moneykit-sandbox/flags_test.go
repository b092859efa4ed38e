package main

import (
	"bytes"
	"errors"
	"flag"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func parseFlags(environment map[string]string, args ...string) (*config, string, error) {
	var out bytes.Buffer
	c, err := parse(args, func(name string) string { return environment[name] }, &out)
	return c, out.String(), err
}

// What a flag sets, a variable sets too.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	byEnv, _, err := parseFlags(map[string]string{
		"MONEYKIT_SANDBOX_ADDR": ":8043", "MONEYKIT_SANDBOX_CLIENT_ID": "id", "MONEYKIT_SANDBOX_CLIENT_SECRET": "secret",
		"MONEYKIT_SANDBOX_RATE_LIMITS": "false", "MONEYKIT_SANDBOX_LEGACY_USER_IDS": "1",
		"MONEYKIT_SANDBOX_TLS": "true", "MONEYKIT_SANDBOX_TLS_CERT": "cert.pem", "MONEYKIT_SANDBOX_HEALTH_CHECK": "1",
		"MONEYKIT_SANDBOX_HOST": "sandbox, moneykit.test", "MONEYKIT_SANDBOX_WEBHOOK_HOST": "app",
		"MONEYKIT_SANDBOX_REDIRECT_ORIGIN": "https://a.example,https://b.example:8443",
	})
	if err != nil {
		t.Fatal(err)
	}
	byFlags, _, err := parseFlags(nil, "-addr", ":8043", "-client-id", "id", "-client-secret", "secret", "-rate-limits=false",
		"-legacy-user-ids", "-tls", "-tls-cert", "cert.pem", "-health-check", "-host", "sandbox", "-host", "moneykit.test", "-webhook-host", "app",
		"-redirect-origin", "https://a.example,https://b.example:8443")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*config{byEnv, byFlags} { // functions cannot be compared
		c.hosts.check, c.webhookHosts.check, c.origins.check = nil, nil, nil
	}
	if !reflect.DeepEqual(byEnv, byFlags) || len(byEnv.hosts.values) != 2 || len(byEnv.origins.values) != 2 || byEnv.rateLimits {
		t.Errorf("by the environment %+v, by flags %+v", byEnv, byFlags)
	}
}

func TestFlagBeforeEnvironment(t *testing.T) {
	t.Parallel()
	environment := map[string]string{"MONEYKIT_SANDBOX_ADDR": ":1", "MONEYKIT_SANDBOX_HOST": "by-env", "MONEYKIT_SANDBOX_RATE_LIMITS": "0"}
	c, _, err := parseFlags(environment, "-addr", ":2", "-host", "by-flag", "-rate-limits")
	if err != nil || c.addr != ":2" || !slices.Equal(c.hosts.values, []string{"by-flag"}) || !c.rateLimits {
		t.Errorf("got %+v, %v", c, err)
	}
}

func TestBadEnvironment(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{
		"MONEYKIT_SANDBOX_RATE_LIMITS": "maybe", "MONEYKIT_SANDBOX_HOST": "a,,b", "MONEYKIT_SANDBOX_REDIRECT_ORIGIN": "app.example",
		"MONEYKIT_SANDBOX_WEBHOOK_HOST": "app:80",
	} {
		if _, _, err := parseFlags(map[string]string{name: value}); err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), value) {
			t.Errorf("%s=%s: %v", name, value, err)
		}
	}
	if _, _, err := parseFlags(nil, "-tls-cert", "x"); err == nil || !strings.Contains(err.Error(), "add -tls") {
		t.Errorf("got %v", err)
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	_, out, err := parseFlags(nil, "-help")
	if !errors.Is(err, flag.ErrHelp) || !strings.Contains(out, "-tls-cert file") || !strings.Contains(out, "MONEYKIT_SANDBOX_CLIENT_ID") {
		t.Errorf("%v: %s", err, out)
	}
}
