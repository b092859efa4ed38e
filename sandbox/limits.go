package sandbox

import (
	"math"
	"strconv"
	"time"
)

// RateLimits says how many requests are answered within a minute. Beyond a limit the answer is a 429, with the
// seconds until the minute is over as Retry-After. A limit of zero or less is none.
type RateLimits struct {
	// Token is for POST /auth/token, per client.
	Token int
	// LinkSessionPerUser is for POST /link-session, per customer_user.id.
	LinkSessionPerUser int
	// PerApp is for each operation of the contract, per application.
	PerApp int
}

// PublishedRateLimits returns the limits that MoneyKit publishes: 300 tokens per client, and 20 link sessions per
// end user and 1,200 per application. The program has them switched on.
func PublishedRateLimits() RateLimits {
	return RateLimits{Token: 300, LinkSessionPerUser: 20, PerApp: 1200}
}

// counters count the requests of the minute that began with the first of them, by what is limited.
type counters map[string]*window

type window struct {
	end   time.Time
	count int
}

// pruneAt is how many windows there may be before those that are over are removed.
const pruneAt = 1024

// allow counts a request under key. If that is one too many it returns the Retry-After to answer with.
func (c counters) allow(now time.Time, key string, limit int) (retryAfter string, ok bool) {
	if limit <= 0 {
		return "", true
	}
	w := c[key]
	if w == nil || !now.Before(w.end) {
		if len(c) >= pruneAt {
			for key, w := range c {
				if !now.Before(w.end) {
					delete(c, key)
				}
			}
		}
		w = &window{end: now.Add(time.Minute)}
		c[key] = w
	}
	if w.count >= limit {
		return strconv.Itoa(int(math.Ceil(w.end.Sub(now).Seconds()))), false
	}
	w.count++
	return "", true
}

// allow counts a request under key and, beyond limit, returns the Retry-After to answer with.
func (s *Sandbox) allow(key string, limit int) (retryAfter string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counters.allow(s.now(), key, limit)
}
