// Package api is the client for MoneyKit's LinkSession API.
//
// # The flow
//
// A back end creates a link session for an end user, the front end runs MoneyKit Connect with that session's token,
// and the back end exchanges what Connect returned for the link:
//
//	src, err := auth.ClientCredentials(clientID, clientSecret)
//	client, err := api.New(src)
//
//	session, err := client.CreateLinkSession(ctx, gen.CreateLinkSessionRequest{
//		CustomerUser: gen.LinkSessionCustomerUser{ID: "user-42"},
//		RedirectURI:  "https://yourdomain.com/oauth.html",
//	})
//	// Run Connect with session.LinkSessionToken in the end user's browser; it returns exchangeableToken.
//	linked, err := client.ExchangeToken(ctx, gen.ExchangeTokenRequest{ExchangeableToken: exchangeableToken})
//	// Store linked.Link.LinkID.
//
// Requests and answers are the types of package gen, compiled from the contract. An optional field that is left at
// its zero value is not sent, but for a list that is empty and not nil. A null that is received becomes the zero value.
// Enumerations keep values that this version does not know.
//
// # Errors
//
// Every error is an [*Error]. [errors.Is] tells the cases that a program acts on:
//
//	switch {
//	case errors.Is(err, api.ErrInvalidTokenExchange): // used, expired or unknown: start a new session
//	case errors.Is(err, api.ErrOutcomeUnknown):       // see [Client.ExchangeToken]
//	case errors.Is(err, api.ErrRateLimited):          // try again after the Error's RetryAfter
//	}
//
// [Error.StatusCode] is 0 when there was no answer. An answer that is not what the contract says, such as a proxy's
// page, keeps its status, header and body.
//
// # Retries and time limits
//
// Calls that were surely not carried out are repeated, up to three times in all; [RetryPolicy] has the table. One
// attempt takes 60 seconds at most ([WithTimeout]); the call as a whole is bounded by its context.
//
// # Observing
//
// [WithHTTPInfo] tells status, header and number of attempts of one call. [WithLogger] logs a line for each attempt.
// A Transport in [WithHTTPClient] sees every attempt as a request of its own, which is where tracing goes.
//
// # Testing your own code
//
// Package sandbox is a MoneyKit that runs in your test; give its URL to [WithBaseURL] and [auth.WithTokenURL].
package api
