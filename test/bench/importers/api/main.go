// This program is the least that makes both calls through package api.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/gen"
)

func main() {
	client, err := api.FromEnv()
	if err != nil {
		log.Fatal(err)
	}
	session, err := client.CreateLinkSession(context.Background(), gen.CreateLinkSessionRequest{
		CustomerUser: gen.LinkSessionCustomerUser{ID: "user-42"}, RedirectURI: "https://yourdomain.com/oauth.html",
	})
	fmt.Println(session, err)
	linked, err := client.ExchangeToken(context.Background(), gen.ExchangeTokenRequest{ExchangeableToken: "from Connect"})
	fmt.Println(linked, err)
}
