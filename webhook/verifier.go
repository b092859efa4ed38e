package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
	"unicode"

	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/internal/transport"
	"github.com/moneykit/moneykit-go/webhook/internal/receiver"
)

// DefaultMaxBodySize is how many bytes of an event's body are accepted by default: 1 MiB.
const DefaultMaxBodySize = 1 << 20

var (
	// ErrInvalidSignature matches the error for a request that is forged, altered, stale or malformed. Respond with 400.
	ErrInvalidSignature = errors.New("invalid signature")

	// ErrKeysUnavailable matches the error for an event that could not be verified because the public keys could not be
	// fetched, or not before the context ended. Respond with 503, so that MoneyKit sends the event again.
	ErrKeysUnavailable = errors.New("keys unavailable")
)

// A Verifier verifies and decodes events. It is safe for concurrent use; make one with [NewVerifier] and keep it, since
// it caches MoneyKit's public keys.
type Verifier struct {
	keys    *keyCache
	last    atomic.Pointer[tokenHeader] // of the last valid token
	maxBody int64
	logger  *slog.Logger // nil: no logging
	now     func() time.Time
}

// An Option changes how a [Verifier] works.
type Option func(*options) error

type options struct {
	baseURLName, baseURL string

	clientID string
	http     *http.Client
	maxBody  int64
	logger   *slog.Logger
	now      func() time.Time

	insecureHTTP bool
}

// WithBaseURL sets where the API is, https://api.moneykit.com by default. The public keys are fetched from
// .well-known/jwks.json below it. It must be https unless its host is loopback; see
// [WithInsecureHTTP].
func WithBaseURL(baseURL string) Option { return withBaseURL("the base URL", baseURL) }

// withBaseURL is WithBaseURL for a URL that errors call by another name.
func withBaseURL(name, baseURL string) Option {
	return func(o *options) error {
		o.baseURLName, o.baseURL = name, baseURL
		return nil
	}
}

// WithClientID sends your client id as X-Client-Id when the public keys are fetched. By default it is not sent.
func WithClientID(id string) Option {
	return func(o *options) error {
		if id == "" {
			return errors.New("WithClientID: the id is empty; leave the option out to send none")
		}
		if strings.ContainsFunc(id, unicode.IsControl) {
			return errors.New("WithClientID: the id contains a control character, such as a line break")
		}
		o.clientID = id
		return nil
	}
}

// WithInsecureHTTP allows http to hosts that are not loopback, for a sandbox that is reached by its name in a network of
// containers. Whoever can change what is sent there can forge events. [NewVerifier] returns an error for it with a
// client id of MoneyKit's live environment, which begins with live_, and otherwise logs a warning, once for each host,
// with the logger of [WithLogger] or [slog.Default].
func WithInsecureHTTP() Option {
	return func(o *options) error {
		o.insecureHTTP = true
		return nil
	}
}

// WithHTTPClient fetches the public keys with a copy of hc that follows no redirect. Without a Timeout of its own,
// a fetch is limited to 10 seconds.
func WithHTTPClient(hc *http.Client) Option {
	return func(o *options) error {
		if hc == nil {
			return transport.ErrNilHTTPClient
		}
		o.http = hc
		return nil
	}
}

// WithMaxBodySize sets how many bytes of an event's body are accepted, [DefaultMaxBodySize] by default.
func WithMaxBodySize(bytes int64) Option {
	return func(o *options) error {
		if bytes <= 0 {
			return fmt.Errorf("WithMaxBodySize: %d; want more than 0", bytes)
		}
		o.maxBody = bytes
		return nil
	}
}

// WithLogger has [Handler] log each request that it responds to with an error status, at warn level: status, reason,
// delivery token and attempt, never a body or a signature. A panic is logged at error level with its stack. By default
// nothing is logged, and a panic goes where net/http would log it.
func WithLogger(l *slog.Logger) Option {
	return func(o *options) error {
		if l == nil {
			return errors.New("WithLogger: the logger is nil; leave the option out for no logging")
		}
		o.logger = l
		return nil
	}
}

