// Package auth gets MoneyKit access tokens and puts them on requests.
//
// # Sources
//
// A back end uses the OAuth 2.0 client credentials grant (RFC 6749, section 4.4):
//
//	src, err := auth.ClientCredentials(clientID, clientSecret)
//
// The credentials are sent in the form body, or as HTTP Basic with [WithBasicAuth]. [StaticToken] wraps a token that you
// already have, and [FromTokenSource] any [oauth2.TokenSource].
//
// # Use
//
// Package api takes a [Source] as it is. The generated client takes its request editor:
//
//	client, err := gen.NewClientWithResponses(gen.ServerURL, gen.WithRequestEditorFn(src.RequestEditor))
//
// # Caching
//
// A Source fetches a token when it is first needed and caches it. There is one fetch at a time, however many callers wait
// for it. Each waits no longer than its own context, and a caller that leaves does not cancel the fetch. Shortly before
// the token expires, a new one is fetched in the background. After a failed fetch, callers get its error until the
// backoff has passed: from half a second up to 30 seconds, or as long as Retry-After says (5 minutes at most), plus
// jitter of up to half of that.
//
// The cache is the package's own, because oauth2.ReuseTokenSource makes every caller wait for a fetch however short its
// context is, and its tokens cannot be invalidated. That is why the package is longer than the fetch alone.
//
// # Secrets
//
// Credentials and tokens are sent over https only, or over http to loopback. Redirects are not followed. A [Token] prints
// as [redacted], and an [Error] contains no body, no header and no secret.
package auth
