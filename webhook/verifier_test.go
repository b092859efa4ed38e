package webhook

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

func TestVerify(t *testing.T) {
	t.Parallel()
	m, c := newMoneyKit(t), newClock()
	v := newVerifier(t, m, c)
	for range 3 {
		e, err := v.Verify(t.Context(), m.header(t, connected, c.now()), []byte(connected))
		if err != nil {
			t.Fatal(err)
		}
		if e.Type != LinkStateChanged || e.LinkID != "mk_1" || e.IdempotencyKey != "key-1" || e.DeliveryToken != "delivery-1" || e.DeliveryAttempt != "1" {
			t.Errorf("got %+v", e)
		}
	}
	if n := m.fetches.Load(); n != 1 {
		t.Errorf("the keys were fetched %d times, want 1", n)
	}
}

// Whatever is wrong, the error matches ErrInvalidSignature and says what; before a key is needed, none is fetched.
func TestVerifyRejects(t *testing.T) {
	t.Parallel()
	m, c := newMoneyKit(t), newClock()
	now := c.now()
	with := func(name string, value any) map[string]any {
		claims := claimsOf(connected, now)
		if value == nil {
			delete(claims, name)
		} else {
			claims[name] = value
		}
		return claims
	}
	signed := func(claims map[string]any) string { return sign(t, jose.ES256, m.key, m.kid, claims) }
	good := signed(claimsOf(connected, now))
	parts := strings.Split(good, ".")
	hash := claimsOf(connected, now)["request_body_sha256"].(string)
	for name, tt := range map[string]struct {
		token string
		body  string
		want  string
		key   bool // a key is needed to see it
	}{
		"empty":               {token: "", want: "malformed header"},
		"two parts":           {token: parts[0] + "." + parts[1], want: "not a JWT"},
		"four parts":          {token: good + ".", want: "not a JWT"},
		"five parts":          {token: good + ".x.y", want: "not a JWT"},
		"too long":            {token: good + strings.Repeat("A", 4096), want: "longer than 4096 bytes"},
		"header not base64":   {token: "e." + parts[1] + "." + parts[2], want: "header is malformed"},
		"header not JSON":     {token: "eyJ." + parts[1] + "." + parts[2], want: "header is malformed"},
		"claims not JSON":     {token: parts[0] + ".eyJ." + parts[2], want: "claims are malformed"},
		"alg none":            {token: "eyJhbGciOiJub25lIn0." + parts[1] + ".", want: "alg is not ES256"},
		"alg HS256":           {token: sign(t, jose.HS256, []byte(strings.Repeat("k", 32)), m.kid, claimsOf(connected, now)), want: "alg is not ES256"},
		"crit":                {token: "eyJhbGciOiJFUzI1NiIsImtpZCI6ImtpZC0xIiwiY3JpdCI6WyJiNjQiXX0." + parts[1] + "." + parts[2], want: "crit"},
		"no iat":              {token: signed(with("iat", nil)), want: "no iat"},
		"iat a string":        {token: signed(with("iat", "1772366400")), want: "claims are malformed"},
		"stale":               {token: signed(with("iat", now.Add(-5*time.Minute-time.Second).Unix())), want: "5 minutes ago"},
		"early":               {token: signed(with("iat", now.Add(5*time.Minute+time.Second).Unix())), want: "5 minutes ahead"},
		"iat far away":        {token: signed(with("iat", 1e300)), want: "5 minutes ahead"},
		"expired":             {token: signed(with("exp", now.Unix())), want: "expired"},
		"no iss":              {token: signed(with("iss", nil)), want: "iss is not https://api.moneykit.com"},
		"other iss":           {token: signed(with("iss", "https://api.moneykit.com/")), want: "iss is not https://api.moneykit.com"},
		"no hash":             {token: signed(with("request_body_sha256", nil)), want: "64 hex digits"},
		"hash short":          {token: signed(with("request_body_sha256", hash[:62])), want: "64 hex digits"},
		"hash long":           {token: signed(with("request_body_sha256", hash+"00")), want: "64 hex digits"},
		"hash not hex":        {token: signed(with("request_body_sha256", "g"+hash[1:])), want: "64 hex digits"},
		"other body":          {token: good, body: connected + " ", want: "not the one that was signed"},
		"no kid":              {token: sign(t, jose.ES256, m.key, "", claimsOf(connected, now)), want: "no kid"},
		"other key":           {token: sign(t, jose.ES256, newKey(t), m.kid, claimsOf(connected, now)), want: "not signed with the key", key: true},
		"altered header":      {token: "eyJhbGciOiJFUzI1NiIsImtpZCI6ImtpZC0xIn0." + parts[1] + "." + parts[2], want: "not signed with the key", key: true},
		"no signature":        {token: parts[0] + "." + parts[1] + ".", want: "not one of ES256", key: true},
		"signature not ES256": {token: parts[0] + "." + parts[1] + ".AAAA", want: "not one of ES256", key: true},
		"unknown kid":         {token: sign(t, jose.ES256, m.key, "kid-2", claimsOf(connected, now)), want: `kid "kid-2" is none of`, key: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := &testMoneyKit{key: m.key, kid: m.kid, url: m.url}
			own := newMoneyKit(t)
			own.key, own.kid = m.key, m.kid
			v := newVerifier(t, own, c)
			body := tt.body
			if body == "" {
				body = connected
			}
			e, err := v.Verify(t.Context(), headerWith(tt.token), []byte(body))
			if e != nil || !errors.Is(err, ErrInvalidSignature) || errors.Is(err, ErrKeysUnavailable) {
				t.Fatalf("got %+v, %v", e, err)
			}
			if !strings.HasPrefix(err.Error(), "moneykit: webhook: invalid signature: ") || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %q, want %q", err, tt.want)
			}
			if n := own.fetches.Load(); (n > 0) != tt.key {
				t.Errorf("the keys were fetched %d times", n)
			}
		})
	}
}

