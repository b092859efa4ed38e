package api_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/auth"
	"github.com/moneykit/moneykit-go/gen"
)

// standIn serves what these examples need. To test code of your own, use package sandbox.
func standIn(exchange http.HandlerFunc) *httptest.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /auth/token", reply(201, `{"access_token":"t","token_type":"bearer","expires_in":3600}`))
	mux.HandleFunc("POST /link-session", reply(201, `{"link_session_token":"session-token"}`))
	mux.HandleFunc("POST /link-session/exchange-token", exchange)
	return httptest.NewServer(mux)
}

func Example() {
	moneykit := standIn(reply(201, `{"link_id":"mk_1","link":{"link_id":"mk_1","institution_id":"chase",
		"institution_name":"Chase","state":"connected","products":{"accounts":{"refreshed_at":"2023-02-16T09:14:11"}}}}`))
	defer moneykit.Close()

	client, err := api.FromCredentials("your-client-id", "your-client-secret", api.WithBaseURL(moneykit.URL))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()

	session, err := client.CreateLinkSession(ctx, gen.CreateLinkSessionRequest{
		CustomerUser: gen.LinkSessionCustomerUser{ID: "user-42"},
		RedirectURI:  "https://yourdomain.com/oauth.html",
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("start Connect with", session.LinkSessionToken)

	// Connect's success callback gave the front end this token.
	linked, err := client.ExchangeToken(ctx, gen.ExchangeTokenRequest{ExchangeableToken: "exchangeable-token"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(linked.Link.LinkID, linked.Link.InstitutionName, linked.Link.State)
	fmt.Println("accounts of", linked.Link.Products.Accounts.RefreshedAt.Format(time.RFC3339))
	// Output:
	// start Connect with session-token
	// mk_1 Chase connected
	// accounts of 2023-02-16T09:14:11Z
}

func ExampleError() {
	moneykit := standIn(reply(400, `{"error_code":"link_session_error.invalid_token_exchange","error_message":"Already used."}`,
		"X-Request-Id", "req_1"))
	defer moneykit.Close()
	client, err := api.New(auth.StaticToken("t"), api.WithBaseURL(moneykit.URL))
	if err != nil {
		log.Fatal(err)
	}

	_, err = client.ExchangeToken(context.Background(), gen.ExchangeTokenRequest{ExchangeableToken: "used-token"})

	if errors.Is(err, api.ErrInvalidTokenExchange) {
		fmt.Println("the user has to link again")
	}
	var e *api.Error
	if errors.As(err, &e) {
		fmt.Println(e.Op, e.StatusCode, e.Code, e.Message, e.RequestID)
	}
	// Output:
	// the user has to link again
	// exchange_token 400 link_session_error.invalid_token_exchange Already used. req_1
}

func ExampleWithHTTPInfo() {
	calls := 0
	moneykit := standIn(func(w http.ResponseWriter, r *http.Request) {
		if calls++; calls == 1 {
			reply(503, "", "Retry-After", "0")(w, r)
			return
		}
		reply(201, `{"link_id":"mk_1","link":{"link_id":"mk_1"}}`)(w, r)
	})
	defer moneykit.Close()
	client, err := api.New(auth.StaticToken("t"), api.WithBaseURL(moneykit.URL),
		api.WithRetryPolicy(api.RetryPolicy{BaseDelay: time.Millisecond}))
	if err != nil {
		log.Fatal(err)
	}

	var info api.HTTPInfo
	_, err = client.ExchangeToken(context.Background(), gen.ExchangeTokenRequest{ExchangeableToken: "t"}, api.WithHTTPInfo(&info))
	fmt.Println(err, info.StatusCode, info.Attempts)
	// Output: <nil> 201 2
}

func ExampleWithLogger() {
	moneykit := standIn(reply(401, `{"error_code":"api_error.auth.unauthorized","error_message":"Who are you?"}`))
	defer moneykit.Close()
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == "duration" || a.Key == "error" { // they differ from run to run
				return slog.Attr{}
			}
			return a
		},
	}))
	client, err := api.New(auth.StaticToken("t"), api.WithBaseURL(moneykit.URL), api.WithLogger(logger))
	if err != nil {
		log.Fatal(err)
	}

	if _, err = client.ExchangeToken(context.Background(), gen.ExchangeTokenRequest{ExchangeableToken: "t"}); err == nil {
		log.Fatal("no error")
	}
	// Output: level=WARN msg="moneykit request" operation=exchange_token attempt=1 status=401 request_id=""
}

func ExampleFromEnv() {
	for _, name := range []string{api.EnvURL, api.EnvClientID, api.EnvClientSecret} {
		if was, ok := os.LookupEnv(name); ok {
			defer os.Setenv(name, was)
		} else {
			defer os.Unsetenv(name)
		}
	}
	os.Setenv(api.EnvURL, "https://api.moneykit.com")
	os.Setenv(api.EnvClientID, "sandbox_id")
	os.Unsetenv(api.EnvClientSecret)

	_, err := api.FromEnv()
	fmt.Println(err)
	// Output: moneykit: api: set the environment variable(s) MONEYKIT_CLIENT_SECRET
}
