package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"time"

	"github.com/moneykit/moneykit-go/auth"
	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/internal/transport"
)

const (
	// DefaultTimeout bounds one attempt of a call, from dialling to the last byte of the answer.
	DefaultTimeout = 60 * time.Second

	// DefaultMaxBodySize is how many bytes of an answer are read at most, decompressed.
	DefaultMaxBodySize = 1 << 20
)

// A Client makes the calls of MoneyKit's LinkSession API. It is safe for concurrent use; make one with [New] or
// [FromEnv] and keep it.
type Client struct {
	source    *auth.Source
	transport http.RoundTripper
	editors   []gen.RequestEditorFn
	timeout   time.Duration // of an attempt
	retry     RetryPolicy
	logger    *slog.Logger // nil: no logging
	maxBody   int64
	baseURL   string

	createLinkSession operation[gen.CreateLinkSessionRequest, gen.CreateLinkSessionResponse]
	exchangeToken     operation[gen.ExchangeTokenRequest, gen.ExchangeTokenResponse]
}

// An Option changes how a [Client] works.
type Option func(*options) error

type options struct {
	baseURL string
	http    *http.Client
	timeout time.Duration
	client  Client
}

// WithBaseURL sets where the API is, https://api.moneykit.com by default. A path in it is kept. It must be https
// unless its host is loopback, and should go with [auth.WithTokenURL]: tokens of one environment are not known to
// another.
func WithBaseURL(baseURL string) Option {
	return func(o *options) error {
		o.baseURL = baseURL
		return nil
	}
}

// WithHTTPClient sends calls through hc's Transport, which sees every attempt as a request of its own. Where hc.Timeout is
// set, it stands in for [DefaultTimeout]. Redirects are not followed, and cookies are not kept.
func WithHTTPClient(hc *http.Client) Option {
	return func(o *options) error {
		if hc == nil {
			return transport.ErrNilHTTPClient
		}
		o.http = hc
		return nil
	}
}

// WithTimeout bounds each attempt, [DefaultTimeout] by default. A call as a whole is bounded by its context.
func WithTimeout(d time.Duration) Option {
	return func(o *options) error {
		if d <= 0 {
			return fmt.Errorf("WithTimeout: %v; want more than 0", d)
		}
		o.timeout = d
		return nil
	}
}

// WithMaxBodySize sets how many bytes of an answer are read at most, [DefaultMaxBodySize] by default. A longer
// answer is an [*Error].
func WithMaxBodySize(bytes int64) Option {
	return func(o *options) error {
		if bytes <= 0 {
			return fmt.Errorf("WithMaxBodySize: %d; want more than 0", bytes)
		}
		o.client.maxBody = min(bytes, math.MaxInt64-1) // one more byte is read, to see that there is one
		return nil
	}
}

// WithRetryPolicy sets when and how often a call is repeated; see [RetryPolicy].
func WithRetryPolicy(p RetryPolicy) Option {
	return func(o *options) (err error) {
		o.client.retry, err = p.withDefaults()
		return err
	}
}

// WithRequestEditor has edit change each attempt's request before it is sent, the token already on it. An error of
// edit ends the call. Editors run in the order given.
func WithRequestEditor(edit gen.RequestEditorFn) Option {
	return func(o *options) error {
		if edit == nil {
			return errors.New("WithRequestEditor: the editor is nil")
		}
		o.client.editors = append(o.client.editors, edit)
		return nil
	}
}

// WithLogger logs one line for each attempt: operation, attempt, status (0 for no answer), duration and request_id,
// and nothing else. An attempt that succeeds is logged at debug level, one that fails at warn level. By default
// nothing is logged.
func WithLogger(l *slog.Logger) Option {
	return func(o *options) error {
		if l == nil {
			return errors.New("WithLogger: the logger is nil; leave the option out for no logging")
		}
		o.client.logger = l
		return nil
	}
}

// New returns a Client that takes its tokens from source. It makes no request itself.
func New(source *auth.Source, opts ...Option) (*Client, error) {
	o, err := apply(gen.ServerURL, opts)
	if err != nil {
		return nil, err
	}
	return o.build(source)
}

func apply(baseURL string, opts []Option) (*options, error) {
	o := options{baseURL: baseURL}
	o.client.maxBody = DefaultMaxBodySize
	o.client.retry, _ = RetryPolicy{}.withDefaults()
	for i, opt := range opts {
		if opt == nil {
			return nil, fmt.Errorf("api: option %d is nil", i+1)
		}
		if err := opt(&o); err != nil {
			return nil, fmt.Errorf("api: %w", err)
		}
	}
	return &o, nil
}

func (o *options) build(source *auth.Source) (*Client, error) {
	if source == nil {
		return nil, errors.New("api: the token source is nil; make one with auth.ClientCredentials")
	}
	base, err := transport.ParseURL("the base URL", o.baseURL)
	if err != nil {
		return nil, fmt.Errorf("api: %w", err)
	}
	c := o.client
	c.source = source
	c.baseURL = base.String()
	hc, err := transport.Client(o.http)
	if err != nil {
		return nil, fmt.Errorf("api: %w", err)
	}
	c.transport = hc.Transport
	c.timeout = cmp.Or(o.timeout, hc.Timeout, DefaultTimeout)
	if err := c.bindOperations(c.baseURL); err != nil {
		return nil, fmt.Errorf("api: %w", err)
	}
	return &c, nil
}

// String names the API that c calls.
func (c *Client) String() string {
	if c == nil || c.baseURL == "" {
		return "api.Client"
	}
	u, _ := url.Parse(c.baseURL)
	return "api.Client(" + transport.Place(u) + ")"
}

// GoString is String.
func (c *Client) GoString() string { return c.String() }

// CreateLinkSession creates a link session for one end user (operation create_link_session). The answer's
// LinkSessionToken starts MoneyKit Connect in that user's browser.
//
// CustomerUser.ID and RedirectURI are required; without them nothing is sent. Since a session that nobody uses harms
// nobody, the call is repeated after every failure that may pass, as [RetryPolicy] says. Every error is an [*Error].
func (c *Client) CreateLinkSession(ctx context.Context, req gen.CreateLinkSessionRequest, opts ...CallOption) (*gen.CreateLinkSessionResponse, error) {
	if c == nil {
		c = new(Client)
	}
	return call(ctx, c, &c.createLinkSession, &req, opts)
}

// ExchangeToken exchanges what Connect's success callback returned for the link (operation exchange_token). Store
// the answer's Link.LinkID.
//
// ExchangeableToken is required; without it nothing is sent. Every error is an [*Error].
//
// A token can be exchanged once, so the call is repeated only when it was surely not carried out. When that cannot be
// told, because the connection broke or the answer cannot be read, the error says so: errors.Is(err,
// [ErrOutcomeUnknown]). The link may then exist. Look for it before you send the user through Connect again:
//
//   - [Error.Body] holds as much of an answer as arrived, and that may be enough to read the link_id from.
//   - MoneyKit sends the event link.state_changed, with link_id and link_tags, to the session's webhook.
//   - Calling ExchangeToken once more breaks nothing. If it succeeds, the first call had no effect and this is the link.
//     If it returns [ErrInvalidTokenExchange], either the first call took effect, and the webhook, or MoneyKit's support
//     with your link_tags, tells the link's id; or the token was never valid, or has expired, and there is no link.
func (c *Client) ExchangeToken(ctx context.Context, req gen.ExchangeTokenRequest, opts ...CallOption) (*gen.ExchangeTokenResponse, error) {
	if c == nil {
		c = new(Client)
	}
	return call(ctx, c, &c.exchangeToken, &req, opts)
}
