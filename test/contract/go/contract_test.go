// Package contract is the contract in Go, through ogen.
package contract

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"strconv"
	"testing"
	"time"

	mk "github.com/moneykit/moneykit-go/test/contract/go/generated/moneykit"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

var url = os.Getenv("MONEYKIT_URL")

// bearer puts a token on each request of an ogen client.
type bearer struct{ oauth2.TokenSource }

func (b bearer) OAuth2ClientCredentials(context.Context, mk.OperationName) (mk.OAuth2ClientCredentials, error) {
	token, err := b.Token()
	if err != nil {
		return mk.OAuth2ClientCredentials{}, err
	}
	return mk.OAuth2ClientCredentials{Token: token.AccessToken}, nil
}

func connect(tokens oauth2.TokenSource) (*mk.Client, error) {
	return mk.NewClient(url, bearer{tokens}, mk.WithRequestEditor(func(_ context.Context, r *http.Request) error {
		r.Header.Set("MoneyKit-Version", "2023-02-18")
		return nil
	}))
}

func credentials(ctx context.Context) oauth2.TokenSource {
	config := clientcredentials.Config{
		ClientID:     os.Getenv("MONEYKIT_CLIENT_ID"),
		ClientSecret: os.Getenv("MONEYKIT_CLIENT_SECRET"),
		TokenURL:     url + "/auth/token",
		AuthStyle:    oauth2.AuthStyleInParams,
	}
	return config.TokenSource(ctx)
}

// newSession returns the token that MoneyKit Connect starts with.
func newSession(ctx context.Context, client *mk.Client, request *mk.CreateLinkSessionRequest) (string, error) {
	res, err := client.CreateLinkSession(ctx, request)
	if err != nil {
		return "", err // no response, or one that the contract does not list
	}
	switch res := res.(type) {
	case *mk.CreateLinkSessionResponse:
		return res.LinkSessionToken, nil
	case *mk.RateLimitedHeaders:
		return "", fmt.Errorf("%s: try again in %s s", res.Response.ErrorCode, res.RetryAfter.Value)
	default:
		return "", fmt.Errorf("failed: %+v", res)
	}
}

