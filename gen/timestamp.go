package gen

import (
	"bytes"
	"errors"
	"time"
)

// A Timestamp is a date-time of the contract. It is zero if the value was null or absent.
type Timestamp struct{ time.Time }

// UnmarshalJSON accepts RFC 3339, the same without a zone, which is then UTC, and null.
func (t *Timestamp) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*t = Timestamp{}
		return nil
	}
	// time.Time rejects what is shorter than a timestamp without a zone, or longer than one with nanoseconds.
	const shortest, longest = len(`"2006-01-02T15:04:05"`), len(`"2006-01-02T15:04:05.999999999"`)
	if n := len(data); n >= shortest && n <= longest && data[n-1] == '"' && !bytes.ContainsAny(data[shortest-1:], "Zz+-") {
		var utc [longest + 1]byte
		copy(utc[:], data[:n-1])
		copy(utc[n-1:], `Z"`)
		data = utc[:n+1]
	}
	if t.Time.UnmarshalJSON(data) != nil { // its error quotes data, which may be secret
		return errors.New("want a timestamp in the form of RFC 3339, with or without a zone")
	}
	return nil
}
