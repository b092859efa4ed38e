// Package routers has the back end of linking in net/http, chi, gin and echo, one page each. They have the same three
// routes: a session for the user who is signed in, the exchange, and the webhook.
package routers

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/webhook"
)

// Linking is what the handlers share. It knows no router.
type Linking struct {
	Client      *api.Client
	Verifier    *webhook.Verifier
	RedirectURI string
	Webhook     string
	User        func(*http.Request) string // who is signed in
	Store       func(ctx context.Context, user, linkID string) error
	Event       func(context.Context, *webhook.Event) error
}

// createSession returns the token that Connect starts with.
func (l *Linking) createSession(ctx context.Context, user string) (string, error) {
	session, err := l.Client.CreateLinkSession(ctx, gen.CreateLinkSessionRequest{
		CustomerUser: gen.LinkSessionCustomerUser{ID: user},
		RedirectURI:  l.RedirectURI,
		Webhook:      l.Webhook,
		LinkTags:     []string{"user:" + user},
	})
	if err != nil {
		return "", err
	}
	return session.LinkSessionToken, nil
}

// exchange stores the link. It goes on when the user closes the page.
func (l *Linking) exchange(ctx context.Context, user, exchangeableToken string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	linked, err := l.Client.ExchangeToken(ctx, gen.ExchangeTokenRequest{ExchangeableToken: exchangeableToken})
	if err != nil {
		return err
	}
	return l.Store(ctx, user, linked.Link.LinkID)
}

// status is the status of a response to the page.
func status(err error) int {
	var e *api.Error
	switch {
	case errors.Is(err, api.ErrOutcomeUnknown):
		return http.StatusAccepted // the event link.state_changed brings the link
	case errors.Is(err, api.ErrInvalidTokenExchange), errors.Is(err, api.ErrValidation):
		return http.StatusConflict // link the bank again
	case errors.Is(err, api.ErrRateLimited):
		return http.StatusTooManyRequests
	case errors.As(err, &e):
		return http.StatusBadGateway
	default:
		return http.StatusInternalServerError
	}
}

type sessionResponse struct {
	LinkSessionToken string `json:"link_session_token"`
}

type exchangeRequest struct {
	ExchangeableToken string `json:"exchangeable_token"`
}