func client(t *testing.T) *mk.Client {
	t.Helper()
	client, err := connect(credentials(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func request(userID string) *mk.CreateLinkSessionRequest {
	return &mk.CreateLinkSessionRequest{
		CustomerUser: mk.LinkSessionCustomerUser{ID: userID},
		RedirectURI:  "https://yourdomain.com/oauth.html",
	}
}

// sandbox posts body and decodes the response, if there is one, into response.
func sandbox(t *testing.T, path string, body, response any) {
	t.Helper()
	encoded, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.Post(url+"/sandbox/"+path, "application/json", bytes.NewReader(encoded))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if response != nil {
		if err := json.NewDecoder(res.Body).Decode(response); err != nil {
			t.Fatal(err)
		}
	}
}

// completed creates a session, completes it as its end user would, and returns the exchangeable token.
func completed(t *testing.T, request *mk.CreateLinkSessionRequest) string {
	t.Helper()
	token, err := newSession(t.Context(), client(t), request)
	if err != nil {
		t.Fatal(err)
	}
	var response struct {
		ExchangeableToken string `json:"exchangeable_token"`
	}
	sandbox(t, "complete", map[string]string{"link_session_token": token}, &response)
	return response.ExchangeableToken
}

func exchange(t *testing.T, token string) mk.ExchangeTokenRes {
	t.Helper()
	res, err := client(t).ExchangeToken(t.Context(), &mk.ExchangeTokenRequest{ExchangeableToken: token})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func linked(t *testing.T, token string) mk.LinkCommon {
	t.Helper()
	res, ok := exchange(t, token).(*mk.ExchangeTokenResponse)
	if !ok {
		t.Fatalf("failed: %+v", res)
	}
	return res.Link
}

func prepared(t *testing.T, file string) mk.LinkCommon {
	t.Helper()
	body, err := os.ReadFile("../wire/" + file)
	if err != nil {
		t.Fatal(err)
	}
	sandbox(t, "fail", map[string]any{"operation": "exchange_token", "status": 201, "body": string(body)}, nil)
	return linked(t, "any")
}

func TestASessionBecomesALinkOnce(t *testing.T) {
	token := completed(t, request("user-42"))
	if link := linked(t, token); link.State != "connected" || link.Provider.Value != "moneykit" {
		t.Errorf("got %+v", link)
	}
	again, ok := exchange(t, token).(*mk.ExchangeTokenBadRequest)
	if !ok || again.ErrorCode != "link_session_error.invalid_token_exchange" {
		t.Errorf("the second exchange: %+v", again)
	}
}

func TestEveryFieldIsSent(t *testing.T) {
	first := linked(t, completed(t, request("user-42")))
	again := linked(t, completed(t, everyField(first.LinkID)))
	if want := []string{"smoke_test", "user_type:admin"}; !reflect.DeepEqual(again.LinkTags.Value, want) {
		t.Errorf("link_tags: got %q, want %q", again.LinkTags.Value, want)
	}
}

func TestAWrongTokenIsRejected(t *testing.T) {
	client, err := connect(oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "wrong"}))
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.CreateLinkSession(t.Context(), request("user-42"))
	if e, ok := res.(*mk.CreateLinkSessionUnauthorized); !ok || e.ErrorCode != "api_error.auth.unauthorized" {
		t.Errorf("got %+v, %v", res, err)
	}
}

func TestAnInvalidRequestNamesTheFields(t *testing.T) {
	invalid := request("")
	invalid.LinkTags = mk.NewOptNilStringArray([]string{"fine", "-"})
	res, err := client(t).CreateLinkSession(t.Context(), invalid)
	failed, ok := res.(*mk.HTTPValidationError)
	if !ok {
		t.Fatalf("got %+v, %v", res, err)
	}
	var got [][]any
	for _, problem := range failed.ValidationErrors {
		var location []any
		for _, item := range problem.Location {
			if name, ok := item.GetString(); ok {
				location = append(location, string(name))
			} else {
				location = append(location, int(item.Int))
			}
		}
		got = append(got, location)
	}
	if want := [][]any{{"body", "customer_user", "id"}, {"body", "link_tags", 1}}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestTheRateLimitSaysHowLongToWait(t *testing.T) {
	client := client(t)
	for range 20 {
		if _, err := newSession(t.Context(), client, request("hasty")); err != nil {
			t.Fatal(err)
		}
	}
	res, err := client.CreateLinkSession(t.Context(), request("hasty"))
	limited, ok := res.(*mk.RateLimitedHeaders)
	if !ok || limited.Response.ErrorCode != "api_error.rate_limit_exceeded" {
		t.Fatalf("got %+v, %v", res, err)
	}
	if seconds, err := strconv.Atoi(limited.RetryAfter.Value); err != nil || seconds < 1 {
		t.Errorf("Retry-After: %q", limited.RetryAfter.Value)
	}
}

func TestUnknownValuesAreKept(t *testing.T) {
	link := prepared(t, "unknown-link.json")
	accounts := link.Products.Accounts.Value
	got := []string{string(link.Provider.Value), string(link.State), string(link.ErrorCode.Value), string(accounts.ErrorCode.Value)}
	if want := []string{"bank_of_tomorrow", "paused", "bank_on_holiday", "moon_phase"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if want := []mk.Product{"accounts", "loans"}; !reflect.DeepEqual(link.AvailableProducts.Value, want) {
		t.Errorf("available_products: got %q, want %q", link.AvailableProducts.Value, want)
	}
	for _, at := range []mk.OptNilString{link.LastSyncedAt, accounts.RefreshedAt, accounts.LastAttemptedAt} {
		if got, err := parseTime(at.Value); err != nil || !got.Equal(time.Date(2023, 2, 16, 9, 14, 11, 0, time.UTC)) {
			t.Errorf("got %v, %v", got, err)
		}
	}
}

// docs:begin timestamp
// parseTime reads a timestamp of the contract. Without a zone it is UTC, where RFC 3339 requires one.
func parseTime(at string) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, at); err == nil {
		return t, nil
	}
	return time.Parse("2006-01-02T15:04:05", at)
}

// docs:end

func TestNullReadsAsAbsent(t *testing.T) {
	link := prepared(t, "null-link.json")
	// Or gives its argument for null as for a field that is absent.
	got := []string{string(link.Provider.Or("")), string(link.ErrorCode.Or("")), link.Webhook.Or("")}
	if cmp.Or(got...) != "" || !link.LastSyncedAt.Null || link.LinkTags.Value != nil || !link.Products.Identity.Null {
		t.Errorf("got %+v", link)
	}
}

func event(t *testing.T, file string) (event mk.LinkWebhookEvent, err error) {
	t.Helper()
	body, err := os.ReadFile("../wire/events/" + file + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return event, json.Unmarshal(body, &event)
}

func TestEvents(t *testing.T) {
	tags := []string{"smoke_test", "user_type:admin"}
	for file, want := range map[string][]any{
		"link-state-changed":             {"link.state_changed", mk.PublicLinkState("connected"), true},
		"link-product-refresh":           {"link.product_refresh", mk.Product("accounts"), mk.LinkProductState("completed")},
		"transactions-updates-available": {"transactions.updates_available", true},
	} {
		event, err := event(t, file)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		var linkID, at string
		var linkTags []string
		var got []any
		switch event.Type {
		case mk.LinkStateChangedWebhookLinkWebhookEvent:
			e := event.LinkStateChangedWebhook
			linkID, at, linkTags = e.LinkID, e.WebhookTimestamp, e.LinkTags
			got = []any{string(e.WebhookEvent), e.State, e.Error.Null}
		case mk.LinkProductRefreshWebhookLinkWebhookEvent:
			e := event.LinkProductRefreshWebhook
			linkID, at, linkTags = e.LinkID, e.WebhookTimestamp, e.LinkTags
			got = []any{string(e.WebhookEvent), e.Product, e.State}
		case mk.TransactionUpdatesAvailableWebhookLinkWebhookEvent:
			e := event.TransactionUpdatesAvailableWebhook
			linkID, at, linkTags = e.LinkID, e.WebhookTimestamp, e.LinkTags.Value
			got = []any{string(e.WebhookEvent), e.HasHistory.Value}
		}
		if !reflect.DeepEqual(got, want) || linkID != "mk_eqkWN34UEoa2NxyALG8pcV" || !reflect.DeepEqual(linkTags, tags) {
			t.Errorf("%s: got %v, %s, %q, want %v", file, got, linkID, linkTags, want)
		}
		if at, err := parseTime(at); err != nil || !at.Equal(time.Date(2023, 2, 16, 9, 14, 11, 0, time.UTC)) {
			t.Errorf("%s: webhook_timestamp: got %v, %v", file, at, err)
		}
	}
}

func TestUnknownAndNullInEvents(t *testing.T) {
	unknown, err := event(t, "unknown-values")
	if e := unknown.LinkStateChangedWebhook; err != nil || e.State != "paused" || e.Error.Value != "bank_on_holiday" {
		t.Errorf("got %+v, %v", e, err)
	}
	// An event of another name has no type: an error that a handler can ignore.
	if _, err := event(t, "unknown-event"); err == nil {
		t.Error("an unknown event is decoded")
	}
	null, err := event(t, "null-fields")
	if e := null.TransactionUpdatesAvailableWebhook; err != nil || !e.LinkTags.Null || !e.HasHistory.Null || !e.WebhookMajorVersion.Null {
		t.Errorf("got %+v, %v", e, err)
	}
}
