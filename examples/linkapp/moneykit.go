package main

import (
	"net/http/httptest"
	"net/url"
	"os"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/sandbox"
)

// moneyKit is the MoneyKit that the application talks to.
type moneyKit struct {
	client     *api.Client
	connectURL string // the origin that serves Connect
	name       string
	stop       func()
}

// connectMoneyKit returns the MoneyKit of the environment, or a sandbox in this process.
func connectMoneyKit() (moneyKit, error) {
	if base := os.Getenv(api.EnvURL); base != "" {
		client, err := api.FromEnv()
		return moneyKit{client, connectURL(base), base, func() {}}, err
	}
	mk := sandbox.New()
	server := httptest.NewServer(mk)
	client, err := api.FromCredentials(mk.ClientID, mk.ClientSecret, api.WithBaseURL(server.URL))
	return moneyKit{client, server.URL, "a sandbox in memory", server.Close}, err
}

// connectURL returns where Connect is: on a host of its own at MoneyKit, and beside the API in a sandbox.
func connectURL(base string) string {
	u, err := url.Parse(base)
	if err != nil || u.Hostname() == "api.moneykit.com" {
		return "https://connect.moneykit.com"
	}
	return u.Scheme + "://" + u.Host
}
