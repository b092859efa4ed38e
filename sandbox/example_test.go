package sandbox_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http/httptest"
	"time"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/sandbox"
	"github.com/moneykit/moneykit-go/webhook"
)

// From credentials to a link.
func Example() {
	ctx := context.Background()
	sb := sandbox.New()
	server := httptest.NewServer(sb) // in a test: srv := sandbox.Start(t)
	defer server.Close()
	client := exampleClient(server.URL, sb) // in a test: srv.Client()

	session, err := client.CreateLinkSession(ctx, gen.CreateLinkSessionRequest{
		CustomerUser:  gen.LinkSessionCustomerUser{ID: "user-42"},
		RedirectURI:   "https://yourdomain.com/oauth.html",
		InstitutionID: "chase",
	})
	if err != nil {
		log.Fatal(err)
	}
	exchangeable, err := sb.Complete(session.LinkSessionToken)
	if err != nil {
		log.Fatal(err)
	}
	exchanged, err := client.ExchangeToken(ctx, gen.ExchangeTokenRequest{ExchangeableToken: exchangeable})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(exchanged.Link.State, exchanged.Link.InstitutionID, exchanged.Link.InstitutionName)
	// Output: connected chase Sandbox Bank (chase)
}

// The response to an exchange is lost: the client does not know the outcome, and the link is connected.
func ExampleSandbox_Fail() {
	sb := sandbox.New()
	server := httptest.NewServer(sb)
	defer server.Close()
	client := exampleClient(server.URL, sb)
	exchangeable := exampleExchangeable(client, sb)

	if err := sb.Fail(sandbox.ExchangeToken, 1, sandbox.Fault{Drop: true, After: true}); err != nil {
		log.Fatal(err)
	}
	_, err := client.ExchangeToken(context.Background(), gen.ExchangeTokenRequest{ExchangeableToken: exchangeable})
	fmt.Println(errors.Is(err, api.ErrOutcomeUnknown))
	fmt.Println(sb.Links()[0].State)
	// Output:
	// true
	// connected
}

// Half an hour passes, and the exchangeable token expires.
func ExampleSandbox_Advance() {
	sb := sandbox.New()
	server := httptest.NewServer(sb)
	defer server.Close()
	client := exampleClient(server.URL, sb)
	exchangeable := exampleExchangeable(client, sb)

	sb.Advance(30 * time.Minute)
	_, err := client.ExchangeToken(context.Background(), gen.ExchangeTokenRequest{ExchangeableToken: exchangeable})
	fmt.Println(errors.Is(err, api.ErrInvalidTokenExchange))
	// Output: true
}

func ExampleSandbox_Requests() {
	sb := sandbox.New()
	server := httptest.NewServer(sb)
	defer server.Close()
	client := exampleClient(server.URL, sb)
	exampleExchangeable(client, sb)

	for _, r := range sb.Requests() {
		fmt.Println(r.Operation, r.Status)
	}
	fmt.Println(sb.Requests()[1].Header.Get("Authorization"))
	// Output:
	// token 201
	// create_link_session 201
	// Bearer [redacted]
}

// A handler is tested with a signed request, which needs no delivery.
func ExampleSandbox_NewEvent() {
	sb := sandbox.New()
	server := httptest.NewServer(sb) // serves the keys
	defer server.Close()
	verifier, err := webhook.NewVerifier(webhook.WithBaseURL(server.URL))
	if err != nil {
		log.Fatal(err)
	}
	handler := webhook.Handler(verifier, func(_ context.Context, e *webhook.Event) error {
		fmt.Println(e.Type, e.LinkID, e.LinkTags)
		return nil
	})

	event, err := sb.NewEvent("/moneykit/webhook", gen.LinkStateChangedWebhook{LinkID: "mk_1", LinkTags: []string{"attempt:42"}})
	if err != nil {
		log.Fatal(err)
	}
	response := httptest.NewRecorder()
	handler.ServeHTTP(response, event)
	fmt.Println(response.Code)
	// Output:
	// link.state_changed mk_1 [attempt:42]
	// 204
}

// exampleClient returns a client of sb at baseURL.
func exampleClient(baseURL string, sb *sandbox.Sandbox) *api.Client {
	client, err := api.FromCredentials(sb.ClientID, sb.ClientSecret, api.WithBaseURL(baseURL))
	if err != nil {
		log.Fatal(err)
	}
	return client
}

// exampleExchangeable returns the exchangeable token of a session that its end user has completed.
func exampleExchangeable(client *api.Client, sb *sandbox.Sandbox) string {
	session, err := client.CreateLinkSession(context.Background(), gen.CreateLinkSessionRequest{
		CustomerUser: gen.LinkSessionCustomerUser{ID: "user-42"},
		RedirectURI:  "https://yourdomain.com/oauth.html",
	})
	if err != nil {
		log.Fatal(err)
	}
	exchangeable, err := sb.Complete(session.LinkSessionToken)
	if err != nil {
		log.Fatal(err)
	}
	return exchangeable
}
