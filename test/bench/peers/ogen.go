package peers

import (
	"context"
	"fmt"

	"golang.org/x/oauth2"

	"github.com/moneykit/moneykit-go/test/bench/peers/ogen"
	"github.com/moneykit/moneykit-go/test/bench/rig"
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
func Ogen(n rig.Net, base string) (rig.Contender, error) {
	c, err := ogen.NewClient(n.URL+base, security{n.Tokens()}, ogen.WithClient(n.HTTP))
	if err != nil {
		return rig.Contender{}, err
	}
	return rig.Contender{
		Name: "ogen",
		Create: rig.Bounded(func(ctx context.Context) (string, error) {
			r, err := c.CreateLinkSession(ctx, &ogen.CreateLinkSessionRequest{
				CustomerUser: ogen.LinkSessionCustomerUser{ID: rig.UserID}, RedirectURI: rig.RedirectURI,
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
		Exchange: rig.Bounded(func(ctx context.Context) (string, error) {
			r, err := c.ExchangeToken(ctx, &ogen.ExchangeTokenRequest{ExchangeableToken: rig.ExchangeableToken})
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
