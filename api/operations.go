package api

import (
	"errors"
	"net/http"
	"strings"

	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/internal/transport"
)

// An operation of the contract, whose request body is a Req and whose success is a Res.
type operation[Req, Res any] struct {
	id      string        // operationId
	request *http.Request // method, URL and headers, as the generated code builds them; cloned for each attempt

	// idempotent: carrying it out twice harms nobody.
	idempotent bool
	// missing returns the locations of required fields that are empty.
	missing func(*Req) [][]any
	// secret returns what of a request no error may repeat.
	secret func(*Req) string
	// complete checks what decoding does not, the required fields that a caller cannot do without.
	complete func(*Res) error
}

// The statuses of success are the contract's: these lines stop compiling when it names another.
var (
	_ *gen.CreateLinkSessionResponse = gen.CreateLinkSessionResult{}.JSON201
	_ *gen.ExchangeTokenResponse     = gen.ExchangeTokenResult{}.JSON201
)

func (c *Client) bindOperations(baseURL string) error {
	// Paths, methods and the content type come from the generated request constructors. They are run once here
	// rather than on each call, because they parse and print the URL several times.
	create, err := gen.NewCreateLinkSessionRequestWithBody(withSlash(baseURL), "application/json", nil)
	if err != nil {
		return err
	}
	exchange, err := gen.NewExchangeTokenRequestWithBody(withSlash(baseURL), "application/json", nil)
	if err != nil {
		return err
	}
	for _, r := range []*http.Request{create, exchange} {
		r.Header.Set("Accept", "application/json")
		transport.SetHeaders(r.Header)
	}
	c.createLinkSession = operation[gen.CreateLinkSessionRequest, gen.CreateLinkSessionResponse]{
		id:         "create_link_session",
		request:    create,
		idempotent: true,
		secret:     func(*gen.CreateLinkSessionRequest) string { return "" },
		missing: func(r *gen.CreateLinkSessionRequest) (fields [][]any) {
			if r.CustomerUser.ID == "" {
				fields = append(fields, []any{"body", "customer_user", "id"})
			}
			if r.RedirectURI == "" {
				fields = append(fields, []any{"body", "redirect_uri"})
			}
			return fields
		},
		complete: func(r *gen.CreateLinkSessionResponse) error {
			if r.LinkSessionToken == "" {
				return errors.New("link_session_token is missing")
			}
			return nil
		},
	}
	c.exchangeToken = operation[gen.ExchangeTokenRequest, gen.ExchangeTokenResponse]{
		id:      "exchange_token",
		request: exchange,
		secret:  func(r *gen.ExchangeTokenRequest) string { return r.ExchangeableToken },
		missing: func(r *gen.ExchangeTokenRequest) (fields [][]any) {
			if r.ExchangeableToken == "" {
				fields = append(fields, []any{"body", "exchangeable_token"})
			}
			return fields
		},
		complete: func(r *gen.ExchangeTokenResponse) error {
			if r.Link.LinkID == "" {
				return errors.New("link.link_id is missing")
			}
			if r.LinkID == "" { // deprecated, and no reason to lose a link
				r.LinkID = r.Link.LinkID
			}
			return nil
		},
	}
	return nil
}

// withSlash ends a base URL such that the generated code keeps the whole of its path.
func withSlash(baseURL string) string { return strings.TrimSuffix(baseURL, "/") + "/" }
