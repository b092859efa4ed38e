package peers

import (
	"context"

	"github.com/moneykit/moneykit-go/test/bench/harness"
	"github.com/moneykit/moneykit-go/test/contract/go/peers/openapigenerator"
)

// OpenAPIGenerator is the client that OpenAPI Generator makes.
func OpenAPIGenerator(n harness.Net, base string) (harness.Contender, error) {
	conf := openapigenerator.NewConfiguration()
	conf.Servers[0].URL = n.URL + base
	conf.HTTPClient = n.HTTP
	service := openapigenerator.NewAPIClient(conf).LinkSessionAPI
	tokens := n.Tokens()
	authorize := func(ctx context.Context) context.Context {
		return context.WithValue(ctx, openapigenerator.ContextOAuth2, tokens)
	}
	return harness.Contender{
		Name: "openapi-generator",
		Create: harness.Bounded(func(ctx context.Context) (string, error) {
			s, _, err := service.CreateLinkSession(authorize(ctx)).CreateLinkSessionRequest(openapigenerator.CreateLinkSessionRequest{
				CustomerUser: openapigenerator.LinkSessionCustomerUser{Id: harness.UserID}, RedirectUri: harness.RedirectURI,
			}).Execute()
			if err != nil {
				return "", err
			}
			return s.LinkSessionToken, nil
		}),
		Exchange: harness.Bounded(func(ctx context.Context) (string, error) {
			r, _, err := service.ExchangeToken(authorize(ctx)).ExchangeTokenRequest(openapigenerator.ExchangeTokenRequest{
				ExchangeableToken: harness.ExchangeableToken,
			}).Execute()
			if err != nil {
				return "", err
			}
			return r.Link.LinkId, nil
		}),
	}, nil
}
