package api

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/internal/transport"
)

const (
	// DefaultTimeout bounds one attempt of a call, from dialing to the last byte of the response.
	DefaultTimeout = 60 * time.Second

	// DefaultMaxBodySize is the maximum number of bytes of a response body, after decompression: 1 MiB.
	DefaultMaxBodySize = 1 << 20
)

// An Option configures a [Client].
type Option interface{ configure(*config) error }

// A CallOption configures one call.
type CallOption interface{ apply(*settings) error }

// A SharedOption is an [Option] as well as a [CallOption]. For one call it takes precedence over the client's.
type SharedOption func(*settings) error

func (o SharedOption) configure(c *config) error { return o.apply(&c.client.settings) }

func (o SharedOption) apply(s *settings) error {
	if o == nil {
		return errors.New("a SharedOption is nil")
	}
	return o(s)
}

type clientOption func(*config) error

func (o clientOption) configure(c *config) error { return o(c) }

type callOption func(*settings) error

func (o callOption) apply(s *settings) error { return o(s) }

// A config is what the options of a Client set.
type config struct {
	client      Client
	baseURL     string
	baseURLName string // for errors
	http        *http.Client
	userAgent   string
}

// settings are what both a client and a call can set.
type settings struct {
	timeout time.Duration // of an attempt
	retry   RetryPolicy
	editors []gen.RequestEditorFn
	info    *HTTPInfo // of a call
}

// WithBaseURL sets the base URL of the API, https://api.moneykit.com by default. A path in it is kept. It must be https
// unless its host is loopback; see [WithInsecureHTTP].
func WithBaseURL(baseURL string) Option { return withBaseURL("the base URL", baseURL) }

func withBaseURL(name, baseURL string) Option {
	return clientOption(func(c *config) error {
		c.baseURLName, c.baseURL = name, baseURL
		return nil
	})
}

// WithInsecureHTTP allows http to hosts that are not loopback, for a sandbox that is reached by its name in a network of
// containers. Client secret, tokens and end users' data are sent unencrypted. It is an error with a client ID of MoneyKit's
// live environment, which begins with live_. Otherwise the constructor logs a warning, once for each host, with the logger of
// [WithLogger] or [slog.Default].
func WithInsecureHTTP() Option {
	return clientOption(func(c *config) error {
		c.client.insecureHTTP = true
		return nil
	})
}

// WithAppInfo adds the name and the version of your application to the User-Agent header of the API's requests:
// "moneykit-go/0.2.0 (go1.26) shop/1.4". The version may be empty. Each is a token of RFC 9110, section 5.6.2: ASCII letters, digits
// and !#$%&'*+-.^_`|~. Token requests do not carry it.
func WithAppInfo(name, version string) Option {
	return clientOption(func(c *config) error {
		if !isToken(name) {
			return fmt.Errorf("WithAppInfo: the name is %q; want letters, digits and !#$%%&'*+-.^_`|~", name)
		}
		product := name
		if version != "" {
			if !isToken(version) {
				return fmt.Errorf("WithAppInfo: the version is %q; want letters, digits and !#$%%&'*+-.^_`|~", version)
			}
			product += "/" + version
		}
		c.userAgent = transport.UserAgent + " " + product
		return nil
	})
}

// isToken reports whether s is a token (RFC 9110, section 5.6.2).
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}

// WithHTTPClient sends each attempt through the Transport of hc. Its Timeout, if set, replaces [DefaultTimeout].
// Redirects are not followed, and cookies are not kept.
func WithHTTPClient(hc *http.Client) Option {
	return clientOption(func(c *config) error {
		if hc == nil {
			return transport.ErrNilHTTPClient
		}
		c.http = hc
		return nil
	})
}

// WithMaxBodySize sets the maximum number of bytes of a response body, [DefaultMaxBodySize] by default. A longer
// response is an [*Error].
func WithMaxBodySize(bytes int64) Option {
	return clientOption(func(c *config) error {
		if bytes <= 0 {
			return fmt.Errorf("WithMaxBodySize: %d; want more than 0", bytes)
		}
		c.client.maxBody = min(bytes, math.MaxInt64-1) // one more byte is read, to see that there is one
		return nil
	})
}

// WithLogger logs each attempt with l: operation, attempt, status (0 without a response), duration and request_id, at debug
// level if it succeeded, and at warn level if it failed, with the error, or if a part of the response could not be read
// (incomplete_response). By default nothing is logged.
func WithLogger(l *slog.Logger) Option {
	return clientOption(func(c *config) error {
		if l == nil {
			return errors.New("WithLogger: the logger is nil; leave the option out for no logging")
		}
		c.client.logger = l
		return nil
	})
}

// WithTimeout bounds each attempt, [DefaultTimeout] by default. A call as a whole is bounded by its context.
func WithTimeout(d time.Duration) SharedOption {
	return func(s *settings) error {
		if d <= 0 {
			return fmt.Errorf("WithTimeout: %v; want more than 0", d)
		}
		s.timeout = d
		return nil
	}
}

// WithRetryPolicy sets the maximum number of attempts and the waits between them; see [RetryPolicy].
func WithRetryPolicy(p RetryPolicy) SharedOption {
	return func(s *settings) (err error) {
		s.retry, err = p.withDefaults()
		return err
	}
}

// WithRequestEditor runs edit on the request of each attempt, before the access token is put on it. An error of edit
// ends the call, unless it is a temporary [auth.Error]. Editors run in the order given, those of the client before those of the call.
func WithRequestEditor(edit gen.RequestEditorFn) SharedOption {
	return func(s *settings) error {
		if edit == nil {
			return errors.New("WithRequestEditor: the editor is nil")
		}
		s.editors = append(s.editors, edit)
		return nil
	}
}

// HTTPInfo describes the HTTP exchange of a call; see [WithHTTPInfo].
type HTTPInfo struct {
	StatusCode int         // of the last attempt's response; 0 without one
	Header     http.Header // of the last attempt's response
	Attempts   int         // number of requests that were given to the Transport
}

// WithHTTPInfo fills info, whether or not the call succeeds. A nil info is ignored.
func WithHTTPInfo(info *HTTPInfo) CallOption {
	return callOption(func(s *settings) error {
		if info != nil {
			*info = HTTPInfo{}
		}
		s.info = info
		return nil
	})
}
