package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/auth"
	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/internal/secrettest"
)

// evil are texts that would add a header or a request, or lead elsewhere, if they were sent as they are.
var evil = []string{
	"x\r\nX-Evil: 1", "x\nX-Evil: 1", "x\rX-Evil: 1", "x\r\n\r\nPOST /evil HTTP/1.1\r\nHost: evil\r\n\r\n", "x\x00", "x\x7f", "x\x1b[31m", "x\tx",
	"grüße", "x\u2028x", "\ufeffx", "x\xff", "%0d%0aX-Evil:%201", "../../evil", "//evil.example", "x?evil=1", "x#evil", "x&client_secret=evil", "x y",
	`x","evil":"1`, "x@evil.example", "x;evil", `x\evil`, strings.Repeat("x", 10_000),
}

// eavesdrop is a server for both operations and the token endpoint that keeps what it gets, and fails the test if
// that is more than one clean request a connection.
func eavesdrop(t *testing.T) *hostileServer {
	t.Helper()
	s := newHostileServer(t, listenLoopback(t), nil, nil, afterRequest(func(c *hostileConn, r hostileRequest) {
		if n := c.in.Buffered(); n > 0 {
			t.Errorf("%d bytes came after the request", n)
		}
		for name := range r.header {
			if !slices.Contains([]string{"Accept", "Accept-Encoding", "Authorization", "Content-Length", "Content-Type", "Moneykit-Version", "User-Agent"}, name) {
				t.Errorf("there is a header %s", name)
			}
		}
		asJSON(c, `{"access_token":"t","token_type":"bearer","link_session_token":"s","link":{"link_id":"l"}}`)
	}))
	t.Cleanup(func() { s.stop(t) })
	return s
}

// Whatever a field holds reaches the server as the value of that field, and as nothing else.
func TestInjectionThroughFields(t *testing.T) {
	t.Parallel()
	server := eavesdrop(t)
	client, err := api.New(auth.StaticToken("t"), api.WithBaseURL(server.url()))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range evil {
		_, err := client.CreateLinkSession(t.Context(), gen.CreateLinkSessionRequest{
			CustomerUser:   gen.LinkSessionCustomerUser{ID: text, Email: gen.LinkSessionCustomerUserEmail{Address: text}},
			RedirectURI:    text,
			ExistingLinkID: text, InstitutionID: text, Webhook: text, LinkTags: []string{text},
		})
		if err != nil {
			t.Errorf("%q: %v", text, err)
		}
		_, requests := server.got()
		last := requests[len(requests)-1]
		want := strings.ToValidUTF8(text, "\ufffd") // JSON has no other
		var got gen.CreateLinkSessionRequest
		if err := json.Unmarshal([]byte(last.body), &got); err != nil || last.path != "/link-session" || got.CustomerUser.ID != want ||
			got.CustomerUser.Email.Address != want || got.RedirectURI != want || got.ExistingLinkID != want || got.Webhook != want || got.LinkTags[0] != want {
			t.Errorf("%q arrived at %s as %s", text, last.path, last.body)
		}

		if _, err := client.ExchangeToken(t.Context(), gen.ExchangeTokenRequest{ExchangeableToken: text}); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		_, requests = server.got()
		last = requests[len(requests)-1]
		var exchange gen.ExchangeTokenRequest
		if err := json.Unmarshal([]byte(last.body), &exchange); err != nil || last.path != "/link-session/exchange-token" || exchange.ExchangeableToken != want {
			t.Errorf("%q arrived at %s as %s", text, last.path, last.body)
		}
	}
	if _, requests := server.got(); len(requests) != 2*len(evil) {
		t.Errorf("%d requests arrived, want %d", len(requests), 2*len(evil))
	}
}

