// Package bench measures package api against code written by hand and against other generated clients. Run make bench
// in the repository's root.
//
// # The contenders
//
//   - hand-written: package hand, net/http and encoding/json with a token, a time limit, a capped body and errors by
//     status. It is the baseline.
//   - api: package api with its defaults.
//   - gen: the generated client of package gen, with the token of package auth.
//   - ogen and openapi-generator: what these generators make of the same contract; make bench-peers runs them.
//
// They send the same two requests and get the same responses, each with its own cached token and within the same time
// limit, set by a context.
//
// # The table
//
// A row is the median of the rounds, each of which measures one contender after the other in every setting. "CPU ns" is
// what the processor does for a call in the client's process, without the server. The last four columns are ratios to
// the baseline, of the time and of the CPU time, each with the interval in which it is with 95 % confidence.
//
// # What is exact
//
// Allocations, connections and token requests are the same in every run. The tests beside this file assert them, and
// none asserts a time.
package bench
