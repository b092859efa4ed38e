package routers

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/moneykit/moneykit-go/sandbox"
	"github.com/moneykit/moneykit-go/webhook"
)

// Each router links a bank and gets the event of it.
func TestRouters(t *testing.T) {
	t.Parallel()
	for name, serve := range map[string]func(*Linking) http.Handler{"net/http": NetHTTP, "chi": Chi, "gin": Gin, "echo": Echo} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mk := sandbox.Start(t)
			verifier, err := webhook.NewVerifier(webhook.WithBaseURL(mk.URL))
			if err != nil {
				t.Fatal(err)
			}
			stored := map[string]string{}
			events := make(chan string, 10)
			l := &Linking{
				Client: mk.Client(), Verifier: verifier, RedirectURI: "http://localhost/oauth.html",
				User:  func(*http.Request) string { return "user-42" },
				Store: func(_ context.Context, user, linkID string) error { stored[linkID] = user; return nil },
				Event: func(_ context.Context, e *webhook.Event) error { events <- e.LinkID; return nil },
			}
			srv := httptest.NewServer(serve(l))
			t.Cleanup(srv.Close)
			l.Webhook = srv.URL + "/moneykit_webhook"

			var session sessionResponse
			if err := json.Unmarshal(post(t, srv.URL+"/linking/session", "", http.StatusOK), &session); err != nil {
				t.Fatal(err)
			}
			exchangeable, err := mk.Complete(session.LinkSessionToken)
			if err != nil {
				t.Fatal(err)
			}
			body := `{"exchangeable_token": "` + exchangeable + `"}`
			post(t, srv.URL+"/linking/exchange-token", body, http.StatusNoContent)
			if event := <-events; len(stored) != 1 || stored[event] != "user-42" {
				t.Errorf("stored %v, event of %s", stored, event)
			}
			post(t, srv.URL+"/linking/exchange-token", body, http.StatusConflict) // it is used
			post(t, srv.URL+"/linking/exchange-token", `{"exchangeable_token": `, http.StatusBadRequest)
			post(t, srv.URL+"/moneykit_webhook", `{}`, http.StatusBadRequest) // it is not signed
			mk.Fail(sandbox.ExchangeToken, 1, sandbox.Fault{Status: 500})
			post(t, srv.URL+"/linking/exchange-token", body, http.StatusAccepted)
			mk.Fail(sandbox.CreateLinkSession, 1, sandbox.Fault{Status: 403})
			post(t, srv.URL+"/linking/session", "", http.StatusBadGateway)
		})
	}
}

func post(t *testing.T, url, body string, want int) []byte {
	t.Helper()
	res, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != want {
		t.Errorf("%s: status %d, %v, want %d: %s", url, res.StatusCode, err, want, data)
	}
	return data
}
