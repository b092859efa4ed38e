package sandbox_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strings"
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
	again := exchanged(t, srv, token, strings.Replace(reconnect, `"transactions": {}`, `"transactions": {"reason": "another", "required": true}`, 1))
	if was, is := settingsOf(second, "transactions"), settingsOf(again, "transactions"); was == nil || !reflect.DeepEqual(is, was) {
		t.Errorf("the settings of transactions changed from %v to %v", was, is)
	}
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
}

// What Links returns is the caller's own: a change to it does not reach the sandbox.
func TestLinksAreCopies(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	exchanged(t, srv, newToken(t, srv), `{"customer_user": {"id": "user-42"}, "redirect_uri": "http://localhost/", "link_tags": ["tag"],
		"settings": {"countries": ["CA"]}, "custom_sandbox_data": {
			"accounts": [{"account_type": "depository.checking", "name": "Checking", "account_number": "1"}],
			"owners": [{"names": ["Jane"], "addresses": [{"city": "x"}], "phone_numbers": [{"number": "+15551234567", "type": "home"}], "emails": [{"address": "jane@example.com"}]}]}}`)
	want, err := json.Marshal(srv.Links())
	if err != nil {
		t.Fatal(err)
	}
	link := srv.Links()[0]
	owner := link.CustomSandboxData.Owners[0]
	link.AvailableProducts[0], link.LinkTags[0], link.Countries[0] = "changed", "changed", "changed"
	link.CustomSandboxData.Accounts[0].Name = "changed"
	owner.Names[0], owner.Addresses[0].City, owner.PhoneNumbers[0].Number, owner.Emails[0].Address = "changed", "changed", "changed", "changed"
	link.CustomSandboxData.Owners[0] = gen.Owner{}
	srv.Links()[0].Tags[0] = "changed"
	if got, _ := json.Marshal(srv.Links()); string(got) != string(want) {
		t.Errorf("got %s, want %s", got, want)
	}
}

// GET /sandbox/links has the names of the contract, and those of what the contract does not show.
func TestLinksOverHTTP(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	token := newToken(t, srv)
	link := exchanged(t, srv, token, `{"customer_user": {"id": "user-42"}, "redirect_uri": "http://localhost/", "settings": {"countries": ["CA", "US"]},
		"custom_sandbox_data": {"accounts": [{"account_type": "investment", "name": "Mine", "account_number": "12"}]}}`)
	exchanged(t, srv, token, minimal)
	var body struct{ Links []map[string]any }
	if err := json.Unmarshal([]byte(send(t, srv, "GET", "/sandbox/links", nil, "").body), &body); err != nil || len(body.Links) != 2 {
		t.Fatalf("%v, %d links", err, len(body.Links))
	}
	checkFields(t, body.Links[0], map[string]any{
		"link_id": link["link_id"], "customer_user_id": "user-42", "countries": []any{"CA", "US"},
		"custom_sandbox_data": map[string]any{"accounts": []any{map[string]any{"account_type": "investment", "name": "Mine", "account_number": "12"}}},
	})
	if data, ok := body.Links[1]["custom_sandbox_data"]; ok {
		t.Errorf("custom_sandbox_data of a session without any: %v", data)
	}
}

// Ids and tokens begin with what they are, so that they can be found in logs.
func TestPrefixes(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	token := newToken(t, srv)
	session := newSession(t, srv, token, minimal)
	exchangeable, err := srv.Complete(session)
	if err != nil {
		t.Fatal(err)
	}
	for value, prefix := range map[string]string{
		token: "sandbox_access_", session: "sandbox_session_", exchangeable: "sandbox_exchangeable_", srv.Links()[0].LinkID: "mk_",
		srv.ClientID: "sandbox_", srv.ClientSecret: "sandbox_secret_",
	} {
		if !strings.HasPrefix(value, prefix) {
			t.Errorf("%q does not begin with %q", value, prefix)
		}
	}
}

// Only timestamps are put into the published form; a label that looks like one stays.
func TestOnlyTimestampsAreRewritten(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	link := exchanged(t, srv, newToken(t, srv), `{"customer_user": {"id": "user-42"}, "redirect_uri": "http://localhost/", "link_tags": ["2023-02-16T09:14:11Z"]}`)
	checkFields(t, link, map[string]any{"link_tags": []any{"2023-02-16T09:14:11Z"}})
}

// A link that is connected again without custom_sandbox_data keeps what it has.
func TestReconnectKeepsCustomData(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	token := newToken(t, srv)
	const session = `{"customer_user": {"id": "user-42"}, "redirect_uri": "http://localhost/", %s}`
	data := `"custom_sandbox_data": {"accounts": [{"account_type": "investment", "name": %q, "account_number": "12"}]}`
	link := exchanged(t, srv, token, fmt.Sprintf(session, fmt.Sprintf(data, "Mine")))
	existing := fmt.Sprintf(`"existing_link_id": %q`, link["link_id"])
	exchanged(t, srv, token, fmt.Sprintf(session, existing))
	if got := srv.Links()[0].CustomSandboxData.Accounts; len(got) != 1 || got[0].Name != "Mine" {
		t.Errorf("without data: %+v", got)
	}
	exchanged(t, srv, token, fmt.Sprintf(session, existing+", "+fmt.Sprintf(data, "Other")))
	if got := srv.Links()[0].CustomSandboxData.Accounts; len(got) != 1 || got[0].Name != "Other" {
		t.Errorf("with data: %+v", got)
	}
}

// Every product can be asked for, in both ways, with its settings; one that the institution does not offer is left out.
func TestEveryProduct(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	token := newToken(t, srv)
	const session = `{"customer_user": {"id": "user-42"}, "redirect_uri": "http://localhost/", "institution_id": %q, "settings": %s}`
	older := `{"link_permissions": {"requested": [`
	for i, product := range []string{"accounts", "account_numbers", "identity", "transactions", "investments"} {
		if i > 0 {
			older += ","
		}
		older += fmt.Sprintf(`{"scope": %q, "reason": %q, "required": true}`, product, product)
	}
	older += `]}}`
	products := exchanged(t, srv, token, fmt.Sprintf(session, "chase", older))["products"].(map[string]any)
	for _, product := range []string{"accounts", "account_numbers", "identity", "transactions", "investments"} {
		checkFields(t, products[product].(map[string]any)["settings"].(map[string]any), map[string]any{"reason": product, "required": true, "require_permission": true})
	}
	newer := `{"products": {"account_numbers": {"reason": "a"}, "identity": {"reason": "b"}, "transactions": {"reason": "c"}, "investments": {"reason": "d"}}}`
	products = exchanged(t, srv, token, fmt.Sprintf(session, "inkwell_card", newer))["products"].(map[string]any)
	if products["account_numbers"] != nil || products["investments"] != nil || products["identity"] == nil || products["transactions"] == nil {
		t.Errorf("at a card issuer: %v", products)
	}
}

// settingsOf returns the settings of a product of a link.
func settingsOf(link map[string]any, product string) any {
	return link["products"].(map[string]any)[product].(map[string]any)["settings"]
}
