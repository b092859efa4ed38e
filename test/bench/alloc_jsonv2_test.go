//go:build goexperiment.jsonv2

package bench

// moreAllocs is how often a call may allocate more than the code written by hand. With encoding/json/v2 behind
// encoding/json, the default from Go 1.27 on, both allocate much less: 49 and 44 times an exchange instead of 73 and 69.
const moreAllocs = 5
