// Package http2 tests api with golang.org/x/net's HTTP/2 transport, which the root module does not require.
package http2_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/auth"
	"github.com/moneykit/moneykit-go/gen"
)

// serve is an HTTP/2 server without TLS that passes each complete request to respond, with its number.
func serve(t *testing.T, respond func(f *http2.Framer, n int, stream uint32)) (baseURL string, requests *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	requests = new(atomic.Int64)
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer conn.Close()
				if _, err := io.ReadFull(conn, make([]byte, len(http2.ClientPreface))); err != nil {
					return
				}
				f := http2.NewFramer(conn, conn)
				_ = f.WriteSettings()
				for {
					frame, err := f.ReadFrame()
					if err != nil {
						return
					}
					switch frame := frame.(type) {
					case *http2.SettingsFrame:
						if !frame.IsAck() {
							_ = f.WriteSettingsAck()
						}
					case *http2.DataFrame:
						if frame.StreamEnded() {
							respond(f, int(requests.Add(1)), frame.StreamID)
						}
					}
				}
			})
		}
	})
	t.Cleanup(func() { l.Close(); running.Wait() })
	return "http://" + l.Addr().String(), requests
}

func respond(f *http2.Framer, stream uint32, status, body string) {
	var block writer
	_ = hpack.NewEncoder(&block).WriteField(hpack.HeaderField{Name: ":status", Value: status})
	_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block, EndHeaders: true})
	_ = f.WriteData(stream, true, []byte(body))
}

type writer []byte

func (w *writer) Write(p []byte) (int, error) { *w = append(*w, p...); return len(p), nil }

func exchange(t *testing.T, baseURL string) (link *gen.ExchangeTokenResponse, info api.HTTPInfo, err error) {
	t.Helper()
	//nolint:staticcheck // it is deprecated, and in use: this test is about it
	transport := &http2.Transport{AllowHTTP: true, DialTLSContext: func(ctx context.Context, network, addr string, _ *tls.Config) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, addr)
	}}
	defer transport.CloseIdleConnections() //nolint:staticcheck // as above
	client, err := api.New(auth.StaticToken("the-access-token"), api.WithBaseURL(baseURL),
		api.WithHTTPClient(&http.Client{Transport: transport}), api.WithRetryPolicy(api.RetryPolicy{BaseDelay: 1}))
	if err != nil {
		t.Fatal(err)
	}
	link, err = client.ExchangeToken(t.Context(), gen.ExchangeTokenRequest{ExchangeableToken: "the-exchangeable-token"}, api.WithHTTPInfo(&info))
	return link, info, err
}

// A stream that is reset with PROTOCOL_ERROR may have been processed. The transport would send it again by itself.
func TestResetIsUnknown(t *testing.T) {
	t.Parallel()
	url, requests := serve(t, func(f *http2.Framer, n int, stream uint32) {
		if n == 1 {
			_ = f.WriteRSTStream(stream, http2.ErrCodeProtocol)
			return
		}
		respond(f, stream, "400", `{"error_code":"link_session_error.invalid_token_exchange"}`)
	})
	_, info, err := exchange(t, url)
	if !errors.Is(err, api.ErrOutcomeUnknown) || errors.Is(err, api.ErrInvalidTokenExchange) || info.Attempts != 1 || requests.Load() != 1 {
		t.Errorf("%d attempts, %d requests arrived: %v", info.Attempts, requests.Load(), err)
	}
}

// A stream that was refused, or that is above the last stream of a GOAWAY, was not processed: the policy retries it.
func TestUnprocessedStreamIsRetried(t *testing.T) {
	t.Parallel()
	for name, refuse := range map[string]func(f *http2.Framer, stream uint32){
		"REFUSED_STREAM": func(f *http2.Framer, stream uint32) { _ = f.WriteRSTStream(stream, http2.ErrCodeRefusedStream) },
		"GOAWAY":         func(f *http2.Framer, stream uint32) { _ = f.WriteGoAway(stream-1, http2.ErrCodeNo, nil) },
	} {
		url, requests := serve(t, func(f *http2.Framer, n int, stream uint32) {
			if n == 1 {
				refuse(f, stream)
				return
			}
			respond(f, stream, "201", `{"link":{"link_id":"mk_1"}}`)
		})
		link, info, err := exchange(t, url)
		if err != nil || link.Link.LinkID != "mk_1" || info.Attempts != 2 || requests.Load() != 2 {
			t.Errorf("%s: %d attempts, %d requests arrived: %v", name, info.Attempts, requests.Load(), err)
		}
	}
}
