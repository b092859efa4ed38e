package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/moneykit/moneykit-go/auth"
	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/internal/transport"
)

// A Client calls MoneyKit's LinkSession API. It is safe for concurrent use; make one with [FromCredentials], [FromEnv]
// or [New] and keep it.
type Client struct {
	settings
	generated *gen.Client         // builds the requests
	bearer    gen.RequestEditorFn // source.RequestEditor
	source    *auth.Source
	transport http.RoundTripper
	logger    *slog.Logger // nil: no logging
	maxBody   int64
	http1     *atomic.Bool // the last response was HTTP/1.x

	insecureHTTP bool
}

// FromCredentials returns a Client that authenticates with the OAuth 2.0 client credentials grant. Tokens are fetched
// from /auth/token of the base URL, which is https://api.moneykit.com unless [WithBaseURL] sets another. The client of
// [WithHTTPClient] sends token requests too. It sends no request itself.
func FromCredentials(clientID, clientSecret string, opts ...Option) (*Client, error) {
	c, err := configure(clientID, opts)
	if err != nil {
		return nil, err
	}
	sourceOpts := []auth.Option{auth.WithTokenURL(strings.TrimSuffix(c.baseURL, "/") + "/auth/token")}
	if c.client.insecureHTTP {
		sourceOpts = append(sourceOpts, auth.WithInsecureHTTP())
	}
	if c.http != nil {
		sourceOpts = append(sourceOpts, auth.WithHTTPClient(c.http))
	}
	source, err := auth.ClientCredentials(clientID, clientSecret, sourceOpts...)
	if err != nil {
		return nil, err
	}
	return c.build(source)
}

// New returns a Client that takes its tokens from source. It sends no request itself. With [WithBaseURL], source needs
// the token URL of the same environment.
func New(source *auth.Source, opts ...Option) (*Client, error) {
	c, err := configure(source.ClientID(), opts)
	if err != nil {
		return nil, err
	}
	return c.build(source)
}

func configure(clientID string, opts []Option) (*config, error) {
	c := &config{baseURL: gen.ServerURL, userAgent: transport.UserAgent}
	c.client.maxBody = DefaultMaxBodySize
	c.client.retry, _ = RetryPolicy{}.withDefaults()
	for _, opt := range opts {
		if opt == nil {
			return nil, errors.New("moneykit: api: an option is nil")
		}
		if err := opt.configure(c); err != nil {
			return nil, fmt.Errorf("moneykit: api: %w", err)
		}
	}
	u, err := transport.ParseURL(c.baseURLName, c.baseURL, c.client.insecureHTTP)
	if err != nil {
		return nil, fmt.Errorf("moneykit: api: %w", err)
	}
	if c.client.insecureHTTP {
		if err := transport.AllowInsecureHTTP(u, clientID, c.client.logger); err != nil {
			return nil, fmt.Errorf("moneykit: api: %w", err)
		}
	}
	return c, nil
}

func (c *config) build(source *auth.Source) (*Client, error) {
	if source == nil {
		return nil, errors.New("moneykit: api: the token source is nil; make one with auth.ClientCredentials")
	}
	if strings.TrimSuffix(c.baseURL, "/") != gen.ServerURL && source.TokenURL() == auth.DefaultTokenURL {
		return nil, fmt.Errorf("moneykit: api: the base URL is %s, but the token source would send the credentials to %s; "+
			"set auth.WithTokenURL, or use FromCredentials", c.baseURL, auth.DefaultTokenURL)
	}
	hc, err := transport.Client(c.http)
	if err != nil {
		return nil, fmt.Errorf("moneykit: api: %w", err)
	}
	client := c.client
	client.source, client.bearer, client.transport = source, source.RequestEditor, hc.Transport
	if client.insecureHTTP { // here the client's option counts, not the source's
		client.bearer = func(ctx context.Context, r *http.Request) error {
			tok, err := source.Token(ctx)
			if err == nil {
				tok.SetAuthHeader(r)
			}
			return err
		}
	}
	client.http1 = new(atomic.Bool)
	client.timeout = cmp.Or(client.timeout, max(hc.Timeout, 0), DefaultTimeout)
	client.editors = slices.Clip(client.editors) // a call appends its own, and the token's
	client.generated, err = gen.NewClient(c.baseURL, gen.WithRequestEditorFn(setHeaders(c.userAgent)))
	if err != nil {
		return nil, fmt.Errorf("moneykit: api: %w", err)
	}
	return &client, nil
}

