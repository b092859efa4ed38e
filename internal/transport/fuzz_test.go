package transport_test

import (
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/moneykit/moneykit-go/internal/transport"
)

func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{
		"", "0", "1", "60", "3600", "9223372036", "9223372037", "-1", "+5", "007", "1.5", "1e3", "NaN", "Inf", "0x10", "1_000", "soon",
		"Thu, 16 Feb 2023 09:14:11 GMT", "Thursday, 16-Feb-23 09:14:11 GMT", "Thu Feb 16 09:14:11 2023", "Fri, 31 Dec 9999 23:59:59 GMT",
		"2023-02-16T09:14:11Z", "99999999999999999999", "5, 6",
	} {
		f.Add(seed, int64(1676538851))
	}
	f.Fuzz(func(t *testing.T, value string, unix int64) {
		now := time.Unix(unix, 0)
		d, ok := transport.RetryAfter(http.Header{"Retry-After": {value}}, now)
		switch {
		case d < 0 || !ok && d != 0:
			t.Errorf("%q: %v, %v", value, d, ok)
		case ok && !strings.ContainsAny(value, "0123456789"):
			t.Errorf("%q was read as %v", value, d)
		}
		if n, err := strconv.ParseUint(value, 10, 64); err == nil && (ok != (n <= 9223372036) || ok && d != time.Duration(n)*time.Second) {
			t.Errorf("%q: %v, %v", value, d, ok)
		}
		if at, err := http.ParseTime(value); err == nil && (!ok || d != max(0, at.Sub(now))) {
			t.Errorf("%q at %v: %v, %v", value, now, d, ok)
		}
	})
}

func FuzzParseURL(f *testing.F) {
	for _, seed := range []string{
		"https://api.moneykit.com", "https://api.moneykit.com/", "https://api.moneykit.com/v1/../x", "http://127.0.0.1:8080", "http://[::1]",
		"http://localhost/", "http://foo.localhost", "http://localhost.example.com", "http://127.0.0.1.example.com", "http://user:hunter2@localhost", "https://user:hunter2@host:port", "user:hunter2@host", "https://user:hunter2@%zz",
		"https://api.moneykit.com\r\nHost: x", "https://api.moneykit.com/%0d%0aX: y", "https://exämple.com/ü", "ftp://x", "//x", "https:x",
		"https://api.moneykit.com?x=1", "https://api.moneykit.com#x", "HTTP://LOCALHOST", "https://", "http://[::ffff:127.0.0.1]", "http://0", "http://127.1",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := transport.ParseURL("the URL", raw, false)
		if err != nil {
			if strings.Contains(raw, ":hunter2@") && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the password of %q is in: %v", raw, err)
			}
			return
		}
		if u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Hostname() == "" {
			t.Errorf("%q became %q", raw, u)
		}
		if u.Scheme != "https" {
			host := strings.ToLower(u.Hostname())
			addr, err := netip.ParseAddr(host)
			if u.Scheme != "http" || host != "localhost" && (err != nil || !addr.Unmap().IsLoopback()) {
				t.Errorf("%q would send secrets in the clear", raw)
			}
		}
		r, err := http.NewRequest(http.MethodPost, u.String(), nil)
		if err != nil {
			return // net/http refuses it, and sends nothing
		}
		if strings.ContainsFunc(r.URL.RequestURI()+transport.HostPath(u), unicode.IsControl) {
			t.Errorf("a control character of %q is in the request", raw)
		}
	})
}

func FuzzClean(f *testing.F) {
	f.Add("token s3cret, again s3cret", "s3cret")
	f.Add("\"s3\\\"cret\" \r\n\u2028", "s3\"cret")
	f.Add(strings.Repeat("ü", 600), "üüüü")
	f.Fuzz(func(t *testing.T, text, secret string) {
		got := transport.NewRedactor(secret).Clean(text)
		if strings.ContainsFunc(got, unicode.IsControl) || utf8.RuneCountInString(got) > 501 {
			t.Errorf("%q became %q", text, got)
		}
		if len(secret) >= 8 && strings.Contains(got, secret) && !strings.Contains(transport.Redacted, secret) && plain(secret) {
			t.Errorf("%q is in %q", secret, got)
		}
	})
}

// plain: a secret that the stand-in cannot make up by chance.
func plain(secret string) bool {
	return !strings.ContainsAny(secret, "[]") && !strings.ContainsFunc(secret, func(r rune) bool { return r <= ' ' || r > '~' })
}
