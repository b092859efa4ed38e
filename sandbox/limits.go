package sandbox

import (
	"maps"
	"math"
	"net/http"
	"time"

	"github.com/moneykit/moneykit-go/sandbox/internal/httpapi"
)

// RateLimits are the numbers of requests that are allowed within a minute, which begins with the first of them. Beyond a
// limit the response is a 429, with the seconds until the minute is over as Retry-After. Zero or less is no limit.
type RateLimits struct {
	// Token is for POST /auth/token, per client.
	Token int
	// LinkSessionPerUser is for POST /link-session, per customer_user.id.
	LinkSessionPerUser int
	// PerApp is for each operation of the contract, per application.
	PerApp int
}

// PublishedRateLimits returns the limits that MoneyKit publishes: 300 tokens per client, and 20 link sessions per
// end user and 1,200 per application. The program uses them.
func PublishedRateLimits() RateLimits {
	return RateLimits{Token: 300, LinkSessionPerUser: 20, PerApp: 1200}
}

// counters count the requests of the current minute, by what is limited.
type counters map[string]*window

type window struct {
	end   time.Time
	count int
}

// pruneAt is the number of windows at which those that are over are removed.
const pruneAt = 1024

// allow counts a request under key. It returns a 429 if that is beyond the limit.
func (c counters) allow(now time.Time, key string, limit int) error {
	if limit <= 0 {
		return nil
	}
	w := c[key]
	if w == nil || !now.Before(w.end) {
		if len(c) >= pruneAt {
			maps.DeleteFunc(c, func(_ string, w *window) bool { return !now.Before(w.end) })
		}
		w = &window{end: now.Add(time.Minute)}
		c[key] = w
	}
	if w.count >= limit {
		return &httpapi.Error{Status: http.StatusTooManyRequests, Code: "api_error.rate_limit_exceeded", Message: "Too many requests.",
			RetryAfter: int(math.Ceil(w.end.Sub(now).Seconds()))}
	}
	w.count++
	return nil
}

// allow counts a request under key. It returns a 429 if that is beyond the limit.
func (s *Sandbox) allow(key string, limit int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counters.allow(s.now(), key, limit)
}
