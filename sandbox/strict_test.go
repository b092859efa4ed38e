package sandbox_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moneykit/moneykit-go/sandbox"
)

// MoneyKit's own SDKs fail on a response without a property that their models require, after the token is spent. So
// every response has them all, in every state of a link.
func TestResponsesHaveEveryProperty(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t, sandbox.WithTokenLifetime(24*time.Hour))
	token := newToken(t, srv)
	const all = `, "settings": {"products": {"transactions": {}, "identity": {"reason": "know you"}, "account_numbers": {"prefetch": true}, "investments": {}}}`
	session := func(fields string) string {
		return `{"customer_user": {"id": "user-42"}, "redirect_uri": "https://yourdomain.com/oauth.html"` + fields + `}`
	}
	connect := func(fields, step, stepFields, finish string) map[string]any {
		v := visit(t, srv, fields)
		v.must(step, stepFields)
		done := v.must("finish", finish)
		got := post(t, srv, "/link-session/exchange-token", v.bearer, exchangeBody(done["exchangeable_token"].(string)))
		var body struct{ Link map[string]any }
		if err := json.Unmarshal([]byte(got.body), &body); err != nil || got.status != 201 {
			t.Fatalf("exchange: %d %s", got.status, got.body)
		}
		return body.Link
	}
	links := map[string]map[string]any{
		"bare":                {},
		"all products":        exchanged(t, srv, token, session(all)),
		"unknown institution": exchanged(t, srv, token, session(`, "institution_id": "c7318ff7-257c-490e-8242-03a815b223b7"`)),
		"older way": exchanged(t, srv, token, session(`, "settings": {"link_permissions": {"requested": [
			{"scope": "accounts", "reason": "see", "required": true}, {"scope": "transactions", "reason": "show", "required": false}]}}`)),
		"declined":    connect(all, "sign-in", signInAtAlderCreek, `"account_ids": ["acc_alder_creek_1"], "declined": ["identity", "transactions"]`),
		"by hand":     connect(all+`, "connect_features": {"connect_manually": true}`, "manual", `"account_type": "depository.checking", "account_number": "12345", "routing_number": "123456780"`, `"account_ids": ["acc_manual_1"]`),
		"card issuer": connect(all, "sign-in", `"institution_id": "inkwell_card", "username": "a", "password": "b"`, `"account_ids": ["acc_inkwell_card_1"]`),
	}
	bare := exchanged(t, srv, token, session(""))
	links["bare"] = bare
	srv.Advance(time.Hour)
	token = newToken(t, srv)
	links["connected again"] = exchanged(t, srv, token, session(fmt.Sprintf(`, "existing_link_id": %q`, bare["link_id"])+all))
	// In Connect's relink mode the link changes without an exchange; what it is then is in the next response.
	again := visit(t, srv, fmt.Sprintf(`, "existing_link_id": %q`, bare["link_id"]))
	again.must("sign-in", `"mode": "relink", "username": "a", "password": "b"`)
	again.must("finish", `"mode": "relink", "account_ids": ["acc_sandbox_bank_1"]`)
	links["after a relink"] = exchanged(t, srv, token, session(fmt.Sprintf(`, "existing_link_id": %q`, bare["link_id"])))

	for name, link := range links {
		checkLink(t, name, link)
	}
	available := func(name string) string { return fmt.Sprint(links[name]["available_products"]) }
	for name, want := range map[string]string{
		"bare":            "[account_numbers identity transactions investments]",
		"all products":    "[]",
		"declined":        "[identity transactions]",
		"by hand":         "[]",
		"card issuer":     "[]",
		"connected again": "[]",
	} {
		if available(name) != want {
			t.Errorf("%s: available_products are %s, want %s", name, available(name), want)
		}
	}

	var tokenBody map[string]any
	got := send(t, srv, "POST", "/auth/token", map[string][]string{"Content-Type": {"application/x-www-form-urlencoded"}},
		"grant_type=client_credentials&client_id="+srv.ClientID+"&client_secret="+srv.ClientSecret)
	if err := json.Unmarshal([]byte(got.body), &tokenBody); err != nil {
		t.Fatal(err)
	}
	checkHas(t, "token", tokenBody, map[string]string{"access_token": "string", "token_type": "string", "expires_in": "number"})
	for name, got := range map[string]reply{
		"400":       post(t, srv, "/link-session/exchange-token", token, exchangeBody("unknown")),
		"400 token": post(t, srv, "/auth/token", "", ""),
		"401":       post(t, srv, "/link-session", "unknown", minimal),
		"403":       post(t, srv, "/link-session", token, strings.Replace(minimal, "yourdomain", "other", 1)),
		"422":       post(t, srv, "/link-session", token, `{}`),
	} {
		var body map[string]any
		if err := json.Unmarshal([]byte(got.body), &body); err != nil || !strings.HasPrefix(name, fmt.Sprint(got.status)) {
			t.Fatalf("%s: %v, %d", name, err, got.status)
		}
		checkHas(t, name, body, map[string]string{"error_code": "string", "error_message": "string", "documentation_url": "null"})
		if got.status == 422 {
			for _, entry := range body["validation_errors"].([]any) {
				checkHas(t, name, entry.(map[string]any), map[string]string{"location": "array", "message": "string", "type": "string"})
			}
		}
	}
}

