// Package harness is what the clients are measured against: fixed answers, given in memory or over loopback by a process
// of its own, so that what is counted is the client's work alone.
package harness

import (
	"net/http"
	"strconv"
	"strings"
)

// The API answers under three base paths.
const (
	// Plain answers with what every generator reads.
	Plain = "/plain"
	// Zoneless answers with times as MoneyKit's published samples have them, without a zone.
	Zoneless = "/zoneless"
	// Unknown answers with values beyond the contract's enumerations, which are open.
	Unknown = "/unknown"
)

// What the answers hold.
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

// answers has the 201 of each path. All are POST.
var answers = map[string]string{
	"/auth/token":                          token,
	Plain + "/link-session":                session,
	Plain + "/link-session/exchange-token": plainLink,

	Zoneless + "/link-session/exchange-token": strings.ReplaceAll(plainLink, `11Z"`, `11"`),
	Unknown + "/link-session/exchange-token":  strings.ReplaceAll(plainLink, `"moneykit"`, `"newcomer"`),
}

// serve answers as the API does, once the whole of the request has been read.
func serve(w http.ResponseWriter, r *http.Request) {
	drain(r.Body)
	answer, ok := answers[r.URL.Path]
	if !ok || r.Method != http.MethodPost {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write([]byte(answer))
}
