// This program is the least that makes both calls through the client of package gen, with a token of package auth.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/moneykit/moneykit-go/auth"
	"github.com/moneykit/moneykit-go/gen"
)

func main() {
	src, err := auth.ClientCredentials(os.Getenv("MONEYKIT_CLIENT_ID"), os.Getenv("MONEYKIT_CLIENT_SECRET"))
	if err != nil {
		log.Fatal(err)
	}
	client, err := gen.NewClientWithResponses(gen.ServerURL, gen.WithRequestEditorFn(src.RequestEditor))
	if err != nil {
		log.Fatal(err)
	}
	session, err := client.CreateLinkSessionWithResponse(context.Background(), gen.CreateLinkSessionRequest{
		CustomerUser: gen.LinkSessionCustomerUser{ID: "user-42"}, RedirectURI: "https://yourdomain.com/oauth.html",
	})
	fmt.Println(session, err)
	linked, err := client.ExchangeTokenWithResponse(context.Background(), gen.ExchangeTokenRequest{ExchangeableToken: "from Connect"})
	fmt.Println(linked, err)
}
