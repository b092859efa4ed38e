package sandbox_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/moneykit/moneykit-go/sandbox"
)

func TestRequestsAreRedacted(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	token := newToken(t, srv)
	session := newSession(t, srv, token, minimal)
	exchangeable, err := srv.Complete(session)
	if err != nil {
		t.Fatal(err)
	}
	post(t, srv, "/sandbox/complete", "", `{"link_session_token": "`+session+`"}`)
	post(t, srv, "/link-session/exchange-token", token, exchangeBody(exchangeable))
	post(t, srv, "/link-session/exchange-token", token, `{"list": [{"Exchangeable_Token": "`+exchangeable+`"}]}`)
	post(t, srv, "/link-session/exchange-token", token, exchangeBody(exchangeable)+"!")
	send(t, srv, "POST", "/auth/token", http.Header{
		"Authorization": {basic(srv.ClientID, srv.ClientSecret)}, "Cookie": {"a=" + token},
		"Content-Type": {"application/x-www-form-urlencoded"}}, "client_secret="+srv.ClientSecret)
	send(t, srv, "GET", "/?client_secret="+srv.ClientSecret, nil, strings.Repeat(srv.ClientSecret, 1000))

	all := srv.Requests()
	over := send(t, srv, "GET", "/sandbox/requests", nil, "")
	data, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{string(data), over.body} {
		for name, secret := range map[string]string{"secret": srv.ClientSecret, "token": token, "session": session, "exchangeable": exchangeable,
			"Basic": strings.TrimPrefix(basic(srv.ClientID, srv.ClientSecret), "Basic ")} {
			if strings.Contains(text, secret) {
				t.Errorf("the %s is in %s", name, text)
			}
		}
	}
	want := []struct {
		op     sandbox.Operation
		path   string
		status int
		body   string
	}{
		{sandbox.Token, "/auth/token", 201, "client_id=" + srv.ClientID + "&client_secret=%5Bredacted%5D&grant_type=client_credentials"},
		{sandbox.CreateLinkSession, "/link-session", 201, `{"customer_user":{"id":"user-42"},"redirect_uri":"https://yourdomain.com/oauth.html"}`},
		{"", "/sandbox/complete", 409, `{"link_session_token":"[redacted]"}`},
		{sandbox.ExchangeToken, "/link-session/exchange-token", 201, `{"exchangeable_token":"[redacted]"}`},
		{sandbox.ExchangeToken, "/link-session/exchange-token", 422, `{"list":[{"Exchangeable_Token":"[redacted]"}]}`},
		{sandbox.ExchangeToken, "/link-session/exchange-token", 422, `[not kept: 74 bytes that are neither JSON nor a form]`},
		{sandbox.Token, "/auth/token", 400, "client_secret=%5Bredacted%5D"},
		{"", "/", 200, "[not kept: 41000 bytes]"},
	}
	if len(all) != len(want) {
		t.Fatalf("%d requests, want %d", len(all), len(want))
	}
	for i, want := range want {
		if got := all[i]; got.Operation != want.op || got.Path != want.path || got.Status != want.status || got.Body != want.body {
			t.Errorf("request %d is %+v, want %+v", i, got, want)
		}
	}
	if got := all[1].Header.Get("Authorization"); got != "Bearer [redacted]" {
		t.Errorf("Authorization: %q", got)
	}
	all[1].Header.Set("Authorization", "changed")
	if srv.Requests()[1].Header.Get("Authorization") == "changed" {
		t.Error("a change to what Requests returned reached the sandbox")
	}
}

func TestRequestsAreBounded(t *testing.T) {
	t.Parallel()
	handler := sandbox.New()
	transport := roundTripper{handler}
	for i := range 1010 {
		method := "GET"
		if i < 10 {
			method = "DELETE"
		}
		r, _ := http.NewRequest(method, "http://sandbox/", nil)
		if _, err := transport.RoundTrip(r); err != nil {
			t.Fatal(err)
		}
	}
	all := handler.Requests()
	if len(all) != 1000 || all[0].Method != "GET" {
		t.Errorf("%d requests, the first a %s", len(all), all[0].Method)
	}
}
