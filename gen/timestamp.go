package gen

import (
	"bytes"
	"time"
)

// A Timestamp is a date-time of the contract. The zero Timestamp stands for one that is null or was left out;
// IsZero tells.
type Timestamp struct{ time.Time }

// UnmarshalJSON accepts a string as in RFC 3339, the same without a zone, which is then UTC, and null.
func (t *Timestamp) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*t = Timestamp{}
		return nil
	}
	// Shorter than a zone-less timestamp in quotes, or longer than one with nanoseconds, is left to time to refuse.
	const shortest, longest = len(`"2006-01-02T15:04:05"`), len(`"2006-01-02T15:04:05.999999999"`)
	if n := len(data); n >= shortest && n <= longest && data[n-1] == '"' && !bytes.ContainsAny(data[shortest-1:], "Zz+-") {
		var utc [longest + 1]byte
		copy(utc[:], data[:n-1])
		copy(utc[n-1:], `Z"`)
		data = utc[:n+1]
	}
	return t.Time.UnmarshalJSON(data)
}
