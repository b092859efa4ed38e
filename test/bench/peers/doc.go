// Package peers adds the clients that other generators make of the same contract. Their code is not committed: run
// make bench-peers in the repository's root, which is why this module is not in go.work.
package peers

import "github.com/moneykit/moneykit-go/test/bench/rig"

// All has every contender.
var All = append(rig.Own[:len(rig.Own):len(rig.Own)], Ogen, OpenAPIGenerator)
