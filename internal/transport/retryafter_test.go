package transport_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/moneykit/moneykit-go/internal/transport"
)

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2023, 2, 16, 9, 14, 11, 0, time.UTC)
	const malformed = time.Duration(-1)
	for value, want := range map[string]time.Duration{
		"0":                                0,
		"30":                               30 * time.Second,
		"86400":                            24 * time.Hour,
		"9223372036":                       9223372036 * time.Second,
		"Thu, 16 Feb 2023 09:15:11 GMT":    time.Minute,
		"Thursday, 16-Feb-23 09:15:11 GMT": time.Minute,
		"Thu Feb 16 09:15:11 2023":         time.Minute,
		"Thu, 16 Feb 2023 09:00:00 GMT":    0,
		"":                                 malformed,
		"-1":                               malformed,
		"9223372037":                       malformed,
		"99999999999999999999":             malformed,
		"NaN":                              malformed,
		"Inf":                              malformed,
		"1e9":                              malformed,
		"1.5":                              malformed,
		"0x10":                             malformed,
		"30 ":                              malformed,
		"soon":                             malformed,
	} {
		got, ok := transport.RetryAfter(http.Header{"Retry-After": {value}}, now)
		if ok != (want != malformed) || ok && got != want {
			t.Errorf("%q: got %v, %v, want %v", value, got, ok, want)
		}
	}
	if got, ok := transport.RetryAfter(nil, now); ok {
		t.Errorf("no header: got %v", got)
	}
}
