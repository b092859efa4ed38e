// Package transport is what api, auth and webhook share to send requests safely: which URLs may carry a secret, a client that
// follows no redirect, Retry-After, and redaction of texts from outside.
package transport

import (
	"compress/gzip"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"time"
)

const (
	// Version is this module's version, as in CHANGELOG.md and the contract's info.version.
	Version = "0.2.0"
	// APIVersion is the value of the MoneyKit-Version header: the version of the API that the contract describes.
	APIVersion = "2023-02-18"
)

// UserAgent is the User-Agent of every request.
var UserAgent = "moneykit-go/" + Version + " (" + runtime.Version() + ")"

// SetHeaders sets what every request to MoneyKit carries: the API's version, and the client's name and version, which
// begin with UserAgent.
func SetHeaders(h http.Header, userAgent string) {
	h.Set("Moneykit-Version", APIVersion) // canonical, so that Set does not allocate another
	h.Set("User-Agent", userAgent)
}

// sharedTransport is http.DefaultTransport without its limit of two idle connections per host: all calls go to one
// host, and every connection that is not kept costs a TLS handshake.
var sharedTransport = sync.OnceValue(func() http.RoundTripper {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}
	t = t.Clone()
	t.MaxIdleConnsPerHost = t.MaxIdleConns
	// Without pings, calls go on to use an HTTP/2 connection that is dead until the operating system notices.
	t.HTTP2 = &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 15 * time.Second}
	return t
})

// Client returns a copy of hc, or a default client for nil, that does not follow redirects: a 307 would send the body,
// and with it a secret, to wherever the response points.
func Client(hc *http.Client) (*http.Client, error) {
	c := http.Client{}
	if hc != nil {
		c = *hc
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if c.Transport == nil {
		c.Transport = sharedTransport()
	}
	if v := reflect.ValueOf(c.Transport); (v.Kind() == reflect.Pointer || v.Kind() == reflect.Func) && v.IsNil() {
		return nil, fmt.Errorf("WithHTTPClient: the client's Transport is a nil %T; leave it unset for the default", c.Transport)
	}
	if t, ok := c.Transport.(*http.Transport); ok && t.TLSClientConfig != nil {
		if v := t.TLSClientConfig.MinVersion; v != 0 && v < tls.VersionTLS12 {
			return nil, fmt.Errorf("WithHTTPClient: the client's TLSClientConfig.MinVersion is %s; leave it unset, or set TLS 1.2 or later",
				tls.VersionName(v))
		}
	}
	return &c, nil
}

// RoundTrip sends r once. A response always has a header and a body that can be read to its end.
func RoundTrip(rt http.RoundTripper, r *http.Request) (*http.Response, error) {
	res, err := rt.RoundTrip(r)
	switch {
	case err != nil:
		return nil, err
	case res == nil:
		return nil, errors.New("the HTTP client's Transport returned neither a response nor an error")
	}
	if res.Header == nil {
		res.Header = http.Header{}
	}
	if res.Body != nil && res.StatusCode == http.StatusSwitchingProtocols { // the body is the connection, and may never end
		_ = res.Body.Close()
		res.Body = nil
	}
	if res.Body == nil {
		res.Body = http.NoBody
	}
	switch strings.ToLower(res.Header.Get("Content-Encoding")) {
	case "gzip", "x-gzip": // the caller asked for it; else net/http has decompressed the body
		res.Body = &gzipBody{ReadCloser: res.Body}
		res.Header.Del("Content-Encoding")
		res.Header.Del("Content-Length")
		res.ContentLength = -1
	}
	return res, nil
}

// A gzipBody decompresses a response body.
type gzipBody struct {
	io.ReadCloser
	reader *gzip.Reader
}

func (b *gzipBody) Read(p []byte) (n int, err error) {
	if b.reader == nil {
		if b.reader, err = gzip.NewReader(b.ReadCloser); err != nil {
			return 0, err
		}
	}
	return b.reader.Read(p)
}

// ErrNilHTTPClient is what WithHTTPClient of each package returns for nil.
var ErrNilHTTPClient = errors.New("WithHTTPClient: the client is nil; leave the option out for the default")
