package peers

import (
	"context"

	"github.com/moneykit/moneykit-go/test/bench/peers/openapigenerator"
	"github.com/moneykit/moneykit-go/test/bench/rig"
)

// OpenAPIGenerator is the client that OpenAPI Generator makes.
func OpenAPIGenerator(n rig.Net, base string) (rig.Contender, error) {
	conf := openapigenerator.NewConfiguration()
	conf.Servers[0].URL = n.URL + base
	conf.HTTPClient = n.HTTP
	service := openapigenerator.NewAPIClient(conf).LinkSessionAPI
	tokens := n.Tokens()
	authorize := func(ctx context.Context) context.Context {
		return context.WithValue(ctx, openapigenerator.ContextOAuth2, tokens)
	}
	return rig.Contender{
		Name: "openapi-generator",
		Create: rig.Bounded(func(ctx context.Context) (string, error) {
			s, _, err := service.CreateLinkSession(authorize(ctx)).CreateLinkSessionRequest(openapigenerator.CreateLinkSessionRequest{
				CustomerUser: openapigenerator.LinkSessionCustomerUser{Id: rig.UserID}, RedirectUri: rig.RedirectURI,
			}).Execute()
			if err != nil {
				return "", err
			}
			return s.LinkSessionToken, nil
		}),
		Exchange: rig.Bounded(func(ctx context.Context) (string, error) {
			r, _, err := service.ExchangeToken(authorize(ctx)).ExchangeTokenRequest(openapigenerator.ExchangeTokenRequest{
				ExchangeableToken: rig.ExchangeableToken,
			}).Execute()
			if err != nil {
				return "", err
			}
			return r.Link.LinkId, nil
		}),
	}, nil
}
