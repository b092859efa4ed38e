// Package transport holds what auth and api both need to speak HTTP safely: which URLs may carry a secret, a client
// that follows no redirect, Retry-After, and text from outside made fit to print.
package transport

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"sync"
)

const (
	// Version is this module's version, as in CHANGELOG.md and the contract's info.version.
	Version = "0.2.0"
	// APIVersion is the value of the MoneyKit-Version header: the shape of answers that the contract describes.
	APIVersion = "2023-02-18"
)

var userAgent = "moneykit-go/" + Version + " (" + runtime.Version() + ")"

// SetHeaders sets what every request to MoneyKit carries: its API version, and who is calling.
func SetHeaders(h http.Header) {
	h.Set("MoneyKit-Version", APIVersion)
	h.Set("User-Agent", userAgent)
}

// sharedTransport is http.DefaultTransport but for its limit of two idle connections a host: all of a client's
// calls go to one host, and a connection that cannot be kept is a TLS handshake on the next call.
var sharedTransport = sync.OnceValue(func() http.RoundTripper {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}
	t = t.Clone()
	t.MaxIdleConnsPerHost = t.MaxIdleConns
	return t
})

// Client returns a copy of hc, or of a default client for nil, that hands a redirect back instead of following
// it: a 307 would send the body, and with it a secret, to wherever the answer points.
func Client(hc *http.Client) (*http.Client, error) {
	c := http.Client{}
	if hc != nil {
		c = *hc
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if c.Transport == nil {
		c.Transport = sharedTransport()
	}
	if t, ok := c.Transport.(*http.Transport); ok && t.TLSClientConfig != nil {
		if v := t.TLSClientConfig.MinVersion; v != 0 && v < tls.VersionTLS12 {
			return nil, fmt.Errorf("the HTTP client's TLSClientConfig.MinVersion is %s; leave it unset, or set TLS 1.2 or later",
				tls.VersionName(v))
		}
	}
	return &c, nil
}

// RoundTrip sends r once, and returns an answer that has a header and a body, whatever rt makes of it.
func RoundTrip(rt http.RoundTripper, r *http.Request) (*http.Response, error) {
	res, err := rt.RoundTrip(r)
	switch {
	case err != nil:
		return nil, err
	case res == nil:
		return nil, errors.New("the HTTP client's Transport returned neither an answer nor an error")
	}
	if res.Header == nil {
		res.Header = http.Header{}
	}
	if res.Body == nil {
		res.Body = http.NoBody
	}
	return res, nil
}

// ErrNilHTTPClient is what both packages' WithHTTPClient say of nil.
var ErrNilHTTPClient = errors.New("WithHTTPClient: the client is nil; leave the option out for the default")
