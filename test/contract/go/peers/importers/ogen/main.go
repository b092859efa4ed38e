// This program is the least that makes both calls through ogen's client.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/moneykit/moneykit-go/test/contract/go/peers/ogen"
)

type security struct{ tokens oauth2.TokenSource }

func (s security) OAuth2ClientCredentials(context.Context, ogen.OperationName) (ogen.OAuth2ClientCredentials, error) {
	tok, err := s.tokens.Token()
	if err != nil {
		return ogen.OAuth2ClientCredentials{}, err
	}
	return ogen.OAuth2ClientCredentials{Token: tok.AccessToken}, nil
}

func main() {
	conf := clientcredentials.Config{
		ClientID: os.Getenv("MONEYKIT_CLIENT_ID"), ClientSecret: os.Getenv("MONEYKIT_CLIENT_SECRET"),
		TokenURL: "https://api.moneykit.com/auth/token",
	}
	client, err := ogen.NewClient("https://api.moneykit.com", security{conf.TokenSource(context.Background())})
	if err != nil {
		log.Fatal(err)
	}
	session, err := client.CreateLinkSession(context.Background(), &ogen.CreateLinkSessionRequest{
		CustomerUser: ogen.LinkSessionCustomerUser{ID: "user-42"}, RedirectURI: "https://yourdomain.com/oauth.html",
	})
	fmt.Println(session, err)
	linked, err := client.ExchangeToken(context.Background(), &ogen.ExchangeTokenRequest{ExchangeableToken: "from Connect"})
	fmt.Println(linked, err)
}
