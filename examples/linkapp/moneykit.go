package main

import (
	"log/slog"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/sandbox"
	"github.com/moneykit/moneykit-go/webhook"
)

// moneyKit is the MoneyKit that the application talks to.
type moneyKit struct {
	client     *api.Client
	verifier   *webhook.Verifier
	connectURL string // the origin that serves Connect
	name       string
	stop       func()
}

// connectMoneyKit returns the MoneyKit of the environment, or a sandbox in this process.
func connectMoneyKit() (mk moneyKit, err error) {
	base, id := strings.TrimSpace(os.Getenv(api.EnvURL)), strings.TrimSpace(os.Getenv(api.EnvClientID))
	mk.name, mk.stop = base, func() {}
	if base == "" {
		box := sandbox.New()
		server := httptest.NewUnstartedServer(nil)
		server.Config = withTimeouts(box)
		server.Start()
		base, id = server.URL, box.ClientID
		mk.name, mk.stop = "a sandbox in memory", server.Close
		mk.client, err = api.FromCredentials(id, box.ClientSecret, api.WithBaseURL(base))
	} else {
		mk.client, err = api.FromEnv()
	}
	if err != nil {
		return mk, err
	}
	mk.connectURL = connectURL(base)
	mk.verifier, err = webhook.FromEnv(webhook.WithBaseURL(base), webhook.WithClientID(id), webhook.WithLogger(slog.Default()))
	return mk, err
}

// connectURL returns where Connect is: on a host of its own at MoneyKit, and beside the API in a sandbox.
func connectURL(base string) string {
	u, err := url.Parse(base)
	if err != nil || u.Hostname() == "api.moneykit.com" {
		return "https://connect.moneykit.com"
	}
	return u.Scheme + "://" + u.Host
}
