// This program is the least that makes both calls through OpenAPI Generator's client.
package main

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/oauth2/clientcredentials"

	"github.com/moneykit/moneykit-go/test/contract/go/peers/openapigenerator"
)

func main() {
	conf := clientcredentials.Config{
		ClientID: os.Getenv("MONEYKIT_CLIENT_ID"), ClientSecret: os.Getenv("MONEYKIT_CLIENT_SECRET"),
		TokenURL: "https://api.moneykit.com/auth/token",
	}
	ctx := context.WithValue(context.Background(), openapigenerator.ContextOAuth2, conf.TokenSource(context.Background()))
	service := openapigenerator.NewAPIClient(openapigenerator.NewConfiguration()).LinkSessionAPI
	session, _, err := service.CreateLinkSession(ctx).CreateLinkSessionRequest(openapigenerator.CreateLinkSessionRequest{
		CustomerUser: openapigenerator.LinkSessionCustomerUser{Id: "user-42"}, RedirectUri: "https://yourdomain.com/oauth.html",
	}).Execute()
	fmt.Println(session, err)
	linked, _, err := service.ExchangeToken(ctx).ExchangeTokenRequest(openapigenerator.ExchangeTokenRequest{
		ExchangeableToken: "from Connect",
	}).Execute()
	fmt.Println(linked, err)
}
