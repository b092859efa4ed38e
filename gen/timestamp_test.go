package gen_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/moneykit/moneykit-go/gen"
)

func TestUnmarshal(t *testing.T) {
	t.Parallel()
	utc := time.Date(2023, 2, 16, 9, 14, 11, 0, time.UTC)
	for in, want := range map[string]time.Time{
		`"2023-02-16T09:14:11"`:           utc,
		`"2023-02-16T09:14:11Z"`:          utc,
		`"2023-02-16T09:14:11+00:00"`:     utc,
		`"2023-02-16T04:14:11-05:00"`:     utc,
		`"2023-02-16T09:14:11.5"`:         utc.Add(500 * time.Millisecond),
		`"2023-02-16T09:14:11.123456"`:    utc.Add(123456 * time.Microsecond),
		`"2023-02-16T09:14:11.123456789"`: utc.Add(123456789),
		`"2023-02-16T09:14:11.5Z"`:        utc.Add(500 * time.Millisecond),
		`null`:                            {},
	} {
		got := gen.Timestamp{Time: time.Unix(1, 0)} // so that a decoder that does nothing is seen
		if err := json.Unmarshal([]byte(in), &got); err != nil {
			t.Errorf("%s: %v", in, err)
		} else if !got.Equal(want) {
			t.Errorf("%s: got %v, want %v", in, got, want)
		}
	}
}

func TestUnmarshalRefuses(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		`""`, `"yesterday"`, `1676538851`, `true`, `{}`, `"2023-02-16"`, `"2023-02-16 09:14:11"`,
		`"2023-13-16T09:14:11"`, `"2023-02-16T09:14:11ZZ"`, `"2023-02-16T09:14:11.`, `"2023-02-16T09:14:11."`,
		`"2023-02-16T09:14:11.1234567890123"`,
	} {
		var got gen.Timestamp
		if err := got.UnmarshalJSON([]byte(in)); err == nil {
			t.Errorf("%s: got %v, want an error", in, got)
		}
	}
}

func TestOmittedNullAndZero(t *testing.T) {
	t.Parallel()
	type object struct {
		At gen.Timestamp `json:"at,omitzero"`
	}
	for _, in := range []string{`{}`, `{"at":null}`} {
		var got object
		if err := json.Unmarshal([]byte(in), &got); err != nil || !got.At.IsZero() {
			t.Errorf("%s: got %v, %v", in, got, err)
		}
		if out, err := json.Marshal(got); err != nil || string(out) != `{}` {
			t.Errorf("%s: marshals to %s, %v", in, out, err)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	in := gen.Timestamp{Time: time.Date(2023, 2, 16, 9, 14, 11, 5, time.FixedZone("", -5*3600))}
	data, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var out gen.Timestamp
	if err := json.Unmarshal(data, &out); err != nil || !out.Equal(in.Time) {
		t.Errorf("%s: got %v, %v", data, out, err)
	}
}

func FuzzUnmarshal(f *testing.F) {
	for _, seed := range []string{
		`"2023-02-16T09:14:11"`, `"2023-02-16T09:14:11Z"`, `"2023-02-16T09:14:11.123456"`, `null`, `""`, `{}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var got gen.Timestamp
		if got.UnmarshalJSON(data) != nil {
			return
		}
		if got.IsZero() {
			return
		}
		again, err := json.Marshal(got)
		if err != nil {
			t.Fatalf("%q was read as %v, which cannot be written: %v", data, got, err)
		}
		var same gen.Timestamp
		if err := json.Unmarshal(again, &same); err != nil || !same.Equal(got.Time) {
			t.Fatalf("%q was read as %v, written as %s, read again as %v (%v)", data, got, again, same, err)
		}
	})
}