// NewVerifier returns a Verifier for MoneyKit's events. It makes no request itself.
func NewVerifier(opts ...Option) (*Verifier, error) {
	o := options{baseURLName: "the base URL", baseURL: gen.ServerURL, maxBody: DefaultMaxBodySize, now: time.Now}
	for _, opt := range opts {
		if opt == nil {
			continue
		}
		if err := opt(&o); err != nil {
			return nil, fmt.Errorf("moneykit: webhook: %w", err)
		}
	}
	base, err := transport.ParseURL(o.baseURLName, o.baseURL, o.insecureHTTP)
	if err != nil {
		return nil, fmt.Errorf("moneykit: webhook: %w", err)
	}
	if o.insecureHTTP {
		if err := transport.AllowInsecureHTTP(base, o.clientID, o.logger); err != nil {
			return nil, fmt.Errorf("moneykit: webhook: %w", err)
		}
	}
	if base.Path == "" {
		base.Path = "/" // or JoinPath makes a relative path
	}
	hc, err := transport.Client(o.http)
	if err != nil {
		return nil, fmt.Errorf("moneykit: webhook: %w", err)
	}
	return &Verifier{
		keys:    newKeyCache(hc, base.JoinPath(".well-known/jwks.json"), o.clientID, o.now),
		maxBody: o.maxBody,
		logger:  o.logger,
		now:     o.now,
	}, nil
}

// Verify returns the event of a request with this header and body, if MoneyKit sent it within the last 5 minutes.
// header has canonical keys, as net/http's has; body is the raw bytes as they were received. Verify waits for a key
// no longer than ctx.
//
// The error matches [ErrInvalidSignature], [ErrKeysUnavailable], or *[http.MaxBytesError] for a body that is too long.
func (v *Verifier) Verify(ctx context.Context, header http.Header, body []byte) (*Event, error) {
	switch {
	case v == nil || v.keys == nil:
		return nil, errors.New("moneykit: webhook: the Verifier is nil or zero; make it with NewVerifier")
	case ctx == nil:
		return nil, errors.New("moneykit: webhook: the context is nil")
	case int64(len(body)) > v.maxBody:
		return nil, tooLong(&http.MaxBytesError{Limit: v.maxBody})
	}
	params, err := bindHeaders(header)
	if err != nil {
		return nil, invalid("%v", err)
	}
	token, err := check(params.MoneyKitSignature, body, v.now(), v.last.Load())
	if err != nil {
		return nil, err
	}
	key, err := v.keys.get(ctx, token.header.KeyID)
	if err != nil {
		return nil, err
	}
	if err := token.verify(key); err != nil {
		return nil, err
	}
	v.last.Store(token.header)
	event, err := decodeEvent(bytes.Clone(body))
	if err != nil {
		return nil, err
	}
	event.DeliveryToken, event.DeliveryAttempt = params.MoneyKitDeliveryToken, params.MoneyKitDeliveryAttempt
	return event, nil
}

// Parse reads the body of r, and returns the event if MoneyKit sent it; see [Verifier.Verify].
func (v *Verifier) Parse(r *http.Request) (*Event, error) {
	if r == nil {
		return nil, errors.New("moneykit: webhook: the request is nil")
	}
	return v.parse(nil, r)
}

// parse is Parse for a request whose connection w can close when the body is too long.
func (v *Verifier) parse(w http.ResponseWriter, r *http.Request) (*Event, error) {
	if v == nil || v.keys == nil || r.Body == nil {
		return v.Verify(r.Context(), r.Header, nil)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, v.maxBody))
	if limit := (*http.MaxBytesError)(nil); errors.As(err, &limit) {
		return nil, tooLong(limit)
	} else if err != nil {
		return nil, &verifyError{kind: ErrInvalidSignature, msg: "the body could not be read", cause: err}
	}
	return v.Verify(r.Context(), r.Header, body)
}

// bindHeaders reads the headers of an event with the code that is compiled from the contract.
func bindHeaders(header http.Header) (receiver.LinkEventParams, error) {
	var b binding
	receiver.LinkEventCallbackHandler(&b, b.fail).ServeHTTP(nil, &http.Request{Header: header})
	return b.params, b.err
}

type binding struct {
	params receiver.LinkEventParams
	err    error
}

func (b *binding) HandleLinkEventCallback(_ http.ResponseWriter, _ *http.Request, params receiver.LinkEventParams) {
	b.params = params
}

func (b *binding) fail(_ http.ResponseWriter, _ *http.Request, err error) { b.err = err }

// A verifyError is why there is no event. Neither the body nor the signature is part of its text.
type verifyError struct {
	kind  error // ErrInvalidSignature, ErrKeysUnavailable or nil
	msg   string
	cause error // may be nil
}

func (e *verifyError) Error() string {
	text := "moneykit: webhook: "
	if e.kind != nil {
		text += e.kind.Error() + ": "
	}
	text += e.msg
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	return text
}

func (e *verifyError) Unwrap() []error {
	var errs []error
	for _, err := range []error{e.kind, e.cause} {
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

func invalid(format string, args ...any) error {
	return &verifyError{kind: ErrInvalidSignature, msg: fmt.Sprintf(format, args...)}
}

func tooLong(limit *http.MaxBytesError) error {
	return &verifyError{msg: fmt.Sprintf("the body is longer than %d bytes (see WithMaxBodySize)", limit.Limit), cause: limit}
}
