package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moneykit/moneykit-go/sandbox"
)

func TestTLS(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "authority.pem")
	env := program(t, "-tls", "-tls-cert", file, "-host", "moneykit.test")
	if len(env) != 4 || !strings.HasPrefix(env[0], "https://127.0.0.1:") || env[3] != file {
		t.Fatalf("printed: %q", env)
	}
	authority, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) || bytes.Contains(authority, []byte("PRIVATE")) {
		t.Fatalf("the file has:\n%s", authority)
	}
	for _, name := range []string{"127.0.0.1", "localhost", "moneykit.test"} {
		client := http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: name}}}
		t.Cleanup(client.CloseIdleConnections)
		res, err := client.Get(env[0] + "/health")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if res.Body.Close(); res.StatusCode != 200 || res.ProtoMajor != 2 {
			t.Errorf("%s: %s %s", name, res.Proto, res.Status)
		}
	}
	other := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "evil.example"}}}
	if _, err := other.Get(env[0]); err == nil || !strings.Contains(err.Error(), "evil.example") {
		t.Errorf("another name: %v", err)
	}
	if _, err := http.Get(env[0]); err == nil {
		t.Error("it is trusted without the file")
	}
}

func TestTLSTemporaryFile(t *testing.T) {
	t.Parallel()
	var path string
	t.Run("while it runs", func(t *testing.T) {
		path = program(t, "-tls")[3]
		if info, err := os.Stat(path); err != nil || info.Size() == 0 {
			t.Errorf("got %v, %v", info, err)
		}
	})
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
	err := run(t.Context(), []string{"-addr", "127.0.0.1:0", "-tls", "-tls-cert", filepath.Join(t.TempDir(), "no", "folder")}, noEnv, new(bytes.Buffer), new(bytes.Buffer))
	if err == nil || !strings.Contains(err.Error(), "writing the certificate") {
		t.Errorf("got %v", err)
	}
}

func TestHealthCheck(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"-tls"}} {
		addr := strings.SplitAfter(program(t, args...)[0], "://")[1]
		_, port, _ := net.SplitHostPort(addr)
		for _, addr := range []string{addr, ":" + port, "0.0.0.0:" + port} {
			if err := run(t.Context(), append(args, "-health-check", "-addr", addr), noEnv, new(bytes.Buffer), new(bytes.Buffer)); err != nil {
				t.Errorf("%v at %s: %v", args, addr, err)
			}
		}
	}
	unwell := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(unwell.Close)
	closed := httptest.NewServer(nil)
	closed.Close()
	for want, addr := range map[string]string{
		"status 404": strings.TrimPrefix(unwell.URL, "http://"), "refused": strings.TrimPrefix(closed.URL, "http://"), "missing port": "nowhere",
	} {
		if err := run(t.Context(), []string{"-health-check", "-addr", addr}, noEnv, new(bytes.Buffer), new(bytes.Buffer)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", addr, err, want)
		}
	}
}

// The banner has the next commands, which name the credentials and do not contain them.
func TestBanner(t *testing.T) {
	t.Parallel()
	box := sandbox.New(sandbox.WithCredentials("my-id", "my-secret-1"))
	var stdout, stderr bytes.Buffer
	announce(&net.TCPAddr{IP: net.IPv4zero, Port: 1}, box, "", &stdout, &stderr)
	if strings.Contains(stderr.String(), "my-secret-1") || strings.Count(stderr.String(), "curl -sS \"$MONEYKIT_URL/") != 3 ||
		!strings.Contains(stderr.String(), "other machines may reach it") || strings.Contains(stderr.String(), "CURL") {
		t.Errorf("stderr:\n%s", &stderr)
	}
	stderr.Reset()
	announce(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}, box, "/tmp/a b.pem", &stdout, &stderr)
	if strings.Count(stderr.String(), `--cacert "$MONEYKIT_CA_FILE"`) != 3 || !strings.Contains(stdout.String(), "export MONEYKIT_CA_FILE='/tmp/a b.pem'\n") {
		t.Errorf("stdout:\n%s\nstderr:\n%s", &stdout, &stderr)
	}
}
