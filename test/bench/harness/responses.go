// Package harness serves fixed responses to the clients that are measured, in memory or over loopback from a process of
// its own, so that only the client's work counts.
package harness

import (
	"net/http"
	"strconv"
	"strings"
)

// The base paths of the API.
const (
	// Plain has responses that every client reads.
	Plain = "/plain"
	// Zoneless has timestamps without a zone, as MoneyKit's published samples have them.
	Zoneless = "/zoneless"
	// Unknown has enum values that the contract does not list, as MoneyKit may send.
	Unknown = "/unknown"
)

// What the responses contain.
const (
	LinkSessionToken = "c2Vzc2lvbi10b2tlbi1leGFtcGxl"
	LinkID           = "mk_eqkWN34UEoa2NxyALG8pcV"
)

const (
	session = `{"link_session_token":"` + LinkSessionToken + `"}`

	plainLink = `{"link_id":"` + LinkID + `","link":{"link_id":"` + LinkID + `","institution_id":"chase",` +
		`"institution_name":"Chase","institution_avatar":"https://images.example.com/chase.png","state":"connected",` +
		`"error_code":null,"last_synced_at":"2023-02-16T09:14:11Z","provider":"moneykit",` +
		`"link_tags":["smoke_test","user_type:admin"],"tags":["smoke_test","user_type:admin"],` +
		`"webhook":"https://yourdomain.com/moneykit_webhook","products":{` +
		`"accounts":{"refreshed_at":"2023-02-16T09:14:11Z","last_attempted_at":"2023-02-16T09:14:11Z",` +
		`"error_code":null,"error_message":null,"unavailable":null,"settings":null},` +
		`"transactions":{"refreshed_at":null,"last_attempted_at":"2023-02-16T09:14:11Z","error_code":"rate_limit",` +
		`"error_message":"The institution asked us to wait.","unavailable":null,"settings":{"required":false,` +
		`"require_permission":false,"prefetch":true,"reason":"show you where your money goes"},"has_history":false}},` +
		`"available_products":["accounts","transactions"]}}`

	token = `{"access_token":"YmVuY2gtYWNjZXNzLXRva2VuLW9mLXJlYWxpc3RpYy1sZW5ndGg","token_type":"bearer","expires_in":3600}`
)

// responses are the bodies of the 201 responses by path. Every method is POST.
var responses = map[string]string{
	"/auth/token":                          token,
	Plain + "/link-session":                session,
	Plain + "/link-session/exchange-token": plainLink,

	Zoneless + "/link-session/exchange-token": strings.ReplaceAll(plainLink, `11Z"`, `11"`),
	Unknown + "/link-session/exchange-token":  strings.ReplaceAll(plainLink, `"moneykit"`, `"newcomer"`),
}

// serve reads the request and sends its response.
func serve(w http.ResponseWriter, r *http.Request) {
	drain(r.Body)
	response, ok := responses[r.URL.Path]
	if !ok || r.Method != http.MethodPost {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(response)))
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write([]byte(response))
}
