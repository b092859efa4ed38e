package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/auth"
	"github.com/moneykit/moneykit-go/gen"
)

const (
	bearer       = "the-access-token"
	exchangeable = "the-exchangeable-token"

	// prefix is where these tests mount the API, so that a client that drops the base URL's path finds nothing.
	prefix = "/some/prefix"

	session = `{"link_session_token":"the-session-token"}`
	linked  = `{"link_id":"mk_1","link":{"link_id":"mk_1","institution_id":"chase","institution_name":"Chase","state":"connected","products":{}}}`
)

// serve starts an API that responds to both operations with response, and returns a client of it.
func serve(t *testing.T, response http.HandlerFunc, opts ...api.Option) *api.Client {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+prefix+"/link-session", response)
	mux.HandleFunc("POST "+prefix+"/link-session/exchange-token", response)
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	once := api.WithRetryPolicy(api.RetryPolicy{MaxAttempts: 1})
	client, err := api.New(auth.StaticToken(bearer), append([]api.Option{api.WithBaseURL(srv.URL + prefix), once}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func reply(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func createRequest() gen.CreateLinkSessionRequest {
	return gen.CreateLinkSessionRequest{
		CustomerUser: gen.LinkSessionCustomerUser{ID: "user-42"},
		RedirectURI:  "https://yourdomain.com/oauth.html",
	}
}

func exchangeRequest() gen.ExchangeTokenRequest {
	return gen.ExchangeTokenRequest{ExchangeableToken: exchangeable}
}

// operations calls each operation in the same way.
var operations = map[string]func(context.Context, *api.Client, ...api.CallOption) error{
	"create_link_session": func(ctx context.Context, c *api.Client, opts ...api.CallOption) error {
		res, err := c.CreateLinkSession(ctx, createRequest(), opts...)
		if (res == nil) == (err == nil) {
			return errors.Join(errors.New("a response and an error, or neither"), err)
		}
		return err
	},
	"exchange_token": func(ctx context.Context, c *api.Client, opts ...api.CallOption) error {
		res, err := c.ExchangeToken(ctx, exchangeRequest(), opts...)
		if (res == nil) == (err == nil) {
			return errors.Join(errors.New("a response and an error, or neither"), err)
		}
		return err
	},
}

func TestCreateLinkSession(t *testing.T) {
	t.Parallel()
	var got *http.Request
	var body string
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		data, _ := io.ReadAll(r.Body)
		got, body = r, string(data)
		reply(http.StatusCreated, session)(w, r)
	})
	res, err := client.CreateLinkSession(t.Context(), createRequest())
	if err != nil || res.LinkSessionToken != "the-session-token" {
		t.Fatalf("got %v, %v", res, err)
	}
	if got.URL.Path != prefix+"/link-session" {
		t.Errorf("sent to %s", got.URL)
	}
	if want := `{"customer_user":{"id":"user-42"},"redirect_uri":"https://yourdomain.com/oauth.html"}`; body != want {
		t.Errorf("sent %s, want %s", body, want)
	}
	if got.ContentLength != int64(len(body)) {
		t.Errorf("sent Content-Length %d", got.ContentLength)
	}
	for name, want := range map[string]string{
		"Authorization": "Bearer " + bearer, "Content-Type": "application/json", "Accept": "application/json",
		"Moneykit-Version": "2023-02-18",
	} {
		if v := got.Header.Get(name); v != want {
			t.Errorf("sent %s: %q, want %q", name, v, want)
		}
	}
	if ua := got.Header.Get("User-Agent"); !strings.HasPrefix(ua, "moneykit-go/") || !strings.Contains(ua, "go1.") {
		t.Errorf("sent User-Agent %q", ua)
	}
}

func TestExchangeToken(t *testing.T) {
	t.Parallel()
	const response = `{"link_id":"mk_1","future":{"x":[1]},"link":{"link_id":"mk_1","institution_id":"i","institution_name":"I",
		"institution_avatar":null,"state":"hibernating","error_code":null,"last_synced_at":"2023-02-16T09:14:11",
		"provider":"next_big_thing","link_tags":null,"tags":["a"],"webhook":null,"available_products":["accounts","horoscope"],
		"products":{"accounts":{"refreshed_at":"2023-02-16T09:14:11","last_attempted_at":"2023-02-16T09:14:11+01:00",
		"error_code":"whatever","error_message":null,"unavailable":null,"settings":null},"identity":null,
		"transactions":{"refreshed_at":null,"has_history":true,"unavailable":"The institution is down."}}}}`
	client := serve(t, reply(http.StatusCreated, response))
	res, err := client.ExchangeToken(t.Context(), exchangeRequest())
	if err != nil {
		t.Fatal(err)
	}
	utc := time.Date(2023, 2, 16, 9, 14, 11, 0, time.UTC)
	link := res.Link
	if link.LinkID != "mk_1" || link.State != "hibernating" || link.Provider != "next_big_thing" || link.AvailableProducts[1] != "horoscope" {
		t.Errorf("unknown values were not kept: %+v", link)
	}
	if !link.LastSyncedAt.Equal(utc) || !link.Products.Accounts.RefreshedAt.Equal(utc) || !link.Products.Accounts.LastAttemptedAt.Equal(utc.Add(-time.Hour)) {
		t.Errorf("timestamps: %+v", link)
	}
	if link.ErrorCode != "" || link.Webhook != "" || link.LinkTags != nil || !link.Products.Transactions.RefreshedAt.IsZero() || !link.Products.Transactions.HasHistory || link.Products.Transactions.Unavailable != "The institution is down." {
		t.Errorf("nulls: %+v", link)
	}
}

// A link whose deprecated link_id is gone is still a link.
func TestExchangeTokenWithoutDeprecatedID(t *testing.T) {
	t.Parallel()
	client := serve(t, reply(http.StatusCreated, strings.Replace(linked, `"link_id":"mk_1",`, "", 1)))
	res, err := client.ExchangeToken(t.Context(), exchangeRequest())
	if err != nil || res.Link.LinkID != "mk_1" || res.LinkID != "mk_1" {
		t.Errorf("got %+v, %v", res, err)
	}
}

// What is left out, zero, empty and null on the wire.
func TestOptionalFields(t *testing.T) {
	t.Parallel()
	with := func(change func(*gen.CreateLinkSessionRequest)) gen.CreateLinkSessionRequest {
		r := createRequest()
		change(&r)
		return r
	}
	const required = `"customer_user":{"id":"user-42"},"redirect_uri":"https://yourdomain.com/oauth.html"`
	for want, req := range map[string]gen.CreateLinkSessionRequest{
		required: createRequest(),
		required + `,"link_tags":[]`: with(func(r *gen.CreateLinkSessionRequest) {
			r.LinkTags = []string{}
		}),
		required + `,"settings":{"products":{"identity":{},"transactions":{"prefetch":true}}}`: with(func(r *gen.CreateLinkSessionRequest) {
			r.Settings.Products.Identity = &gen.ProductSettings{}
			r.Settings.Products.Transactions = &gen.TransactionsProductSettings{Prefetch: true}
		}),
		required + `,"settings":{"providers":[],"countries":["US"]}`: with(func(r *gen.CreateLinkSessionRequest) {
			r.Settings.Providers = []gen.Provider{}
			r.Settings.Countries = []gen.Country{gen.CountryUS}
		}),
	} {
		data, err := json.Marshal(req)
		if err != nil {
			t.Fatal(err)
		}
		if !sameJSON(t, string(data), "{"+want+"}") {
			t.Errorf("marshals to %s, want {%s}", data, want)
		}
	}
}

func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	canon := func(s string) string {
		var v any
		if err := json.Unmarshal([]byte(s), &v); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		data, _ := json.Marshal(v)
		return string(data)
	}
	return canon(a) == canon(b)
}

