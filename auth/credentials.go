package auth

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
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
	// DefaultTokenURL is where [ClientCredentials] gets its tokens unless [WithTokenURL] says otherwise.
	DefaultTokenURL = "https://api.moneykit.com/auth/token"

	// fetchTimeout bounds a token request, which no caller's context does.
	fetchTimeout = 30 * time.Second

	// maxAnswer is how many bytes of an answer are read at most.
	maxAnswer = 1 << 20
)

// An Option changes how [ClientCredentials] gets its tokens.
type Option func(*options) error

type options struct {
	conf   clientcredentials.Config
	client *http.Client
}

// WithTokenURL sets the token endpoint, [DefaultTokenURL] by default. It must be https unless its host is loopback.
func WithTokenURL(tokenURL string) Option {
	return func(o *options) error {
		o.conf.TokenURL = tokenURL
		return nil
	}
}

// WithScopes asks for scopes (RFC 6749, section 3.3). By default none is sent, and the server decides.
func WithScopes(scopes ...string) Option {
	return func(o *options) error {
		for _, s := range scopes {
			if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }) {
				return fmt.Errorf("WithScopes: %q is not a scope; give each as one word", s)
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

// WithHTTPClient sends token requests through a copy of hc, which follows no redirects.
func WithHTTPClient(hc *http.Client) Option {
	return func(o *options) error {
		if hc == nil {
			return transport.ErrNilHTTPClient
		}
		o.client = hc
		return nil
	}
}

// ClientCredentials returns a [Source] that gets its tokens with the OAuth 2.0 client credentials grant (RFC 6749,
// section 4.4). It makes no request itself. The credentials go into the form body, or with [WithBasicAuth] into a
// header. A token request ends after 30 seconds.
//
// A token is used for as long as its expires_in says. Where that is missing, zero or negative, the token is kept
// until a server refuses it and [Source.Invalidate] is called.
func ClientCredentials(clientID, clientSecret string, opts ...Option) (*Source, error) {
	o := options{conf: clientcredentials.Config{
		ClientID:     clientID,
		ClientSecret: clientSecret,
		TokenURL:     DefaultTokenURL,
		AuthStyle:    oauth2.AuthStyleInParams, // detection would send every failing request twice
	}}
	for i, opt := range opts {
		if opt == nil {
			return nil, fmt.Errorf("auth: option %d is nil", i+1)
		}
		if err := opt(&o); err != nil {
			return nil, fmt.Errorf("auth: %w", err)
		}
	}
	for _, c := range []struct{ name, value string }{{"client ID", clientID}, {"client secret", clientSecret}} {
		if c.value == "" {
			return nil, fmt.Errorf("auth: the %s is empty", c.name)
		}
		if strings.ContainsFunc(c.value, unicode.IsControl) {
			return nil, fmt.Errorf("auth: the %s holds a control character, such as a line end", c.name)
		}
	}
	u, err := transport.ParseURL("the token URL", o.conf.TokenURL)
	if err != nil {
		return nil, fmt.Errorf("auth: %w", err)
	}
	client, err := transport.Client(o.client)
	if err != nil {
		return nil, fmt.Errorf("auth: %w", err)
	}
	e := endpoint{conf: &o.conf, client: client, place: transport.Place(u)}
	return newSource(e.place, e.fetch), nil
}

// An endpoint is a token endpoint and the credentials for it. Only a Source's fetch function holds one, so that
// nothing that prints a Source gets to see it.
type endpoint struct {
	conf   *clientcredentials.Config
	client *http.Client
	place  string
}

func (e endpoint) fetch(ctx context.Context) (*Token, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	client := *e.client
	rt := roundTripper{base: client.Transport}
	client.Transport = &rt
	t, err := e.conf.Token(context.WithValue(ctx, oauth2.HTTPClient, &client))
	if err != nil {
		out := explain(err, e.secrets()...)
		if out == nil {
			out = &Error{err: errors.New("the answer is not a token response (RFC 6749, section 5.1) of at most 1 MiB")}
		}
		out.StatusCode, out.place = rt.status, e.place
		return nil, out
	}
	now := time.Now()
	if !t.Expiry.After(now) { // an expires_in that means nothing
		t.Expiry = time.Time{}
	}
	tok, err := newToken(t, now)
	if err != nil {
		return nil, &Error{StatusCode: rt.status, place: e.place, err: transport.CleanError(err, e.secrets()...)}
	}
	return tok, nil
}

// secrets are the credentials, as they are and as they are encoded for sending.
func (e endpoint) secrets() []string {
	id, secret := url.QueryEscape(e.conf.ClientID), url.QueryEscape(e.conf.ClientSecret)
	return []string{e.conf.ClientSecret, secret, base64.StdEncoding.EncodeToString([]byte(id + ":" + secret))}
}

// A roundTripper serves one token request: it puts our headers on, keeps the status, which x/oauth2 drops when it
// cannot read a success, and reads the answer, whose end x/oauth2 does not tell from a break.
type roundTripper struct {
	base   http.RoundTripper
	status int
}

func (rt *roundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	transport.SetHeaders(req.Header)
	res, err := transport.RoundTrip(rt.base, req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	rt.status = res.StatusCode
	var data []byte
	if res.StatusCode != http.StatusSwitchingProtocols { // whose body is the bare connection, and may never end
		data, err = io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	}
	if err != nil && res.StatusCode/100 == 2 { // any other status says enough
		return nil, fmt.Errorf("the answer broke off: %w", err)
	}
	res.Body = io.NopCloser(bytes.NewReader(transport.TrimBOM(data)))
	// http.Client drops an answer for a Location that is no URL, although it is told to follow none.
	res.Header.Del("Location")
	// x/oauth2 reads text/plain as a query string. MoneyKit sends JSON, whatever a proxy makes of its label.
	res.Header.Set("Content-Type", "application/json")
	return res, nil
}
