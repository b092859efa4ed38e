package peers

import (
	"context"
	"fmt"

	"golang.org/x/oauth2"

	"github.com/moneykit/moneykit-go/test/bench/harness"
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

// Ogen is the client that ogen makes.
func Ogen(n harness.Net, base string) (harness.Contender, error) {
	c, err := ogen.NewClient(n.URL+base, security{n.Tokens()}, ogen.WithClient(n.HTTP))
	if err != nil {
		return harness.Contender{}, err
	}
	return harness.Contender{
		Name: "ogen",
		Create: harness.Bounded(func(ctx context.Context) (string, error) {
			r, err := c.CreateLinkSession(ctx, &ogen.CreateLinkSessionRequest{
				CustomerUser: ogen.LinkSessionCustomerUser{ID: harness.UserID}, RedirectURI: harness.RedirectURI,
			})
			if err != nil {
				return "", err
			}
			s, ok := r.(*ogen.CreateLinkSessionResponse)
			if !ok {
				return "", fmt.Errorf("%T", r)
			}
			return s.LinkSessionToken, nil
		}),
		Exchange: harness.Bounded(func(ctx context.Context) (string, error) {
			r, err := c.ExchangeToken(ctx, &ogen.ExchangeTokenRequest{ExchangeableToken: harness.ExchangeableToken})
			if err != nil {
				return "", err
			}
			s, ok := r.(*ogen.ExchangeTokenResponse)
			if !ok {
				return "", fmt.Errorf("%T", r)
			}
			return s.Link.LinkID, nil
		}),
	}, nil
}
