// Package gen is the contract in Go: its models, and a bare client. moneykit.gen.go is compiled from openapi.yaml by
// go generate in the repository's root, and is never edited.
//
// # Models
//
// [CreateLinkSessionRequest], [CreateLinkSessionResponse], [ExchangeTokenRequest] and [ExchangeTokenResponse] are what
// package api takes and returns. Optional fields are plain values: the zero value stands for one that is absent or
// null, and is not sent. Where presence itself means something, as in [ProductsSettings], they are pointers. A list in
// a request that is empty but not nil is sent as an empty list.
//
// [ExchangeTokenRequest] and [CreateLinkSessionResponse] print as [redacted]; their fields hold the token.
//
// Enumerations are string types that keep values not listed here; their method Valid tells which are listed.
//
// # Client
//
// Applications are better off with package api, which adds tokens, retries, limits and errors. The bare client is for
// those who bring these themselves; [WithRequestEditorFn] is its hook for a token, and auth.Source.RequestEditor fits it:
//
//	client, err := gen.NewClientWithResponses(gen.ServerURL, gen.WithRequestEditorFn(src.RequestEditor))
package gen
