package main

import (
	"fmt"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"os"

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
func connectMoneyKit() (moneyKit, error) {
	base, id, secret := os.Getenv(api.EnvURL), os.Getenv(api.EnvClientID), os.Getenv(api.EnvClientSecret)
	name, stop := base, func() {}
	if base == "" {
		mk := sandbox.New()
		server := httptest.NewServer(mk)
		base, id, secret = server.URL, mk.ClientID, mk.ClientSecret
		name, stop = "a sandbox in memory", server.Close
	}
	client, err := api.FromCredentials(id, secret, api.WithBaseURL(base))
	if err != nil {
		return moneyKit{}, fmt.Errorf("%w; check %s, %s and %s", err, api.EnvURL, api.EnvClientID, api.EnvClientSecret)
	}
	verifier, err := webhook.NewVerifier(webhook.WithBaseURL(base), webhook.WithClientID(id), webhook.WithLogger(slog.Default()))
	return moneyKit{client, verifier, connectURL(base), name, stop}, err
}

// connectURL returns where Connect is: on a host of its own at MoneyKit, and beside the API in a sandbox.
func connectURL(base string) string {
	u, err := url.Parse(base)
	if err != nil || u.Hostname() == "api.moneykit.com" {
		return "https://connect.moneykit.com"
	}
	return u.Scheme + "://" + u.Host
}
