package sandbox_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"time"

	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/sandbox"
)

// From credentials to a link, with the generated client.
func Example() {
	sb := sandbox.New()
	server := httptest.NewServer(sb) // in a test: srv := sandbox.Start(t)
	defer server.Close()
	client := exampleClient(server.URL, sb)

	created, err := client.CreateLinkSessionWithResponse(context.Background(), gen.CreateLinkSessionRequest{
		CustomerUser:  gen.LinkSessionCustomerUser{ID: "user-42"},
		RedirectURI:   "https://yourdomain.com/oauth.html",
		InstitutionID: "chase",
	})
	if err != nil {
		log.Fatal(err)
	}
	exchangeable, err := sb.Complete(created.JSON201.LinkSessionToken)
	if err != nil {
		log.Fatal(err)
	}
	exchanged, err := client.ExchangeTokenWithResponse(context.Background(), gen.ExchangeTokenRequest{ExchangeableToken: exchangeable})
	if err != nil {
		log.Fatal(err)
	}
	link := exchanged.JSON201.Link
	fmt.Println(link.State, link.InstitutionID, link.InstitutionName)
	// Output: connected chase Sandbox Bank (chase)
}

// The answer to an exchange gets lost: the client knows nothing, and the link is connected all the same.
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
	fmt.Println("an answer:", err == nil)
	fmt.Println("the link:", sb.Links()[0].State)
	// Output:
	// an answer: false
	// the link: connected
}

// An hour passes, and the client's token with it.
func ExampleSandbox_Advance() {
	sb := sandbox.New()
	server := httptest.NewServer(sb)
	defer server.Close()
	client := exampleClient(server.URL, sb)

	sb.Advance(time.Hour)
	answer, err := client.ExchangeTokenWithResponse(context.Background(), gen.ExchangeTokenRequest{ExchangeableToken: "any"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.StatusCode(), answer.JSON401.ErrorCode)
	// Output: 401 api_error.auth.expired_access_token
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

// exampleClient is a client that sends a token of sb, as package auth would.
func exampleClient(baseURL string, sb *sandbox.Sandbox) *gen.ClientWithResponses {
	res, err := http.PostForm(baseURL+"/auth/token", url.Values{
		"grant_type":    {"client_credentials"},
		"client_id":     {sb.ClientID},
		"client_secret": {sb.ClientSecret},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer res.Body.Close()
	var token struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(res.Body).Decode(&token); err != nil {
		log.Fatal(err)
	}
	client, err := gen.NewClientWithResponses(baseURL, gen.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+token.AccessToken)
		return nil
	}))
	if err != nil {
		log.Fatal(err)
	}
	return client
}

// exampleExchangeable is the exchangeable token of a session that its end user has finished.
func exampleExchangeable(client *gen.ClientWithResponses, sb *sandbox.Sandbox) string {
	created, err := client.CreateLinkSessionWithResponse(context.Background(), gen.CreateLinkSessionRequest{
		CustomerUser: gen.LinkSessionCustomerUser{ID: "user-42"},
		RedirectURI:  "https://yourdomain.com/oauth.html",
	})
	if err != nil {
		log.Fatal(err)
	}
	exchangeable, err := sb.Complete(created.JSON201.LinkSessionToken)
	if err != nil {
		log.Fatal(err)
	}
	return exchangeable
}
