//go:build !goexperiment.jsonv2

package bench

// moreAllocs is how often a call may allocate more than the code written by hand.
const moreAllocs = 4
