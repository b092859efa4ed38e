package sandbox_test

import (
	"fmt"
	"reflect"
	"regexp"
	"testing"
	"time"

	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/sandbox"
)

// What a session asks for comes back in its link, in the form that MoneyKit publishes.
func TestLinkIsWhatTheSessionAskedFor(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	link := exchanged(t, srv, newToken(t, srv), `{
		"customer_user": {"id": "user-42"},
		"redirect_uri": "https://yourdomain.com/oauth.html",
		"settings": {
			"providers": ["mx", "plaid"],
			"countries": ["GB", "US"],
			"products": {"transactions": {"required": true, "reason": "plan"}, "account_numbers": {}, "investments": null},
			"link_permissions": {"requested": [
				{"scope": "identity", "reason": "know you", "required": true},
				{"scope": "transactions", "reason": "older way", "required": false}]}
		},
		"institution_id": "chase",
		"webhook": "https://yourdomain.com/moneykit_webhook",
		"link_tags": ["smoke_test", "user_type:admin"],
		"custom_sandbox_data": {"accounts": [{"account_type": "depository.checking", "name": "Checking", "account_number": "123"}]}
	}`)
	tags := []any{"smoke_test", "user_type:admin"}
	checkFields(t, link, map[string]any{
		"institution_id":     "chase",
		"institution_name":   "Sandbox Bank (chase)",
		"state":              "connected",
		"error_code":         nil,
		"provider":           "mx",
		"link_tags":          tags,
		"tags":               tags,
		"webhook":            "https://yourdomain.com/moneykit_webhook",
		"available_products": []any{"investments"},
	})
	at := link["last_synced_at"]
	if s, _ := at.(string); !regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$`).MatchString(s) {
		t.Errorf("last_synced_at is %v, want a timestamp without a zone", at)
	}
	product := func(settings any) map[string]any {
		return map[string]any{"refreshed_at": at, "last_attempted_at": at, "error_code": nil, "error_message": nil,
			"unavailable": nil, "settings": settings}
	}
	settings := func(required, requirePermission bool, reason any) map[string]any {
		return map[string]any{"required": required, "require_permission": requirePermission, "reason": reason, "prefetch": false}
	}
	transactions := product(settings(true, false, "plan"))
	transactions["has_history"] = true
	checkFields(t, link["products"].(map[string]any), map[string]any{
		"accounts":        product(settings(false, false, nil)),
		"account_numbers": product(settings(false, false, nil)),
		"identity":        product(settings(true, true, "know you")),
		"transactions":    transactions,
		"investments":     nil,
		"enrichment":      nil,
	})

	held := srv.Links()
	if len(held) != 1 {
		t.Fatalf("%d links are held", len(held))
	}
	want := []gen.CustomSandboxAccount{{AccountType: "depository.checking", Name: "Checking", AccountNumber: "123"}}
	if held[0].CustomerUserID != "user-42" || !reflect.DeepEqual(held[0].Countries, []gen.Country{"GB", "US"}) ||
		!reflect.DeepEqual(held[0].CustomSandboxData.Accounts, want) {
		t.Errorf("held: %+v", held[0])
	}
}

func TestExistingLink(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t, sandbox.WithTokenLifetime(24*time.Hour))
	token := newToken(t, srv)
	first := exchanged(t, srv, token, `{
		"customer_user": {"id": "user-42"},
		"redirect_uri": "https://yourdomain.com/oauth.html",
		"settings": {"countries": ["CA"], "products": {"identity": {"reason": "know you"}}},
		"institution_id": "chase",
		"webhook": "https://yourdomain.com/old",
		"link_tags": ["old"]
	}`)
	reconnect := fmt.Sprintf(`{
		"customer_user": {"id": "someone-else"},
		"redirect_uri": "https://yourdomain.com/oauth.html",
		"existing_link_id": %q,
		"settings": {"countries": ["GB"], "products": {"transactions": {}, "identity": {"reason": "another", "prefetch": true}}},
		"institution_id": "another",
		"webhook": "https://yourdomain.com/new"
	}`, first["link_id"])

	// Until the exchange the link stays as it was.
	exchangeable := completed(t, srv, token, reconnect)
	if held := srv.Links(); len(held) != 1 || held[0].Webhook != "https://yourdomain.com/old" || held[0].State != "connected" {
		t.Errorf("held before the exchange: %+v", held)
	}
	if got := post(t, srv, "/link-session/exchange-token", token, exchangeBody(exchangeable)); got.status != 201 {
		t.Fatal(got)
	}

	srv.Advance(time.Minute)
	second := exchanged(t, srv, token, reconnect)
	checkFields(t, second, map[string]any{
		"link_id":        first["link_id"],
		"institution_id": "chase",
		"webhook":        "https://yourdomain.com/new",
		"link_tags":      []any{},
		"tags":           []any{},
		"state":          "connected",
	})
	products := second["products"].(map[string]any)
	// The settings of a product that the link has stay, and the product is fetched again.
	was, is := first["products"].(map[string]any)["identity"].(map[string]any), products["identity"].(map[string]any)
	if !reflect.DeepEqual(is["settings"], was["settings"]) || is["refreshed_at"] == was["refreshed_at"] || products["transactions"] == nil {
		t.Errorf("products: %v", products)
	}
	if second["last_synced_at"] == first["last_synced_at"] {
		t.Error("the link was not fetched again")
	}
	held := srv.Links()
	if len(held) != 1 || held[0].CustomerUserID != "user-42" || !reflect.DeepEqual(held[0].Countries, []gen.Country{"CA"}) {
		t.Errorf("held: %+v", held)
	}

	// Without a webhook it is removed.
	third := exchanged(t, srv, token, fmt.Sprintf(`{"customer_user": {"id": "user-1"}, "redirect_uri": "http://localhost/",
		"existing_link_id": %q, "link_tags": ["new"]}`, first["link_id"]))
	checkFields(t, third, map[string]any{"webhook": nil, "link_tags": []any{"new"}})

	// What Links returned is the caller's own.
	held[0].AvailableProducts[0] = "changed"
	if srv.Links()[0].AvailableProducts[0] == "changed" {
		t.Error("a change to what Links returned reached the sandbox")
	}
}
