package transport

import (
	"net/http"
	"strconv"
	"time"
)

// maxRetryAfterSeconds is the longest delay that fits a time.Duration.
const maxRetryAfterSeconds = int64(1<<63-1) / int64(time.Second)

// RetryAfter reads a Retry-After header (RFC 9110, section 10.2.3): whole seconds, or an HTTP date compared with
// now; one in the past is 0. ok is false for a header that is absent, malformed, negative, or longer than a
// time.Duration.
func RetryAfter(h http.Header, now time.Time) (d time.Duration, ok bool) {
	v := h.Get("Retry-After")
	if s, err := strconv.ParseInt(v, 10, 64); err == nil {
		if s < 0 || s > maxRetryAfterSeconds {
			return 0, false
		}
		return time.Duration(s) * time.Second, true
	}
	t, err := http.ParseTime(v)
	if err != nil {
		return 0, false
	}
	return max(0, t.Sub(now)), true
}
