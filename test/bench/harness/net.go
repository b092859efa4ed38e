package harness

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
)

// A Net is a way to reach the API. Every client goes through the same http.Client.
type Net struct {
	Name string
	URL  string // append Plain, Zoneless or Unknown
	HTTP *http.Client
}

// Memory responds without a network, which leaves the client's own work.
func Memory() Net {
	return Net{Name: "memory", URL: "https://moneykit.example", HTTP: &http.Client{Transport: memory{}}}
}

type memory struct{}

var jsonHeader = http.Header{"Content-Type": {"application/json"}}

// RoundTrip does what a transport must do, and nothing else.
func (memory) RoundTrip(req *http.Request) (*http.Response, error) {
	drain(req.Body)
	req.Body.Close()
	response, ok := responses[req.URL.Path]
	if !ok {
		return nil, fmt.Errorf("no response for %s", req.URL.Path)
	}
	header := jsonHeader // shared, since nothing writes to it but auth's transport
	if response == token {
		header = jsonHeader.Clone()
	}
	return &http.Response{
		Status: "201 Created", StatusCode: http.StatusCreated,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, ContentLength: int64(len(response)),
		Body: io.NopCloser(strings.NewReader(response)), Request: req,
	}, nil
}

func drain(body io.Reader) { _, _ = io.Copy(io.Discard, body) }

// serverEnv is set in the process that serves.
const serverEnv = "MONEYKIT_BENCH_SERVER"

type addresses struct {
	HTTP1, HTTP2 string
	Certificate  []byte // of HTTP2, as DER
}

// ServeIfAsked serves until standard input ends, and exits, in the process that [Loopback] starts. Elsewhere it
// returns at once. A program that calls Loopback calls it first.
func ServeIfAsked() {
	if os.Getenv(serverEnv) == "" {
		return
	}
	plain := httptest.NewServer(http.HandlerFunc(serve))
	secure := httptest.NewUnstartedServer(http.HandlerFunc(serve))
	secure.EnableHTTP2 = true
	secure.StartTLS()
	err := json.NewEncoder(os.Stdout).Encode(addresses{plain.URL, secure.URL, secure.Certificate().Raw})
	if err != nil {
		os.Exit(1)
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

// Loopback starts a server in a process of its own, a copy of this one, and returns two ways to reach it: HTTP/1.1
// with connections kept alive, and TLS with HTTP/2.
func Loopback() (http1, http2 Net, stop func(), err error) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serverEnv+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return Net{}, Net{}, nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return Net{}, Net{}, nil, err
	}
	if err := cmd.Start(); err != nil {
		return Net{}, Net{}, nil, err
	}
	stop = func() {
		in.Close()
		_ = cmd.Wait()
	}
	var a addresses
	if err := json.NewDecoder(bufio.NewReader(out)).Decode(&a); err != nil {
		stop()
		return Net{}, Net{}, nil, fmt.Errorf("the server did not start: %w", err)
	}
	cert, err := x509.ParseCertificate(a.Certificate)
	if err != nil {
		stop()
		return Net{}, Net{}, nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	const conns = 1024 // as many idle connections as there are goroutines at most
	http1 = Net{Name: "http1", URL: a.HTTP1, HTTP: &http.Client{Transport: &http.Transport{
		MaxIdleConns: conns, MaxIdleConnsPerHost: conns,
	}}}
	http2 = Net{Name: "http2", URL: a.HTTP2, HTTP: &http.Client{Transport: &http.Transport{
		ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: roots},
	}}}
	return http1, http2, stop, nil
}
