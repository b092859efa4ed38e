// Package peers adds the clients that other generators make of the same contract. Their code is not committed: run
// make bench-peers in the repository's root, which is why this module is not in go.work.
package peers

import "github.com/moneykit/moneykit-go/test/bench/harness"

// All has every contender.
var All = append(harness.Own[:len(harness.Own):len(harness.Own)], Ogen, OpenAPIGenerator)