// checkLink checks a link for what the Ruby and Python SDKs require of LinkCommon and what is in it.
func checkLink(t *testing.T, name string, link map[string]any) {
	t.Helper()
	checkHas(t, name, link, map[string]string{
		"link_id": "string", "institution_id": "string", "institution_name": "string", "institution_avatar": "string",
		"state": "string", "error_code": "null", "last_synced_at": "string", "provider": "string", "link_tags": "array", "tags": "array",
		"webhook": "null", "products": "object", "available_products": "array",
	})
	if avatar, _ := link["institution_avatar"].(string); !strings.HasPrefix(avatar, "data:image/") {
		t.Errorf("%s: institution_avatar is %q", name, avatar)
	}
	if slices.Contains(link["available_products"].([]any), any("enrichment")) {
		t.Errorf("%s: enrichment cannot be added", name)
	}
	products := link["products"].(map[string]any)
	for _, product := range []string{"accounts", "account_numbers", "identity", "transactions", "investments", "enrichment"} {
		value, ok := products[product]
		if !ok {
			t.Errorf("%s: no %s", name, product)
		}
		granted, _ := value.(map[string]any)
		if granted == nil {
			continue
		}
		want := map[string]string{"refreshed_at": "string", "last_attempted_at": "string", "error_code": "null",
			"error_message": "null", "unavailable": "null", "settings": "object"}
		if product == "transactions" {
			want["has_history"] = "boolean"
		}
		checkHas(t, name+" "+product, granted, want)
		if settings, _ := granted["settings"].(map[string]any); settings["reason"] != nil {
			checkHas(t, name+" "+product, settings, map[string]string{"required": "boolean", "require_permission": "boolean", "prefetch": "boolean", "reason": "string"})
		} else {
			checkHas(t, name+" "+product, settings, map[string]string{"required": "boolean", "require_permission": "boolean", "prefetch": "boolean", "reason": "null"})
		}
	}
	if products["accounts"] == nil {
		t.Errorf("%s: no accounts", name)
	}
}

// checkHas checks that a JSON object has each property, with that JSON type.
func checkHas(t *testing.T, name string, object map[string]any, want map[string]string) {
	t.Helper()
	for property, wantType := range want {
		value, ok := object[property]
		got := map[bool]string{true: "null"}[value == nil]
		switch value.(type) {
		case string:
			got = "string"
		case float64:
			got = "number"
		case bool:
			got = "boolean"
		case []any:
			got = "array"
		case map[string]any:
			got = "object"
		}
		if !ok || got != wantType {
			t.Errorf("%s: %s is %v (%v), want a JSON %s", name, property, value, ok, wantType)
		}
	}
}
