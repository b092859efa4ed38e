package transport_test

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/moneykit/moneykit-go/internal/transport"
)

func TestClientFollowsNoRedirect(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.RedirectHandler("/elsewhere", http.StatusTemporaryRedirect))
	defer srv.Close()
	own := srv.Client()
	c, err := transport.Client(own)
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.Post(srv.URL, "text/plain", strings.NewReader("secret"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusTemporaryRedirect {
		t.Errorf("got %s", res.Status)
	}
	if own.CheckRedirect != nil {
		t.Error("the caller's own client was changed")
	}
}

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	res, err := transport.RoundTrip(transportFunc(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 204}, nil
	}), nil)
	if err != nil || res.Header == nil || res.Body == nil {
		t.Errorf("a bare response: %+v, %v", res, err)
	}
	header, body := http.Header{"X": {"y"}}, io.NopCloser(strings.NewReader("z"))
	res, err = transport.RoundTrip(transportFunc(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: header, Body: body}, nil
	}), nil)
	if err != nil || res.Header.Get("X") != "y" || res.Body != body {
		t.Errorf("a response: %+v, %v", res, err)
	}
	if res, err := transport.RoundTrip(transportFunc(func(*http.Request) (*http.Response, error) { return nil, nil }), nil); err == nil {
		t.Errorf("nothing: %+v", res)
	}
	if res, err := transport.RoundTrip(transportFunc(func(*http.Request) (*http.Response, error) { return nil, http.ErrHandlerTimeout }), nil); res != nil || err != http.ErrHandlerTimeout {
		t.Errorf("an error: %+v, %v", res, err)
	}
}

// The body of a 101 is the connection, which may never end.
func TestRoundTripSwitchingProtocols(t *testing.T) {
	t.Parallel()
	r, w := io.Pipe()
	res, err := transport.RoundTrip(transportFunc(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusSwitchingProtocols, Body: r}, nil
	}), nil)
	if err != nil || res.Body != http.NoBody {
		t.Errorf("got %+v, %v", res, err)
	}
	if _, err := w.Write([]byte("x")); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("the connection was not closed: %v", err)
	}
	res, err = transport.RoundTrip(transportFunc(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusSwitchingProtocols}, nil
	}), nil)
	if err != nil || res.Body != http.NoBody {
		t.Errorf("without a body: %+v, %v", res, err)
	}
}

// A body stays compressed if the caller has asked for that with a header of its own.
func TestRoundTripDecompresses(t *testing.T) {
	t.Parallel()
	var compressed bytes.Buffer
	z := gzip.NewWriter(&compressed)
	text := strings.Repeat("text", 1000)
	_, _ = io.WriteString(z, text)
	_ = z.Close()
	whole := compressed.String()
	for body, want := range map[string]string{whole: text, whole[:len(whole)-1]: text + ": unexpected EOF", whole[:5]: ": unexpected EOF", "": "", "plain, not compressed": ": gzip: invalid header"} {
		encoding := map[bool]string{true: "gzip", false: "X-GZip"}[body == whole]
		res, err := transport.RoundTrip(transportFunc(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 201, ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body)),
				Header: http.Header{"Content-Encoding": {encoding}, "Content-Length": {"9"}}}, nil
		}), nil)
		if err != nil || res.ContentLength != -1 || len(res.Header) != 0 {
			t.Fatalf("%+v, %v", res, err)
		}
		got, err := io.ReadAll(res.Body)
		if err != nil {
			got = append(got, ": "+err.Error()...)
		}
		if string(got) != want {
			t.Errorf("%q became %q, want %q", body, got, want)
		}
		if n, err := res.Body.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Errorf("after the end: %d, %v", n, err)
		}
	}
}

func TestClientRefusesNilTransport(t *testing.T) {
	t.Parallel()
	for want, rt := range map[string]http.RoundTripper{"*http.Transport": (*http.Transport)(nil), "transport_test.transportFunc": transportFunc(nil)} {
		if _, err := transport.Client(&http.Client{Transport: rt}); err == nil || !strings.Contains(err.Error(), "WithHTTPClient") || !strings.Contains(err.Error(), "nil "+want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
	for _, rt := range []http.RoundTripper{structTransport{}, &http.Transport{}, transportFunc(http.DefaultTransport.RoundTrip)} {
		if c, err := transport.Client(&http.Client{Transport: rt}); err != nil || c.Transport == nil {
			t.Errorf("%T: got %+v, %v", rt, c, err)
		}
	}
}

type structTransport struct{ http.RoundTripper }

func TestClientRefusesOldTLS(t *testing.T) {
	t.Parallel()
	old := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS11}}}
	if _, err := transport.Client(old); err == nil || !strings.Contains(err.Error(), "MinVersion is TLS 1.1") {
		t.Errorf("got %v", err)
	}
	for _, v := range []uint16{0, tls.VersionTLS12, tls.VersionTLS13} {
		hc := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{MinVersion: v}}}
		if _, err := transport.Client(hc); err != nil {
			t.Errorf("MinVersion %d: %v", v, err)
		}
	}
}

func TestDefaultClientKeepsConnections(t *testing.T) {
	t.Parallel()
	c, err := transport.Client(nil)
	if err != nil {
		t.Fatal(err)
	}
	tr := c.Transport.(*http.Transport)
	if tr.MaxIdleConnsPerHost < 64 || tr.Proxy == nil {
		t.Errorf("MaxIdleConnsPerHost is %d", tr.MaxIdleConnsPerHost)
	}
	if tr.HTTP2.SendPingTimeout != 15*time.Second || tr.HTTP2.PingTimeout != 15*time.Second { // a dead connection is noticed
		t.Errorf("HTTP/2: %+v", tr.HTTP2)
	}
	if c.Transport == http.DefaultTransport {
		t.Error("http.DefaultTransport itself was changed")
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	h := http.Header{}
	transport.SetHeaders(h, transport.UserAgent)
	if got := h.Get("MoneyKit-Version"); got != "2023-02-18" {
		t.Errorf("MoneyKit-Version: %q", got)
	}
	if got := h.Get("User-Agent"); !strings.HasPrefix(got, "moneykit-go/"+transport.Version+" (go1.") {
		t.Errorf("User-Agent: %q", got)
	}
}

// The module, the contract and the changelog carry one version.
func TestVersion(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		"../../openapi.yaml": "\n  version: " + transport.Version + "\n",
		"../../CHANGELOG.md": "\n## [" + transport.Version + "]",
	} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(data), want) {
			t.Errorf("%s lacks %q", file, want)
		}
	}
}
