// Package moneykit contains the contract that the other packages are compiled from.
//
// Applications import the packages below it: [github.com/moneykit/moneykit-go/api] for the client,
// [github.com/moneykit/moneykit-go/auth] for its token and [github.com/moneykit/moneykit-go/webhook] for events. This
// package is for those who serve or validate the contract, as the sandbox does.
//
// After a change to openapi.yaml, openapi.overlay.yaml or oapi-codegen.yaml, run make generate, which runs go generate
// here and in the sandbox. The generator's version is pinned in tools/go.mod, apart from this module, so that none of
// its dependencies reach an importer.
package moneykit

import _ "embed"

//go:generate env GOWORK=off go tool -modfile=tools/go.mod oapi-codegen -config oapi-codegen.yaml openapi.yaml

//go:embed openapi.yaml
var openAPI string

// OpenAPI returns the contract, openapi.yaml, as OpenAPI 3.0.3 in YAML. Each call returns a copy.
func OpenAPI() []byte { return []byte(openAPI) }