func setHeaders(userAgent string) gen.RequestEditorFn {
	return func(_ context.Context, r *http.Request) error {
		r.Header.Set("Accept", "application/json")
		transport.SetHeaders(r.Header, userAgent)
		return nil
	}
}

// String names the API that c calls.
func (c *Client) String() string {
	if c == nil || c.generated == nil {
		return "api.Client"
	}
	return "api.Client(" + c.hostPath() + ")"
}

func (c *Client) hostPath() string {
	u, _ := url.Parse(c.generated.Server) // New parsed it
	return transport.HostPath(u)
}

// GoString is String.
func (c *Client) GoString() string { return c.String() }

var createLinkSession = operation[gen.CreateLinkSessionResponse]{
	id:         "create_link_session",
	idempotent: true,
	decode: func(body []byte) (*gen.CreateLinkSessionResponse, error) {
		r, err := decodeJSON[gen.CreateLinkSessionResponse](body)
		if err == nil && r.LinkSessionToken == "" {
			return nil, errors.New("link_session_token is missing")
		}
		return r, err
	},
}

// CreateLinkSession creates a link session for one end user (operation create_link_session). The LinkSessionToken of
// the response starts MoneyKit Connect in that user's browser.
//
// CustomerUser.ID and RedirectURI are required; without them nothing is sent. A session that nobody uses expires, so
// the call is retried after every transient failure; see [RetryPolicy]. Every error is an [*Error].
func (c *Client) CreateLinkSession(ctx context.Context, req gen.CreateLinkSessionRequest, opts ...CallOption) (*gen.CreateLinkSessionResponse, error) {
	return call(ctx, c, &createLinkSession, opts, input{
		missing: missing(createLinkSession.id, field{"customer_user.id", req.CustomerUser.ID}, field{"redirect_uri", req.RedirectURI}),
		send: func(ctx context.Context, g *gen.Client, editors []gen.RequestEditorFn) (*http.Response, error) {
			return g.CreateLinkSession(ctx, req, editors...)
		},
	})
}

var exchangeToken = operation[gen.ExchangeTokenResponse]{id: "exchange_token", decode: decodeLink}

// ExchangeToken exchanges what Connect's success callback returned for the link (operation exchange_token). Store the
// Link.LinkID of the response.
//
// A token can be exchanged once, so pass a context that does not end when the end user closes the page:
//
//	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), time.Minute)
//	defer cancel()
//
// ExchangeableToken is required; without it nothing is sent. The call is retried only after failures that [RetryPolicy]
// lists for it. Every error is an [*Error]. Unless errors.Is(err, [ErrOutcomeUnknown]), the token was not exchanged by
// this call. If it is, the connection broke or the response could not be read, and the link may exist:
//
//   - MoneyKit sends the event link.state_changed, with link_id and link_tags, to the session's webhook right after the
//     exchange. Give each session a tag of its own, and receive the event with package
//     [github.com/moneykit/moneykit-go/webhook].
//   - Calling ExchangeToken again is safe. If it succeeds, the first call was not processed, and this is the link. If it
//     returns [ErrInvalidTokenExchange], either the first call was processed and the event brings the link_id, or the
//     token was never valid or has expired, and there is no link.
//   - [Error.Body] contains as much of the response as arrived.
//
// A response whose link_id can be read is a success even if a part of it cannot: then only Link.LinkID is certain to be
// there, and [WithLogger] logs a warning.
func (c *Client) ExchangeToken(ctx context.Context, req gen.ExchangeTokenRequest, opts ...CallOption) (*gen.ExchangeTokenResponse, error) {
	return call(ctx, c, &exchangeToken, opts, input{
		missing: missing(exchangeToken.id, field{"exchangeable_token", req.ExchangeableToken}),
		secret:  req.ExchangeableToken,
		send: func(ctx context.Context, g *gen.Client, editors []gen.RequestEditorFn) (*http.Response, error) {
			return g.ExchangeToken(ctx, req, editors...)
		},
	})
}
