package main

import (
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/moneykit/moneykit-go/sandbox"
)

const html = "<html><body>Something went wrong.</body></html>"

// faults are what the sandbox does at random. No response says that a call was not processed if it was. A 503 says nothing
// about that, with Retry-After or without.
var faults = func() []sandbox.Fault {
	retry := func(after string) http.Header { return http.Header{"Retry-After": {after}} }
	all := []sandbox.Fault{
		{Drop: true},
		{Delay: 30 * time.Millisecond},
		{Delay: 2 * attemptTimeout},
		{Header: http.Header{"X-Odd": {"1"}}},
		{Status: 401, Body: `{"error_code":"api_error.auth.unauthorized","error_message":"unknown token"}`},
		{Status: 401, Body: `{"error_code":"api_error.auth.expired_access_token","error_message":"expired"}`},
		{Status: 401, Body: html},
		{Status: 408}, {Status: 404, Body: html}, {Status: 413},
		{Status: 429, Header: retry("0")}, {Status: 429}, {Status: 429, Header: retry("1")},
		{Status: 429, Header: retry("Sat, 01 Jan 2000 00:00:00 GMT")}, {Status: 429, Header: retry("soon")},
		{Status: 307, Header: http.Header{"Location": {"/elsewhere"}}},
	}
	for _, processed := range []bool{false, true} {
		all = append(all,
			sandbox.Fault{After: processed, Drop: true},
			sandbox.Fault{After: processed, Status: 500, Body: html},
			sandbox.Fault{After: processed, Status: 502, Body: html},
			sandbox.Fault{After: processed, Status: 503},
			sandbox.Fault{After: processed, Status: 503, Header: retry("0")},
			sandbox.Fault{After: processed, Status: 504, Body: html},
			sandbox.Fault{After: processed, Status: 200, Body: html},
			sandbox.Fault{After: processed, Status: 201, Body: `{}`},
			sandbox.Fault{After: processed, Status: 204},
			sandbox.Fault{After: processed, Status: 201, Body: `{"link_id":"mk_`, Header: http.Header{"Content-Length": {"500"}}},
		)
	}
	return all
}()

// goAway is for operations only: a token endpoint that says so is not asked again for minutes, and nothing else happens.
var goAway = sandbox.Fault{Status: 429, Header: http.Header{"Retry-After": {"3600"}}}

// inject has rate of the requests for op meet a fault, and returns that fault.
func inject(box *sandbox.Sandbox, op sandbox.Operation, rate float64) (fault sandbox.Fault, injected bool) {
	if rand.Float64() >= rate {
		return fault, false
	}
	fault = goAway
	if n := rand.IntN(len(faults) + 1); n < len(faults) || op == sandbox.Token {
		fault = faults[n%len(faults)]
	}
	// The only errors are those of faults that cannot be, and these can.
	return fault, box.Fail(op, 1, fault) == nil
}
