// Package sandbox is a MoneyKit for tests and for your desk: the token endpoint, the operations of the LinkSession API
// and Connect, in memory. Code that links bank accounts runs against it from start to end, with nothing to install and
// without a real bank.
//
// # In a test
//
// [Start] serves a sandbox on a loopback port for as long as the test runs. [Server.Client] is a client of it; code
// that makes a client of its own gets the URL and the credentials:
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
// Sandboxes share nothing, so tests with one each can run in parallel. [New] returns a sandbox without a listener, as an
// [http.Handler].
//
// # As a program
//
//	go install github.com/moneykit/moneykit-go/sandbox/cmd/moneykit-sandbox@latest
//
// installs moneykit-sandbox, and each release has it for Linux, macOS and Windows. It prints the URL and the credentials as
// three export lines and serves until it is interrupted, for other languages and for curl. The methods of a [Sandbox] are
// endpoints there, which need no token:
//
//	POST   /sandbox/complete      {"link_session_token": "…"} → {"exchangeable_token": "…"}
//	POST   /sandbox/fail          {"operation": "exchange_token", "times": 2, "status": 503, "body": "…",
//	                               "header": {"Retry-After": "1"}, "delay_seconds": 0.5, "drop": false, "after": false}
//	POST   /sandbox/fail-delivery {"webhook_event": "link.state_changed", "times": 1, "late_seconds": 30, "twice": false,
//	                               "out_of_order": false, "wrong_signature": false, "stale": false, "lost": false, "never": false}
//	GET    /sandbox/faults        → {"faults": […], "delivery_faults": […]}
//	DELETE /sandbox/faults
//	POST   /sandbox/advance       {"seconds": 3600}
//	POST   /sandbox/reset
//	GET    /sandbox/links         → {"links": […]}
//	GET    /sandbox/requests      → {"requests": […]}
//	GET    /sandbox/deliveries    → {"deliveries": […]}
//	POST   /sandbox/rotate-keys
//	POST   /sandbox/new-event     {"webhook_event": "…", …} → {"header": {…}, "body": "…"}
//
// A body must be sent as application/json. So that no web page can use these endpoints, a request from another origin
// gets a 403, and so does one whose Host is neither a loopback address nor one of [WithHosts]. GET / lists everything
// that is served.
//
// # Requests and responses
//
// Every request and every response is validated against the contract. An invalid request gets a 422 with an entry for
// each field. An invalid response would be a bug of the sandbox: it becomes a 500 that says so and fails the test. An
// operation that is in the contract but not in the sandbox gets a 501.
//
// Each error has the cause that it has at MoneyKit:
//
//   - 400: an exchangeable token that is unknown, was exchanged before, or is older than 30 minutes.
//   - 401: an access token that is missing, unknown or expired, an hour after it was issued by default. See
//     [WithTokenLifetime] and [Sandbox.Advance].
//   - 403: a redirect_uri whose origin is not registered. Registered are https://yourdomain.com or the origins of
//     [WithRedirectOrigins], and every loopback origin.
//   - 422: a body that the contract does not allow; a redirect_uri that is not an absolute URL or has a query string or
//     a fragment; a routing_number with a wrong check digit; an existing_link_id of no link. See also
//     [WithLegacyUserIDs].
//   - 429: more requests than [WithRateLimits] allows. There are no limits by default; the program has MoneyKit's
//     ([PublishedRateLimits]).
//
// A link session can be completed for 30 minutes. Of several calls that exchange one token at the same time, one gets
// the link.
//
// # Connect
//
// The sandbox also serves the page that MoneyKit's launcher, the npm package @moneykit/connect, opens in the end user's
// browser, at /start, /relink and /continue. Set the launcher's option __connectSDKUIHost to the sandbox's URL. The page
// sends messages only to the origin that opened it, which must be registered like that of a redirect_uri. It does what
// the session says: countries, providers, required products, institution_id, existing_link_id, custom_sandbox_data and
// connect_features.
//
// Its institutions do not exist. They accept any user name, and any password but "wrong"; some are special:
//
//   - bluefin_federal and juniper_street have a sign-in page of their own, which returns to the redirect_uri.
//   - cobalt_savings and lanternfish ask for a code, which is 123456.
//   - driftwood_cu always fails.
//   - inkwell_card has credit cards only.
//
// An end user can decline products that the session does not require; the link is then without them. Opened at /relink,
// a session with an existing_link_id changes its link when the end user has finished, since the launcher's relink
// callback gets no exchangeable token.
//
// # Links
//
// A link has
//
//   - the session's institution_id, whatever it is, or what was picked in Connect, or the sandbox's own bank;
//   - the first of the session's providers that serves the institution, or moneykit;
//   - the session's webhook and link_tags;
//   - accounts and the products of settings.products or settings.link_permissions that the institution offers, all
//     fetched at once, each with all of its settings;
//   - in available_products, what can still be added.
//
// A session with an existing_link_id changes that link when its token is exchanged: webhook and link_tags are replaced,
// or removed if they are left out, and products are added. Everything else stays, also the settings of products that the
// link has already.
//
// Responses have every property that MoneyKit's own SDKs require. Timestamps have no zone (2023-02-16T09:14:11), as in
// MoneyKit's published samples.
//
// [Sandbox.Links] returns the links, with what the contract does not show of them. [WithMaxLinks] limits how many are
// kept.
//
// # Webhooks
//
// When a token is exchanged, the sandbox sends events to the session's webhook, as MoneyKit does: link.state_changed,
// then link.product_refresh for each product that was fetched, then transactions.updates_available if transactions were
// asked for. They are signed; the public keys are at /.well-known/jwks.json, and [Sandbox.RotateKeys] makes a new key.
// Package webhook verifies them, given the sandbox's URL.
//
// Events are sent in the background. An event that gets another response than 2xx, or none within 10 seconds, is sent
// again after 5 seconds, 10 seconds and so on for up to two hours of the sandbox's clock. [Sandbox.Advance] makes the
// attempts that are due until then and waits for them, so Advance(0) waits for the events of an exchange.
// [Sandbox.Deliveries] lists the attempts, and [Sandbox.FailDelivery] scripts what goes wrong with the next ones.
//
// POST /webhooks/test/link/{id} sends an event of a link, and [Sandbox.NewEvent] returns a signed request to test a
// handler with.
//
// In a test, a webhook can have any host but those of published examples, such as yourdomain.com. The program sends to
// loopback hosts only, and to those that its flag -webhook-host names. See [WithWebhookHosts] and [WithWebhookClient].
//
// # Faults
//
// [Sandbox.Fail] scripts what goes wrong with the next calls of an operation: a response with any status, body and
// headers, a delay, or a dropped connection, before the operation is processed or, with Fault.After, once it was. With
// the latter a token is exchanged, and the client does not learn of it:
//
//	srv.Fail(sandbox.ExchangeToken, 1, sandbox.Fault{Drop: true, After: true})
//
// [Sandbox.Requests] returns the requests that the sandbox received, with their secrets redacted, and [Sandbox.Reset]
// returns the sandbox to its first state.
package sandbox
