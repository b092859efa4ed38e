package auth

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/moneykit/moneykit-go/internal/transport"
)

const (
	// DefaultTokenURL is the token endpoint of [ClientCredentials] unless [WithTokenURL] sets another.
	DefaultTokenURL = "https://api.moneykit.com/auth/token"

	// fetchTimeout bounds a token request, which outlives the context of the caller that started it.
	fetchTimeout = 30 * time.Second

	// maxBody is the maximum number of bytes of a response body.
	maxBody = 1 << 20
)

// An Option configures [ClientCredentials].
type Option func(*options) error

type options struct {
	conf         clientcredentials.Config
	client       *http.Client
	insecureHTTP bool
}

// WithTokenURL sets the token endpoint, [DefaultTokenURL] by default. It must be https unless its host is loopback; see
// [WithInsecureHTTP].
func WithTokenURL(tokenURL string) Option {
	return func(o *options) error {
		o.conf.TokenURL = tokenURL
		return nil
	}
}

// WithScopes requests scopes (RFC 6749, section 3.3). By default none is sent, and the server decides.
func WithScopes(scopes ...string) Option {
	return func(o *options) error {
		for _, s := range scopes {
			if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }) {
				return fmt.Errorf("WithScopes: %q is not a scope; pass each scope as an argument of its own", s)
			}
		}
		o.conf.Scopes = slices.Clone(scopes)
		return nil
	}
}

// WithBasicAuth sends the credentials as HTTP Basic (RFC 6749, section 2.3.1) instead of in the form body.
func WithBasicAuth() Option {
	return func(o *options) error {
		o.conf.AuthStyle = oauth2.AuthStyleInHeader
		return nil
	}
}

// WithHTTPClient sends token requests through a copy of hc that follows no redirects.
func WithHTTPClient(hc *http.Client) Option {
	return func(o *options) error {
		if hc == nil {
			return transport.ErrNilHTTPClient
		}
		o.client = hc
		return nil
	}
}

// WithInsecureHTTP allows http to hosts that are not loopback, for a sandbox that is reached by its name in a network of
// containers. The client secret and the tokens are sent unencrypted. [ClientCredentials] returns an error for it with a
// client ID of MoneyKit's live environment, which begins with live_, and otherwise logs a warning with [slog.Default],
// once for each host. [Source.RequestEditor] then allows http too.
func WithInsecureHTTP() Option {
	return func(o *options) error {
		o.insecureHTTP = true
		return nil
	}
}

// ClientCredentials returns a [Source] that fetches tokens with the OAuth 2.0 client credentials grant (RFC 6749,
// section 4.4). It sends no request itself. The credentials are sent in the form body, or with [WithBasicAuth] in a
// header. A token request times out after 30 seconds.
//
// A token is used until its expires_in has passed. One without expires_in, or with zero or less, is used until
// [Source.Invalidate] is called.
func ClientCredentials(clientID, clientSecret string, opts ...Option) (*Source, error) {
	o := options{conf: clientcredentials.Config{
		ClientID:     clientID,
		ClientSecret: clientSecret,
		TokenURL:     DefaultTokenURL,
		AuthStyle:    oauth2.AuthStyleInParams, // detection would send every failing request twice
	}}
	for i, opt := range opts {
		if opt == nil {
			return nil, fmt.Errorf("moneykit: auth: option %d is nil", i+1)
		}
		if err := opt(&o); err != nil {
			return nil, fmt.Errorf("moneykit: auth: %w", err)
		}
	}
	for _, c := range []struct{ name, value string }{{"client ID", clientID}, {"client secret", clientSecret}} {
		if c.value == "" {
			return nil, fmt.Errorf("moneykit: auth: the %s is empty", c.name)
		}
		if strings.ContainsFunc(c.value, unicode.IsControl) {
			return nil, fmt.Errorf("moneykit: auth: the %s contains a control character, such as a line break", c.name)
		}
	}
	u, err := transport.ParseURL("the token URL", o.conf.TokenURL, o.insecureHTTP)
	if err != nil {
		return nil, fmt.Errorf("moneykit: auth: %w", err)
	}
	if o.insecureHTTP {
		if err := transport.AllowInsecureHTTP(u, clientID, nil); err != nil {
			return nil, fmt.Errorf("moneykit: auth: %w", err)
		}
	}
	client, err := transport.Client(o.client)
	if err != nil {
		return nil, fmt.Errorf("moneykit: auth: %w", err)
	}
	e := endpoint{conf: &o.conf, client: client, redactor: redactorOf(clientID, clientSecret)}
	return &Source{fetch: e.fetch, clientID: clientID, tokenURL: o.conf.TokenURL, scopes: o.conf.Scopes, endpoint: transport.HostPath(u),
		insecureHTTP: o.insecureHTTP}, nil
}

// redactorOf knows the client secret as it is and as it is encoded for sending.
func redactorOf(clientID, clientSecret string) transport.Redactor {
	id, secret := url.QueryEscape(clientID), url.QueryEscape(clientSecret)
	return transport.NewRedactor(clientSecret, base64.StdEncoding.EncodeToString([]byte(id+":"+secret)))
}

// An endpoint is a token endpoint and the credentials for it. Only the fetch function of a Source holds one, so that
// printing a Source cannot print the secret.
type endpoint struct {
	conf     *clientcredentials.Config
	client   *http.Client
	redactor transport.Redactor
}

func (e endpoint) fetch(ctx context.Context) (*Token, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	sender := &sender{base: e.client.Transport}
	client := *e.client
	client.Transport = sender
	t, err := e.conf.Token(context.WithValue(ctx, oauth2.HTTPClient, &client))
	if err != nil {
		failed := explain(err, e.redactor)
		failed.StatusCode = sender.status // x/oauth2 drops it when it cannot read a 2xx
		return nil, failed
	}
	now := time.Now()
	if !t.Expiry.After(now) { // expires_in is missing or makes no sense
		t.Expiry = time.Time{}
	}
	tok, err := newToken(t, now)
	if err != nil {
		return nil, &Error{StatusCode: sender.status, err: e.redactor.CleanError(err)}
	}
	return tok, nil
}

// A sender puts our headers on a token request, and keeps the status of the response.
type sender struct {
	base   http.RoundTripper
	status int
}

func (s *sender) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	transport.SetHeaders(req.Header, transport.UserAgent)
	res, err := transport.RoundTrip(s.base, req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	s.status = res.StatusCode
	// Read here, because x/oauth2 drops the cause when the connection breaks.
	data, err := io.ReadAll(io.LimitReader(res.Body, maxBody))
	if err != nil && res.StatusCode/100 == 2 {
		return nil, fmt.Errorf("the connection broke within the response: %w", err)
	}
	res.Body = io.NopCloser(bytes.NewReader(transport.TrimBOM(data)))
	res.Header.Set("Content-Type", "application/json") // x/oauth2 reads text/plain, a usual mistake, as a form
	res.Header.Del("Location")                         // http.Client drops the response if it cannot parse it
	return res, nil
}