// What is still within the limits is accepted.
func TestVerifyAccepts(t *testing.T) {
	t.Parallel()
	m, c := newMoneyKit(t), newClock()
	now := c.now()
	v := newVerifier(t, m, c)
	for name, change := range map[string]func(map[string]any){
		"5 minutes ago":     func(c map[string]any) { c["iat"] = now.Add(-5 * time.Minute).Unix() },
		"5 minutes ahead":   func(c map[string]any) { c["iat"] = now.Add(5 * time.Minute).Unix() },
		"fraction":          func(c map[string]any) { c["iat"] = float64(now.Unix()) + 0.25 },
		"exp ahead":         func(c map[string]any) { c["exp"] = now.Add(time.Second).Unix() },
		"upper-case hash":   func(c map[string]any) { c["request_body_sha256"] = strings.ToUpper(c["request_body_sha256"].(string)) },
		"claims of its own": func(c map[string]any) { c["aud"], c["jti"] = "someone", "1" },
	} {
		claims := claimsOf(connected, now)
		change(claims)
		if _, err := v.Verify(t.Context(), headerWith(sign(t, jose.ES256, m.key, m.kid, claims)), []byte(connected)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	m, c := newMoneyKit(t), newClock()
	v := newVerifier(t, m, c)
	good := m.header(t, connected, c.now())
	for name, tt := range map[string]struct {
		change func(http.Header)
		want   string
	}{
		"no signature":    {func(h http.Header) { h.Del("MoneyKit-Signature") }, "no header MoneyKit-Signature"},
		"two signatures":  {func(h http.Header) { h.Add("MoneyKit-Signature", h.Get("MoneyKit-Signature")) }, "2 headers MoneyKit-Signature, want one"},
		"two tokens":      {func(h http.Header) { h.Add("MoneyKit-Delivery-Token", "x") }, "2 headers MoneyKit-Delivery-Token, want one"},
		"empty signature": {func(h http.Header) { h.Set("MoneyKit-Signature", "") }, "malformed header MoneyKit-Signature"},
	} {
		header := good.Clone()
		tt.change(header)
		if _, err := v.Verify(t.Context(), header, []byte(connected)); !errors.Is(err, ErrInvalidSignature) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
	}
	if _, err := v.Verify(t.Context(), nil, []byte(connected)); !errors.Is(err, ErrInvalidSignature) {
		t.Errorf("nil header: got %v", err)
	}
	header := http.Header{"Moneykit-Signature": good["Moneykit-Signature"]}
	if e, err := v.Verify(t.Context(), header, []byte(connected)); err != nil || e.DeliveryToken != "" || e.DeliveryAttempt != "" {
		t.Errorf("the signature alone: got %+v, %v", e, err)
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	m, c := newMoneyKit(t), newClock()
	v := newVerifier(t, m, c)
	e, err := v.Parse(m.request(t, refreshed, c.now()))
	if err != nil || e.Type != LinkProductRefresh || string(e.Raw) != refreshed {
		t.Errorf("got %+v, %v", e, err)
	}
	if _, err := v.Parse(nil); err == nil {
		t.Error("a nil request: no error")
	}
}

// A body that is too long is no forgery: it has an error of its own.
func TestBodyTooLong(t *testing.T) {
	t.Parallel()
	m, c := newMoneyKit(t), newClock()
	body := connected + strings.Repeat(" ", 1<<20+1-len(connected))
	v := newVerifier(t, m, c)
	_, err := v.Verify(t.Context(), m.header(t, body, c.now()), []byte(body))
	_, parseErr := v.Parse(m.request(t, body, c.now()))
	for _, err := range []error{err, parseErr} {
		if limit := (*http.MaxBytesError)(nil); !errors.As(err, &limit) || limit.Limit != 1<<20 || errors.Is(err, ErrInvalidSignature) {
			t.Errorf("got %v", err)
		}
	}
	body = body[:1<<20]
	if _, err := v.Parse(m.request(t, body, c.now())); err != nil {
		t.Errorf("1 MiB: %v", err)
	}
}

// The event does not change with the caller's buffer.
func TestRawIsACopy(t *testing.T) {
	t.Parallel()
	m, c := newMoneyKit(t), newClock()
	body := []byte(connected)
	e, err := newVerifier(t, m, c).Verify(t.Context(), m.header(t, connected, c.now()), body)
	if err != nil {
		t.Fatal(err)
	}
	clear(body)
	if string(e.Raw) != connected {
		t.Error("Raw is the caller's buffer")
	}
}

func TestMisuse(t *testing.T) {
	t.Parallel()
	var none *Verifier
	for _, v := range []*Verifier{none, {}} {
		if _, err := v.Verify(t.Context(), http.Header{}, nil); err == nil || !strings.Contains(err.Error(), "NewVerifier") {
			t.Errorf("got %v", err)
		}
		if _, err := v.Parse(&http.Request{Body: http.NoBody}); err == nil || !strings.Contains(err.Error(), "NewVerifier") {
			t.Errorf("got %v", err)
		}
	}
	v, err := NewVerifier(nil) // a nil option changes nothing
	if err != nil {
		t.Fatal(err)
	}
	if got := v.keys.url.String(); got != "https://api.moneykit.com/.well-known/jwks.json" {
		t.Errorf("the keys are at %s", got)
	}
	if _, err := v.Verify(nil, http.Header{}, nil); err == nil || !strings.Contains(err.Error(), "context is nil") { //nolint:staticcheck // on purpose
		t.Errorf("got %v", err)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	for want, opt := range map[string]Option{
		"http to mk.example would send": WithBaseURL("http://mk.example"),
		"must not contain a user name":  WithBaseURL("https://u:hunter2@mk.example"),
		"WithClientID: the id is empty": WithClientID(""),
		"WithHTTPClient":                WithHTTPClient(nil),
		"WithMaxBodySize: 0":            WithMaxBodySize(0),
		"WithLogger: the logger is nil": WithLogger(nil),
	} {
		if _, err := NewVerifier(opt); err == nil || !strings.HasPrefix(err.Error(), "moneykit: webhook: ") || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
