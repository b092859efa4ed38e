package main

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
)

func TestRejectedRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range []string{"/linking/session", "/linking/exchange-token"} {
		for name, test := range map[string]struct {
			header map[string]string
			body   string
			status int
			kind   string
		}{
			"cross-site, as a browser says":  {map[string]string{"Sec-Fetch-Site": "cross-site"}, `{}`, 403, "cross_origin"},
			"same site, another origin":      {map[string]string{"Sec-Fetch-Site": "same-site"}, `{}`, 403, "cross_origin"},
			"cross-origin, an older browser": {map[string]string{"Origin": "https://evil.example"}, `{}`, 403, "cross_origin"},
			"a form's content type":          {map[string]string{"Content-Type": "text/plain"}, `{}`, 415, "bad_request"},
			"not JSON":                       {nil, `{`, 400, "bad_request"},
			"a wrong type":                   {nil, `{"reconnect": 1, "id": 1}`, 400, "bad_request"},
			"NUL":                            {nil, `{"reconnect": "\u0000", "id": "\u0000"}`, 400, "bad_request"},
			"too long":                       {nil, `{"exchangeable_token": "` + strings.Repeat("x", 1<<17) + `"}`, 400, "bad_request"},
		} {
			got := w.send(w.browser, path, test.body, test.header)
			w.check(path+": "+name, got, test.status, test.kind)
		}
		got := w.send(&http.Client{}, path, `{}`, nil)
		w.check(path+": no cookie", got, 401, "signed_out")
	}
	body := w.connect()
	w.check("no token", w.exchange(finish{ID: body.ID}), 400, "bad_request")
	got := w.send(w.browser, "/linking/session", `{}`, map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": w.url})
	if got.status != 200 {
		t.Errorf("the page itself: %+v", got)
	}
}

func TestPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	res, err := http.Get(w.url + "/oauth/some-id?state=x")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if policy := res.Header.Get("Content-Security-Policy"); policy != "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "+
		"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; frame-src "+w.mk.URL {
		t.Errorf("policy: %s", policy)
	}
	if cookie := res.Cookies()[0]; !cookie.HttpOnly || cookie.Secure || cookie.SameSite != http.SameSiteLaxMode || len(cookie.Value) < 26 {
		t.Errorf("cookie: %v", cookie)
	}
	page := w.get(w.browser, "/")
	if !strings.Contains(page, `data-connect-url="`+w.mk.URL+`"`) {
		t.Errorf("page: %s", page)
	}
	for _, file := range []string{"app.js", "app.css", "icon.svg", "moneykit-connect.js"} {
		w.get(w.browser, "/static/"+file)
	}
}

func TestOrigin(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		origin, host string
		status       int
	}{
		{"http://127.0.0.1:8080", "127.0.0.1:8080", 200},
		{"http://127.0.0.1:80", "127.0.0.1", 200},
		{"http://127.0.0.1:80", "127.0.0.1:80", 200},
		{"http://[::1]:80", "[::1]", 200},
		{"http://app.example", "APP.example", 200},
		{"https://app.example:443/", "app.example", 200},
		{"https://app.example", "app.example:443", 200},
		// Under another name of this machine it is another site to a browser, so it sends people to its own.
		{"http://127.0.0.1:8080", "localhost:8080", 302},
		{"http://localhost:8080", "[::1]:8080", 302},
		{"http://127.0.0.1:8080", "127.0.0.1", 421},
		{"http://127.0.0.1:8080", "localhost:8081", 421},
		{"http://127.0.0.1:8080", "evil.example:8080", 421},
		{"http://app.example:8080", "127.0.0.1:8080", 421},
		{"https://app.example", "app.example:80", 421},
		{"https://app.example", "evil.example", 421},
	} {
		origin, err := parseOrigin(test.origin)
		if err != nil {
			t.Errorf("%s: %v", test.origin, err)
			continue
		}
		handler := (&app{origin: origin}).handler()
		get := httptest.NewRequest("GET", "/static/app.js", nil)
		get.Host = test.host
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, get)
		if location := rec.Header().Get("Location"); rec.Code != test.status || rec.Code == 302 && location != origin+"/" || len(rec.Header()["Set-Cookie"]) != 0 {
			t.Errorf("%s as %s: %d, to %q", test.origin, test.host, rec.Code, location)
		}
		post := httptest.NewRequest("POST", "/linking/session", strings.NewReader("{}"))
		post.Host = test.host
		rec = httptest.NewRecorder()
		handler.ServeHTTP(rec, post)
		if want := map[int]int{200: 401, 302: 421, 421: 421}[test.status]; rec.Code != want {
			t.Errorf("a POST to %s as %s: %d, want %d", test.origin, test.host, rec.Code, want)
		}
	}
	for _, raw := range []string{"", "app.example", "ftp://app.example", "https://", "https://app.example/path", "https://app.example?x=y", "https://app.example#x", "https://me@app.example", "https://%"} {
		if origin, err := parseOrigin(raw); err == nil || origin != "" {
			t.Errorf("%q: %q", raw, origin)
		}
	}
	for addr, want := range map[string]string{"127.0.0.1:80": "http://127.0.0.1", "127.0.0.1:8080": "http://127.0.0.1:8080", "[::]:8080": "http://localhost:8080", "0.0.0.0:80": "http://localhost", "[::1]:8080": "http://[::1]:8080"} {
		tcp, err := net.ResolveTCPAddr("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := originOf(tcp); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", addr, got, err, want)
		}
	}
}

// A proxy that puts the address of this server into Host, as nginx does by default, gets an error that says so, and no
// redirect to where the browser is already.
func TestProxyThatChangesHost(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(nil)
	server.Start()
	t.Cleanup(server.Close)
	target, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }})
	t.Cleanup(proxy.Close)
	server.Config.Handler = (&app{origin: proxy.URL}).handler()
	res, err := proxy.Client().Get(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err != nil || res.StatusCode != http.StatusMisdirectedRequest || !strings.Contains(string(body), "Host header") {
		t.Errorf("%s: %s, %v", res.Status, body, err)
	}
}

func TestSecureCookie(t *testing.T) {
	t.Parallel()
	rec := httptest.NewRecorder()
	(&app{origin: "https://app.example"}).signIn(rec, httptest.NewRequest("GET", "/", nil))
	if cookie := rec.Result().Cookies()[0]; !cookie.Secure {
		t.Errorf("cookie: %v", cookie)
	}
}
