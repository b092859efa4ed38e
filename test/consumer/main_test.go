package main

import (
	"testing"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/auth"
	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/sandbox"
)

func TestFlow(t *testing.T) {
	srv := sandbox.Start(t)
	src, err := auth.ClientCredentials(srv.ClientID, srv.ClientSecret, auth.WithTokenURL(srv.URL+"/auth/token"))
	if err != nil {
		t.Fatal(err)
	}
	client, err := api.New(src, api.WithBaseURL(srv.URL))
	if err != nil {
		t.Fatal(err)
	}
	session, err := client.CreateLinkSession(t.Context(), gen.CreateLinkSessionRequest{
		CustomerUser: gen.LinkSessionCustomerUser{ID: "user-42"},
		RedirectURI:  "https://yourdomain.com/oauth.html",
	})
	if err != nil {
		t.Fatal(err)
	}
	exchangeable, err := srv.Complete(session.LinkSessionToken)
	if err != nil {
		t.Fatal(err)
	}
	linked, err := client.ExchangeToken(t.Context(), gen.ExchangeTokenRequest{ExchangeableToken: exchangeable})
	if err != nil || linked.Link.LinkID == "" {
		t.Errorf("got %+v, %v", linked, err)
	}
}
