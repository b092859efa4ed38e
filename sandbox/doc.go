// Package sandbox is a MoneyKit on your own machine: the token endpoint and both operations of the LinkSession API,
// with state, so that code that links bank accounts can be run and tested end to end with nothing installed and
// nothing real behind it.
//
// # In a test
//
// [Start] serves a sandbox on a loopback port for as long as the test runs. The code under test gets its URL and
// credentials as it would get MoneyKit's:
//
//	func TestLinking(t *testing.T) {
//		srv := sandbox.Start(t)
//		app := newApp(srv.URL, srv.ClientID, srv.ClientSecret)
//
//		session := app.StartLinking("user-42")            // POST /link-session
//		exchangeable, err := srv.Complete(session)        // the end user, in Connect
//		…
//		link := app.FinishLinking(exchangeable)           // POST /link-session/exchange-token
//	}
//
// Sandboxes share nothing, so tests with one each can run in parallel. [New] returns the same without a listener,
// as an [http.Handler].
//
// # As a program
//
//	go run github.com/moneykit/moneykit-go/sandbox/cmd/moneykit-sandbox
//
// prints the URL and the credentials as three export lines, and serves until it is interrupted. It is the way in
// for other languages, and for a look around with curl. What the methods of a [Sandbox] do is there over HTTP:
//
//	POST /sandbox/complete   {"link_session_token": "…"} → {"exchangeable_token": "…"}
//	POST /sandbox/fail       {"operation": "exchange_token", "times": 2, "status": 503, "body": "…",
//	                          "header": {"Retry-After": "1"}, "delay_seconds": 0.5, "drop": false, "after": false}
//	POST /sandbox/advance    {"seconds": 3600}
//	GET  /sandbox/links      → {"links": […]}
//	GET  /sandbox/requests   → {"requests": […]}
//
// These need no token: whoever reaches the sandbox may use them. GET / lists everything that is served.
//
// # What it does
//
// The server is compiled from the same contract as the client, and every request and every answer is held against
// that contract. A request that breaks it gets a 422 with one entry per fault. An answer that breaks it, which would
// be a bug of the sandbox, is a 500 that says so and fails the test.
//
// Every status of the contract comes from what causes it at MoneyKit:
//
//   - 401: no bearer token, an unknown one, or one that has expired (an hour after it was issued; see
//     [WithTokenLifetime] and [Sandbox.Advance]).
//   - 403: a redirect_uri whose origin is not registered. Registered are https://yourdomain.com, or what
//     [WithRedirectOrigins] says, and http and https on loopback, on every port.
//   - 422: a body that the contract does not allow, a redirect_uri that is no absolute URL or has a query string,
//     and an existing_link_id that names no link.
//   - 400: an exchangeable token that is unknown, was exchanged before, or is older than 30 minutes.
//   - 429: more requests than [WithRateLimits] allows; by default there is no limit, and in the program there are
//     MoneyKit's own ([PublishedRateLimits]).
//
// A link session can be completed for 30 minutes. Of calls that exchange one token at the same time, exactly one gets
// the link.
//
// # Connect
//
// A sandbox also serves the page that MoneyKit's launcher, the npm package @moneykit/connect, opens in the end user's
// browser, at /start, /relink and /continue; give the sandbox's URL to the launcher's option __connectSDKUIHost. The
// page talks to the origin that it is opened for and to no other, and that origin must be registered, as for a
// redirect_uri. It honours what the session says: countries, providers, required products, institution_id,
// existing_link_id, custom_sandbox_data and connect_features.
//
// Its institutions do not exist. Each takes any user name and any password but "wrong", and some have more to them:
//
//   - bluefin_federal and juniper_street have a sign-in page of their own, and come back through the redirect_uri.
//   - cobalt_savings and lanternfish ask for a code, which is 123456.
//   - driftwood_cu always fails.
//   - inkwell_card has credit cards only.
//
// An end user may decline products that the session does not require a permission for; the link is then without them.
// Opened at /relink, a session with an existing_link_id changes its link when the end user has finished, since the
// launcher's relink callback gets no token to exchange.
//
// # Links
//
// The link has the institution_id that the session asked for, whatever it is, or else what was picked in Connect, or
// else the sandbox's own bank; the first of the session's providers that serves it, or else moneykit; its webhook and link_tags; and of products, accounts and those
// that the session asked for, in settings.products or settings.link_permissions, all of them fetched at once. A
// session with an existing_link_id changes that link when its token is exchanged: webhook and link_tags are
// replaced, or removed if they were left out, products are added, and the rest stays.
//
// [Sandbox.Links] returns the links held, with the user, countries and custom_sandbox_data that the contract's own
// link does not show. Timestamps are sent without a zone (2023-02-16T09:14:11), as in MoneyKit's published samples.
//
// # When things go wrong
//
// [Sandbox.Fail] scripts what goes wrong with the next calls of an operation: a status with any body and headers, a
// delay, a dropped connection, before the operation is carried out or, with Fault.After, once it was. The latter is
// how to test code for the case in which a token was exchanged and nobody was told:
//
//	srv.Fail(sandbox.ExchangeToken, 1, sandbox.Fault{Drop: true, After: true})
//
// [Sandbox.Requests] returns what arrived, with its secrets redacted.
package sandbox
