package api_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/auth"
	"github.com/moneykit/moneykit-go/gen"
)

// docs/LinkSessionApi.md shows these examples without their first paragraph, and runs them against the sandbox.

// exchanged is the response to an exchange.
const exchanged = `{"link_id":"mk_1","link":{"link_id":"mk_1","institution_id":"chase","institution_name":"Chase","state":"connected","products":{}}}`

// start returns a client of a server that stands in for MoneyKit, and what stops the server.
func start(exchange http.HandlerFunc) (ctx context.Context, client *api.Client, exchangeableToken string, stop func()) {
	moneykit := standIn(exchange)
	client, err := api.New(auth.StaticToken("t"), api.WithBaseURL(moneykit.URL))
	if err != nil {
		log.Fatal(err)
	}
	return context.Background(), client, "exchangeable-token", moneykit.Close
}

func ExampleFromEnv_client() {
	ctx := context.Background()

	client, err := api.FromEnv() // MONEYKIT_CLIENT_ID, MONEYKIT_CLIENT_SECRET; MONEYKIT_URL for a sandbox
	if err != nil {
		log.Fatal(err)
	}

	_, _ = ctx, client
}

func ExampleClient_CreateLinkSession() {
	ctx, client, _, stop := start(http.NotFound)
	defer stop()

	session, err := client.CreateLinkSession(ctx, gen.CreateLinkSessionRequest{
		CustomerUser: gen.LinkSessionCustomerUser{ID: "user-42"},
		RedirectURI:  "https://yourdomain.com/oauth.html",
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("start Connect with", session.LinkSessionToken)
	// Output: start Connect with session-token
}

func ExampleClient_CreateLinkSession_withHTTPInfo() {
	ctx, client, _, stop := start(http.NotFound)
	defer stop()

	var info api.HTTPInfo
	session, err := client.CreateLinkSession(ctx, gen.CreateLinkSessionRequest{
		CustomerUser: gen.LinkSessionCustomerUser{ID: "user-42"},
		RedirectURI:  "https://yourdomain.com/oauth.html",
	}, api.WithHTTPInfo(&info))
	if err != nil {
		log.Fatalf("status %d: %v", info.StatusCode, err)
	}
	fmt.Println(info.StatusCode, info.Header.Get("Content-Type"), info.Attempts)
	fmt.Println("start Connect with", session.LinkSessionToken)
	// Output:
	// 201 application/json 1
	// start Connect with session-token
}

func ExampleClient_CreateLinkSession_errors() {
	ctx, client, _, stop := start(http.NotFound)
	defer stop()

	_, err := client.CreateLinkSession(ctx, gen.CreateLinkSessionRequest{})
	var e *api.Error
	if errors.Is(err, api.ErrValidation) && errors.As(err, &e) {
		for _, v := range e.ValidationErrors {
			fmt.Println(v.Location, v.Message)
		}
	}
	// Output:
	// [body customer_user id] field required
	// [body redirect_uri] field required
}

func ExampleClient_ExchangeToken() {
	ctx, client, exchangeableToken, stop := start(reply(201, exchanged))
	defer stop()

	linked, err := client.ExchangeToken(ctx, gen.ExchangeTokenRequest{ExchangeableToken: exchangeableToken})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("store", linked.Link.LinkID, linked.Link.State)
	// Output: store mk_1 connected
}

func ExampleClient_ExchangeToken_withHTTPInfo() {
	ctx, client, exchangeableToken, stop := start(reply(201, exchanged))
	defer stop()

	var info api.HTTPInfo
	linked, err := client.ExchangeToken(ctx, gen.ExchangeTokenRequest{ExchangeableToken: exchangeableToken}, api.WithHTTPInfo(&info))
	if err != nil {
		log.Fatalf("status %d: %v", info.StatusCode, err)
	}
	fmt.Println(info.StatusCode, info.Header.Get("Content-Type"), info.Attempts)
	fmt.Println("store", linked.Link.LinkID, linked.Link.State)
	// Output:
	// 201 application/json 1
	// store mk_1 connected
}

func ExampleClient_ExchangeToken_errors() {
	ctx, client, exchangeableToken, stop := start(reply(400, `{"error_code":"link_session_error.invalid_token_exchange","error_message":"Already used."}`))
	defer stop()

	_, err := client.ExchangeToken(ctx, gen.ExchangeTokenRequest{ExchangeableToken: exchangeableToken})
	var e *api.Error
	switch {
	case err == nil:
	case errors.Is(err, api.ErrOutcomeUnknown):
		fmt.Println("wait for the event link.state_changed")
	case errors.Is(err, api.ErrInvalidTokenExchange):
		fmt.Println("link the bank again")
	case errors.As(err, &e):
		fmt.Println(e.StatusCode, e.Code, e.Message, e.RequestID)
	}
	// Output: link the bank again
}

// Options of a call take precedence over those of the client.
func ExampleCallOption() {
	ctx, client, exchangeableToken, stop := start(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println("X-Trace:", r.Header.Get("X-Trace"))
		reply(201, exchanged)(w, r)
	})
	defer stop()

	trace := func(_ context.Context, r *http.Request) error {
		r.Header.Set("X-Trace", "4bf92f35")
		return nil
	}
	linked, err := client.ExchangeToken(ctx, gen.ExchangeTokenRequest{ExchangeableToken: exchangeableToken},
		api.WithRequestEditor(trace),
		api.WithTimeout(10*time.Second),
		api.WithRetryPolicy(api.RetryPolicy{MaxAttempts: 1}))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("store", linked.Link.LinkID)
	// Output:
	// X-Trace: 4bf92f35
	// store mk_1
}

// A call that the server refused with a wait is retried after the wait.
func ExampleRetryPolicy() {
	calls := 0
	ctx, client, exchangeableToken, stop := start(func(w http.ResponseWriter, r *http.Request) {
		if calls++; calls < 3 {
			reply(429, `{"error_code":"api_error.rate_limit_exceeded"}`, "Retry-After", "0")(w, r)
			return
		}
		reply(201, exchanged)(w, r)
	})
	defer stop()

	var info api.HTTPInfo
	_, err := client.ExchangeToken(ctx, gen.ExchangeTokenRequest{ExchangeableToken: exchangeableToken},
		api.WithRetryPolicy(api.RetryPolicy{MaxAttempts: 3, BaseDelay: time.Millisecond, MaxDelay: time.Second}),
		api.WithHTTPInfo(&info))
	fmt.Println(info.StatusCode, "after", info.Attempts, "attempts:", err)
	// Output: 201 after 3 attempts: <nil>
}

// An Error can be built in tests of your own, to see what your code does with it.
func ExampleError_test() {
	yourCode := func(err error) string {
		if errors.Is(err, api.ErrOutcomeUnknown) {
			return "wait for the event"
		}
		return "link again"
	}

	fmt.Println(yourCode(&api.Error{Op: "exchange_token", OutcomeUnknown: true}))
	fmt.Println(yourCode(&api.Error{Op: "exchange_token", StatusCode: 400, Code: "link_session_error.invalid_token_exchange"}))
	// Output:
	// wait for the event
	// link again
}

func ExampleWithAppInfo() {
	client, err := api.New(auth.StaticToken("t"), api.WithAppInfo("shop", "1.4"))
	fmt.Println(client, err)
	_, err = api.New(auth.StaticToken("t"), api.WithAppInfo("my shop", "1.4"))
	fmt.Println(err)
	// Output:
	// api.Client(api.moneykit.com) <nil>
	// moneykit: api: WithAppInfo: the name is "my shop"; want letters, digits and !#$%&'*+-.^_`|~
}