func TestIncompleteRequestIsNotSent(t *testing.T) {
	t.Parallel()
	client := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") })
	for want, call := range map[string]func(...api.CallOption) error{
		"moneykit: create_link_session: not sent: validation failed: " +
			"body.customer_user.id: field required; body.redirect_uri: field required": func(o ...api.CallOption) error {
			_, err := client.CreateLinkSession(t.Context(), gen.CreateLinkSessionRequest{}, o...)
			return err
		},
		"moneykit: exchange_token: not sent: validation failed: " +
			"body.exchangeable_token: field required": func(o ...api.CallOption) error {
			_, err := client.ExchangeToken(t.Context(), gen.ExchangeTokenRequest{}, o...)
			return err
		},
	} {
		info := api.HTTPInfo{Attempts: 7}
		err := call(api.WithHTTPInfo(&info))
		if err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
		var e *api.Error
		if !errors.Is(err, api.ErrValidation) || errors.Is(err, api.ErrOutcomeUnknown) || !errors.As(err, &e) || e.StatusCode != 0 {
			t.Errorf("%v is not ErrValidation, or has a status", err)
		}
		if info.Attempts != 0 || info.StatusCode != 0 {
			t.Errorf("info %+v", info)
		}
	}
}

func TestHTTPInfo(t *testing.T) {
	t.Parallel()
	for name, call := range operations {
		client := serve(t, reply(http.StatusNotFound, "", "X-Request-Id", "req-1"))
		var info api.HTTPInfo
		err := call(t.Context(), client, api.WithHTTPInfo(&info), nil, api.WithHTTPInfo(&info))
		if err == nil || info.StatusCode != http.StatusNotFound || info.Header.Get("X-Request-Id") != "req-1" || info.Attempts != 1 {
			t.Errorf("%s: %+v, %v", name, info, err)
		}
		if err := call(t.Context(), client, api.WithHTTPInfo(nil)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestRequestEditors(t *testing.T) {
	t.Parallel()
	var header http.Header
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		header = r.Header
		reply(http.StatusCreated, session)(w, r)
	}, api.WithRequestEditor(func(_ context.Context, r *http.Request) error {
		if r.URL.RawQuery != "" || r.Header.Get("Authorization") != "" {
			t.Errorf("an edited query of another request, or the token: %v", r)
		}
		r.URL.RawQuery = "edited=1"
		r.Header.Set("Authorization", "Bearer another")
		return nil
	}), appending("a"), appending("b"))
	for range 2 {
		_, err := client.CreateLinkSession(t.Context(), createRequest(), appending("c"), appending("d"))
		if err != nil || header.Get("X-Editors") != "abcd" || header.Get("Authorization") != "Bearer "+bearer {
			t.Errorf("%v, %v", err, header)
		}
	}
	if _, err := client.CreateLinkSession(t.Context(), createRequest()); err != nil || header.Get("X-Editors") != "ab" {
		t.Errorf("editors of one call ran in another: %v, %v", err, header)
	}
	refused := errors.New("no such tenant")
	client = serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") },
		api.WithRequestEditor(func(context.Context, *http.Request) error { return refused }))
	for name, call := range operations {
		if err := call(t.Context(), client); !errors.Is(err, refused) || errors.Is(err, api.ErrOutcomeUnknown) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Calls do not share the array that their editors are in: one that starts while the editors of another run has its own.
func TestRequestEditorsOfNestedCalls(t *testing.T) {
	t.Parallel()
	var headers []string
	var client *api.Client
	nested := false
	client = serve(t, func(w http.ResponseWriter, r *http.Request) {
		headers = append(headers, r.Header.Get("X-Editors"))
		reply(http.StatusCreated, session)(w, r)
	}, appending("a"), appending("b"), appending("c"), appending("d"), api.WithRequestEditor(func(ctx context.Context, _ *http.Request) error {
		if nested {
			return nil
		}
		nested = true
		_, err := client.CreateLinkSession(ctx, createRequest(), appending("y"))
		return err
	}))
	if _, err := client.CreateLinkSession(t.Context(), createRequest(), appending("x")); err != nil || !slices.Equal(headers, []string{"abcdy", "abcdx"}) {
		t.Errorf("%v, %v", headers, err)
	}
}

// appending adds its name to the header X-Editors.
func appending(name string) api.SharedOption {
	return api.WithRequestEditor(func(_ context.Context, r *http.Request) error {
		r.Header.Set("X-Editors", r.Header.Get("X-Editors")+name)
		return nil
	})
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	src := auth.StaticToken(bearer)
	for want, build := range map[string]func() (*api.Client, error){
		"api: the token source is nil":    func() (*api.Client, error) { return api.New(nil) },
		"api: an option is nil":           func() (*api.Client, error) { return api.New(src, nil) },
		"api: the base URL: no host":      func() (*api.Client, error) { return api.New(src, api.WithBaseURL("api.moneykit.com")) },
		"api: the base URL: http to ex":   func() (*api.Client, error) { return api.New(src, api.WithBaseURL("http://example.com")) },
		"api: WithHTTPClient: the client": func() (*api.Client, error) { return api.New(src, api.WithHTTPClient(nil)) },
		"api: WithLogger: the logger":     func() (*api.Client, error) { return api.New(src, api.WithLogger(nil)) },
		"api: WithRequestEditor: the ed":  func() (*api.Client, error) { return api.New(src, api.WithRequestEditor(nil)) },
		"api: WithTimeout: 0s; want":      func() (*api.Client, error) { return api.New(src, api.WithTimeout(0)) },
		"api: WithMaxBodySize: -1; want":  func() (*api.Client, error) { return api.New(src, api.WithMaxBodySize(-1)) },
		"WithRetryPolicy: {MaxAttempts:-1": func() (*api.Client, error) {
			return api.New(src, api.WithRetryPolicy(api.RetryPolicy{MaxAttempts: -1}))
		},
		"BaseDelay:-1ns": func() (*api.Client, error) { return api.New(src, api.WithRetryPolicy(api.RetryPolicy{BaseDelay: -1})) },
		"MaxDelay:-1ns":  func() (*api.Client, error) { return api.New(src, api.WithRetryPolicy(api.RetryPolicy{MaxDelay: -1})) },
	} {
		if c, err := build(); c != nil || err == nil || !strings.HasPrefix(err.Error(), "moneykit: api: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, %v, want %q", c, err, want)
		}
	}
}

func TestUnusableClients(t *testing.T) {
	t.Parallel()
	for _, c := range []*api.Client{nil, {}} {
		for name, call := range operations {
			if err := call(t.Context(), c); err == nil || !strings.HasPrefix(err.Error(), "moneykit: "+name+": ") || !strings.Contains(err.Error(), "make it with FromCredentials, FromEnv or New") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if c.String() != "api.Client" {
			t.Errorf("prints as %v", c)
		}
	}
	client := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") })
	for name, call := range operations {
		if err := call(nil, client); err == nil || err.Error() != "moneykit: "+name+": the context is nil" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	client, err := api.New(auth.StaticToken(bearer))
	if err != nil {
		t.Fatal(err)
	}
	if client.String() != "api.Client(api.moneykit.com)" {
		t.Errorf("prints as %v", client)
	}
}

// A hang is a server that takes the whole request and never responds.
type hang struct{}

func (hang) RoundTrip(r *http.Request) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	withTimeout := func(d time.Duration) api.Option {
		return api.WithHTTPClient(&http.Client{Transport: hang{}, Timeout: d})
	}
	for name, tt := range map[string]struct {
		opts []api.Option
		want time.Duration
	}{
		"default":              {[]api.Option{withTimeout(0)}, 60 * time.Second},
		"option":               {[]api.Option{withTimeout(0), api.WithTimeout(time.Second)}, time.Second},
		"client":               {[]api.Option{withTimeout(2 * time.Second)}, 2 * time.Second},
		"option before client": {[]api.Option{api.WithTimeout(3 * time.Second), withTimeout(time.Hour)}, 3 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			client, err := api.New(auth.StaticToken(bearer), tt.opts...)
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			_, err = client.ExchangeToken(t.Context(), exchangeRequest())
			if d := time.Since(start); d != tt.want {
				t.Errorf("%s: ended after %v, want %v", name, d, tt.want)
			}
			var e *api.Error
			if !errors.As(err, &e) || e.StatusCode != 0 || !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, api.ErrOutcomeUnknown) {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}