// A credential is refused, or reaches the token endpoint as it is, in the form as in a header.
func TestInjectionThroughCredentials(t *testing.T) {
	t.Parallel()
	server := eavesdrop(t)
	for _, text := range evil {
		refused := strings.ContainsAny(text, "\r\n\x00\x7f\x1b\t")
		for name, make := range map[string]func() (*auth.Source, error){
			"form": func() (*auth.Source, error) {
				return auth.ClientCredentials(text, text, auth.WithTokenURL(server.url()))
			},
			"basic": func() (*auth.Source, error) {
				return auth.ClientCredentials(text, text, auth.WithTokenURL(server.url()), auth.WithBasicAuth())
			},
		} {
			source, err := make()
			if (err != nil) != refused {
				t.Errorf("%s %q: %v", name, text, err)
			}
			if err != nil {
				continue
			}
			if _, err := source.Token(t.Context()); err != nil {
				t.Errorf("%s %q: %v", name, text, err)
			}
			_, requests := server.got()
			last := requests[len(requests)-1]
			form, err := url.ParseQuery(last.body)
			id, secret := form.Get("client_id"), form.Get("client_secret")
			if name == "basic" {
				id, secret, _ = (&http.Request{Header: last.header}).BasicAuth()
				id, _ = url.QueryUnescape(id)
				secret, _ = url.QueryUnescape(secret)
			}
			if err != nil || id != text || secret != text || form.Get("grant_type") != "client_credentials" {
				t.Errorf("%s %q arrived as %q and %q, in %s", name, text, id, secret, last.body)
			}
		}
		if _, err := auth.ClientCredentials("i", "s", auth.WithScopes(text)); (err == nil) != (text == evil[len(evil)-1] || isScope(text)) {
			t.Errorf("scope %q: %v", text, err)
		}
	}
}

// isScope is the grammar of RFC 6749, section 3.3.
func isScope(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < '!' || r > '~' || r == '"' || r == '\\' })
}

// A token that no header can carry is refused, and not sent.
func TestInjectionThroughTokens(t *testing.T) {
	t.Parallel()
	server := eavesdrop(t)
	sent := 0
	for _, text := range evil {
		client, err := api.New(auth.StaticToken(text), api.WithBaseURL(server.url()))
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.ExchangeToken(t.Context(), gen.ExchangeTokenRequest{ExchangeableToken: "e"})
		if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
			if err == nil || strings.Contains(err.Error(), text) {
				t.Errorf("%q: %v", text, err)
			}
			continue
		}
		sent++
		_, requests := server.got()
		if got := requests[len(requests)-1].header.Get("Authorization"); err != nil || got != "Bearer "+text {
			t.Errorf("%q arrived as %q: %v", text, got, err)
		}
	}
	if _, requests := server.got(); len(requests) != sent || sent == 0 {
		t.Errorf("%d requests arrived, want %d", len(requests), sent)
	}
}

// A base URL is refused, or it is where requests go, and the path of the operation is below it.
func TestInjectionThroughBaseURL(t *testing.T) {
	t.Parallel()
	server := eavesdrop(t)
	sent := 0
	for _, text := range append(evil, "%2e%2e/evil", "a%2fb", "a%20b", "é%0a", "{x}", "a//b") {
		base := server.url() + "/" + text
		guard := secrettest.New(t)
		client, err := api.New(auth.StaticToken("t"), api.WithBaseURL(base))
		guard.Show(err, client)
		if err != nil {
			if !strings.Contains(err.Error(), "base URL") {
				t.Errorf("%q: the error does not say what is wrong: %v", base, err)
			}
			continue
		}
		_, err = client.ExchangeToken(t.Context(), gen.ExchangeTokenRequest{ExchangeableToken: "e"})
		guard.Show(err)
		if err != nil {
			t.Errorf("%q: %v", base, err)
			continue
		}
		sent++
		want, err := url.PathUnescape("/" + text + "/link-session/exchange-token")
		want = strings.TrimPrefix(want, "/../..") // there is nothing above the root
		_, requests := server.got()
		if got := requests[len(requests)-1].path; err != nil || got != want {
			t.Errorf("%q went to %q, want %q", base, got, want)
		}
	}
	if _, requests := server.got(); len(requests) != sent || sent < 8 {
		t.Errorf("%d requests arrived, want %d", len(requests), sent)
	}
	for _, host := range []string{"a\r\nb", "a b", "a\x00", "evil@127.0.0.1", "127.0.0.1:80:80", "127.0.0.1:x", "[::1", "", ":80"} {
		if client, err := api.New(auth.StaticToken("t"), api.WithBaseURL("https://"+host)); err == nil {
			t.Errorf("%q was taken: %v", host, client)
		}
		if _, err := auth.ClientCredentials("i", "s", auth.WithTokenURL(fmt.Sprintf("https://%s/auth/token", host))); err == nil {
			t.Errorf("%q was taken for the token URL", host)
		}
	}
}
