// Package gen contains the models and the client that are generated from the contract. moneykit.gen.go is compiled from openapi.yaml by
// go generate in the repository's root, and is never edited.
//
// # Models
//
// [CreateLinkSessionRequest], [CreateLinkSessionResponse], [ExchangeTokenRequest] and [ExchangeTokenResponse] are what
// package api takes and returns. Optional fields are plain values: the zero value stands for one that is absent or
// null, and is not sent. Where presence itself means something, as in [ProductsSettings], they are pointers. A list in
// a request that is empty but not nil is sent as an empty list.
//
// [ExchangeTokenRequest] and [CreateLinkSessionResponse] print as [redacted]; their fields contain the token.
//
// Enumerations are string types that keep values not listed here; their method Valid reports whether a value is listed.
//
// # Client
//
// Applications use package api, which adds tokens, retries, limits and errors to this client. The client on its own has
// none of them. [WithRequestEditorFn] puts a token on its requests:
//
//	client, err := gen.NewClientWithResponses(gen.ServerURL, gen.WithRequestEditorFn(src.RequestEditor))
package gen
