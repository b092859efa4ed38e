package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/sandbox/internal/server"
)

// operations is the contract's operations. Requests arrive authenticated and valid.
type operations struct{ *Sandbox }

var _ server.StrictServerInterface = operations{}

func (s operations) CreateLinkSession(_ context.Context, request server.CreateLinkSessionRequestObject) (server.CreateLinkSessionResponseObject, error) {
	body := *request.Body
	if retryAfter, ok := s.allow("user "+body.CustomerUser.ID, s.limits.LinkSessionPerUser); !ok {
		return server.CreateLinkSession429JSONResponse{RateLimitedJSONResponse: server.RateLimitedJSONResponse{
			Body:    gen.APIError{ErrorCode: codeLimited, ErrorMessage: messageLimited},
			Headers: server.RateLimitedResponseHeaders{RetryAfter: retryAfter},
		}}, nil
	}
	if origin := originOf(body.RedirectURI); !s.registered(origin) {
		return server.CreateLinkSession403JSONResponse{
			ErrorCode: "link_session_error.forbidden_config",
			ErrorMessage: fmt.Sprintf("The origin of redirect_uri, %s, is not registered. Registered are %s, and http and https on loopback.",
				origin, strings.Join(s.origins, ", ")),
		}, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return server.CreateLinkSession201JSONResponse{LinkSessionToken: s.state.open(s.now(), body)}, nil
}

func (s operations) ExchangeToken(_ context.Context, request server.ExchangeTokenRequestObject) (server.ExchangeTokenResponseObject, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	link, err := s.state.exchange(s.now(), request.Body.ExchangeableToken)
	if refused := (refusal{}); errors.As(err, &refused) && refused.status == http.StatusBadRequest {
		return server.ExchangeToken400JSONResponse{ErrorCode: refused.code, ErrorMessage: refused.message}, nil
	}
	if err != nil {
		return nil, err
	}
	return server.ExchangeToken201JSONResponse{LinkID: link.LinkID, Link: link}, nil
}

// registered reports whether an origin is registered for redirects, as every loopback origin is.
func (s *Sandbox) registered(origin string) bool {
	if slices.ContainsFunc(s.origins, func(o string) bool { return originOf(o) == origin }) {
		return true
	}
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip.IsLoopback()
}

// originOf is the scheme://host[:port] of a URL, in lower case and without the scheme's own port; empty if rawURL
// is no absolute URL.
func originOf(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil || u.Scheme == "" || u.Host == "" {
		return ""
	}
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	switch scheme {
	case "http":
		host = strings.TrimSuffix(host, ":80")
	case "https":
		host = strings.TrimSuffix(host, ":443")
	}
	return scheme + "://" + host
}
