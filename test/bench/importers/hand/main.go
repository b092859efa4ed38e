// This program is the least that makes both calls through code written by hand.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"

	"golang.org/x/oauth2/clientcredentials"

	"github.com/moneykit/moneykit-go/test/bench/hand"
)

func main() {
	conf := clientcredentials.Config{
		ClientID: os.Getenv("MONEYKIT_CLIENT_ID"), ClientSecret: os.Getenv("MONEYKIT_CLIENT_SECRET"),
		TokenURL: "https://api.moneykit.com/auth/token",
	}
	client := hand.New("https://api.moneykit.com", conf.TokenSource(context.Background()), new(http.Client))
	session, err := client.CreateLinkSession(context.Background(), &hand.CreateLinkSessionRequest{
		CustomerUser: hand.CustomerUser{ID: "user-42"}, RedirectURI: "https://yourdomain.com/oauth.html",
	})
	fmt.Println(session, err)
	linked, err := client.ExchangeToken(context.Background(), &hand.ExchangeTokenRequest{ExchangeableToken: "from Connect"})
	fmt.Println(linked, err)
}
