// Package api is the client for MoneyKit's LinkSession API.
//
// # Flow
//
// A back end creates a link session for an end user, the front end runs MoneyKit Connect with that session's token, and
// the back end exchanges what Connect returned for the link:
//
//	client, err := api.FromCredentials(clientID, clientSecret)
//
//	session, err := client.CreateLinkSession(ctx, gen.CreateLinkSessionRequest{
//		CustomerUser: gen.LinkSessionCustomerUser{ID: "user-42"},
//		RedirectURI:  "https://yourdomain.com/oauth.html",
//	})
//	// Run Connect with session.LinkSessionToken in the end user's browser; it returns exchangeableToken.
//	linked, err := client.ExchangeToken(ctx, gen.ExchangeTokenRequest{ExchangeableToken: exchangeableToken})
//	// Store linked.Link.LinkID.
//
// Requests and responses are the types of package gen, compiled from the contract. Optional fields are plain values: a
// zero value is not sent, except for a list that is empty but not nil, and a null in a response becomes the zero value.
// Enumerations keep values that this version does not know.
//
// # Errors
//
// Every error is an [*Error]. Use [errors.Is] for the cases that a program handles:
//
//	switch {
//	case errors.Is(err, api.ErrOutcomeUnknown):       // first, since it can be any other too; see [Client.ExchangeToken]
//	case errors.Is(err, api.ErrInvalidTokenExchange): // used, expired or unknown: start a new session
//	case errors.Is(err, api.ErrRateLimited):          // try again after the Error's RetryAfter
//	}
//
// [Error.StatusCode] is 0 if there was no response. An unexpected response, such as a proxy's HTML page, keeps its
// status, header and body.
//
// # Retries and timeouts
//
// A call is retried if that is safe, three attempts in all by default; [RetryPolicy] has the table. An attempt times out
// after 60 seconds ([WithTimeout]). The context bounds the call as a whole.
//
// # Observability
//
// [WithHTTPInfo] returns status, header and number of attempts of one call. [WithLogger] logs each attempt. The Transport
// of [WithHTTPClient] sees each attempt as a request, so tracing such as OpenTelemetry's goes there.
//
// # Testing
//
// Package sandbox runs a MoneyKit stand-in inside your test, and its Client method returns a Client for it.
package api
