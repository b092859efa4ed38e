package sandbox_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/sandbox"
)

// The main job over real HTTP, with the bare generated client.
func TestFlow(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	client := newClient(t, srv)

	created, err := client.CreateLinkSessionWithResponse(t.Context(), gen.CreateLinkSessionRequest{
		CustomerUser: gen.LinkSessionCustomerUser{ID: "user-42"},
		RedirectURI:  "https://yourdomain.com/oauth.html",
	})
	if err != nil || created.StatusCode() != http.StatusCreated {
		t.Fatalf("create: %v, %d %s", err, created.StatusCode(), created.Body)
	}
	exchangeable, err := srv.Complete(created.JSON201.LinkSessionToken)
	if err != nil {
		t.Fatal(err)
	}
	exchanged, err := client.ExchangeTokenWithResponse(t.Context(), gen.ExchangeTokenRequest{ExchangeableToken: exchangeable})
	if err != nil || exchanged.StatusCode() != http.StatusCreated {
		t.Fatalf("exchange: %v, %d %s", err, exchanged.StatusCode(), exchanged.Body)
	}
	link := exchanged.JSON201.Link
	if link.LinkID == "" || link.LinkID != exchanged.JSON201.LinkID || link.State != gen.PublicLinkStateConnected {
		t.Errorf("link: %+v", link)
	}
	if held := srv.Links(); len(held) != 1 || held[0].LinkID != link.LinkID || held[0].CustomerUserID != "user-42" ||
		!slices.Equal(held[0].Countries, []gen.Country{gen.CountryUS}) {
		t.Errorf("links held: %+v", held)
	}
}

// newClient returns a generated client that sends a token of srv.
func newClient(t *testing.T, srv *sandbox.Server) *gen.ClientWithResponses {
	t.Helper()
	token := newToken(t, srv)
	client, err := gen.NewClientWithResponses(srv.URL, gen.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+token)
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func newToken(t *testing.T, srv *sandbox.Server) string {
	t.Helper()
	res, err := http.Post(srv.URL+"/auth/token", "application/x-www-form-urlencoded", strings.NewReader(url.Values{
		"grant_type":    {"client_credentials"},
		"client_id":     {srv.ClientID},
		"client_secret": {srv.ClientSecret},
	}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var body struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(res.Body).Decode(&body); err != nil || res.StatusCode != http.StatusCreated {
		t.Fatalf("token: %d, %v", res.StatusCode, err)
	}
	return body.AccessToken
}
