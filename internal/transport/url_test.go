package transport_test

import (
	"strings"
	"testing"

	"github.com/moneykit/moneykit-go/internal/transport"
)

func TestParseURL(t *testing.T) {
	t.Parallel()
	for raw, hostPath := range map[string]string{
		"https://api.moneykit.com":         "api.moneykit.com",
		"https://api.moneykit.com/":        "api.moneykit.com/",
		"https://proxy.example/mk/v1":      "proxy.example/mk/v1",
		"https://proxy.example:8443/a%2Fb": "proxy.example:8443/a%2Fb",
		"https://bücher.example":           "bücher.example",
		"http://localhost:8080":            "localhost:8080",
		"http://LOCALHOST":                 "LOCALHOST",
		"http://127.0.0.1:1":               "127.0.0.1:1",
		"http://127.8.9.10":                "127.8.9.10",
		"http://[::1]:1/x":                 "[::1]:1/x",
		"http://[::ffff:127.0.0.1]":        "[::ffff:127.0.0.1]",
	} {
		u, err := transport.ParseURL("the URL", raw, false)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
		} else if got := transport.HostPath(u); got != hostPath {
			t.Errorf("%s: hostPath %q, want %q", raw, got, hostPath)
		}
	}
}

func TestParseURLRefuses(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"":                                     "no host",
		"api.moneykit.com":                     "no host",
		"https://":                             "no host",
		"https://:443":                         "no host",
		"https:api.moneykit.com":               "no host",
		"://x":                                 "missing protocol scheme",
		"https://host:port":                    "invalid port",
		"https://ho st":                        "invalid character",
		"https://host\r\nX-Evil: 1":            "invalid control character",
		"https://host\u009b31m":                "not printable",
		"https://host\u202egro.live":           "not printable",
		"https://host/%zz":                     "invalid URL escape",
		"ftp://host":                           `scheme is "ftp"`,
		"http://api.moneykit.com":              "http to api.moneykit.com",
		"http://api.localhost":                 "http to api.localhost", // which a proxy or DNS may take elsewhere
		"http://localhost.evil.example":        "http to localhost.evil.example",
		"http://128.0.0.1":                     "http to 128.0.0.1",
		"http://10.0.0.1":                      "http to 10.0.0.1",
		"https://user:hunter2@api.example.com": "user name or password",
		"https://user:hunter2/rest@host":       "not a URL, or one with a user name",
		"https://host?x=hunter2":               "query or a fragment",
		"https://host/?":                       "query or a fragment",
		"https://host#hunter2":                 "query or a fragment",
		"https://user:hunter2@host:port":       "not a URL, or one with a user name",
	} {
		_, err := transport.ParseURL("the base URL", raw, false)
		if err == nil {
			t.Errorf("%q: no error, want %q", raw, want)
			continue
		}
		if got := err.Error(); !strings.HasPrefix(got, "the base URL: ") || !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", raw, got, want)
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: the error repeats a secret: %v", raw, err)
		}
	}
}
