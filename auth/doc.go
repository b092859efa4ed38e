// Package auth gets MoneyKit access tokens and puts them on requests.
//
// # Getting a token
//
// A back end uses the OAuth 2.0 client credentials grant (RFC 6749, section 4.4):
//
//	src, err := auth.ClientCredentials(clientID, clientSecret)
//
// The credentials travel in the form body, or as HTTP Basic with [WithBasicAuth]. [StaticToken] takes a token that you
// already have, and [FromTokenSource] any [oauth2.TokenSource].
//
// # Using it
//
// Package api takes the [Source] as it is. The bare generated client takes its hook:
//
//	client, err := gen.NewClientWithResponses(gen.ServerURL, gen.WithRequestEditorFn(src.RequestEditor))
//
// # Caching
//
// A Source fetches a token when it is first needed and keeps it. There is one fetch at a time, however many callers
// wait for it; each waits no longer than its own context, and one that leaves fails nobody else. Shortly before the
// token ends, its successor is fetched in the background. After a failed fetch the next one waits, from half a
// second up to 30 seconds, or as long as the endpoint's Retry-After says (5 minutes at most); callers get the failure
// meanwhile.
//
// # Secrets
//
// Credentials and tokens are sent over https only, or http to this machine. Redirects are not followed. A [Token]
// prints as [redacted], and an [Error] holds neither a body, nor a header, nor a secret.
package auth
