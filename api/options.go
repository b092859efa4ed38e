package api

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
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

func (o SharedOption) configure(c *config) error { return o(&c.client.settings) }
func (o SharedOption) apply(s *settings) error   { return o(s) }

type clientOption func(*config) error

func (o clientOption) configure(c *config) error { return o(c) }

type callOption func(*settings) error

func (o callOption) apply(s *settings) error { return o(s) }

// A config is what the options of a Client set.
type config struct {
	client  Client
	baseURL string
	http    *http.Client
}

// settings are what both a client and a call can set.
type settings struct {
	timeout time.Duration // of an attempt
	retry   RetryPolicy
	editors []gen.RequestEditorFn
	info    *HTTPInfo // of a call
}

// WithBaseURL sets the base URL of the API, https://api.moneykit.com by default. A path in it is kept. It must be https
// unless its host is loopback.
func WithBaseURL(baseURL string) Option {
	return clientOption(func(c *config) error {
		c.baseURL = baseURL
		return nil
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
// level if it succeeded, and at warn level if it failed or if a part of the response, incomplete_response, could not be
// read. By default nothing is logged.
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

// WithRetryPolicy sets how often and after which wait a call is retried; see [RetryPolicy].
func WithRetryPolicy(p RetryPolicy) SharedOption {
	return func(s *settings) (err error) {
		s.retry, err = p.withDefaults()
		return err
	}
}

// WithRequestEditor runs edit on the request of each attempt, before the access token is put on it. An error of edit
// ends the call. Editors run in the order given, those of the client before those of the call.
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
	StatusCode int         // of the last response; 0 without one
	Header     http.Header // of the last response
	Attempts   int         // number of requests sent for the operation
}

// WithHTTPInfo fills info, whether or not the call succeeds. A nil info is ignored.
func WithHTTPInfo(info *HTTPInfo) CallOption {
	return callOption(func(s *settings) error {
		s.info = info
		return nil
	})
}
