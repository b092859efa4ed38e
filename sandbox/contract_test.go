package sandbox

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/routers"

	"github.com/moneykit/moneykit-go/gen"
)

// An answer that the contract does not allow is a 500 that says so, and is reported.
func TestViolationsAreLoud(t *testing.T) {
	t.Parallel()
	item := contract().Paths.Value("/link-session")
	target := &routers.Route{Spec: contract(), Path: "/link-session", PathItem: item, Method: "POST", Operation: item.Post}
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"a field is missing": {func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 201, map[string]any{}) }, "link_session_token"},
		"a type is wrong": {func(w http.ResponseWriter, _ *http.Request) {
			writeJSON(w, 201, map[string]any{"link_session_token": 5})
		}, "link_session_token"},
		"the status is wrong": {func(w http.ResponseWriter, _ *http.Request) { writeRefusal(w, refusal{418, "x", "y"}) }, "418"},
		"it is not JSON":      {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") }, "not JSON"},
	} {
		var reported []string
		s := New()
		s.violation = func(message string) { reported = append(reported, message) }
		r := httptest.NewRequest("POST", "/link-session", strings.NewReader(`{"customer_user": {"id": "user-1"}, "redirect_uri": "http://localhost"}`))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+s.newToken(time.Now().Add(time.Hour)))
		w := httptest.NewRecorder()
		s.serveOperation(target, test.handler).ServeHTTP(w, r)
		if w.Code != 500 || !strings.Contains(w.Body.String(), test.want) || !strings.Contains(w.Body.String(), "create_link_session") {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		if len(reported) != 1 || !strings.Contains(reported[0], test.want) {
			t.Errorf("%s: reported %q", name, reported)
		}
	}
}

// What is over is forgotten, so that a sandbox that runs for long does not grow with its traffic.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	s := New()
	now := time.Now()
	for range 100 {
		token := s.state.open(now, gen.CreateLinkSessionRequest{})
		if _, err := s.state.complete(now, token, institutionByID("")); err != nil {
			t.Fatal(err)
		}
	}
	s.state.open(now.Add(forgetAfter+time.Second), gen.CreateLinkSessionRequest{})
	if n, m, o := len(s.state.sessions), len(s.state.byToken), len(s.state.byExchangeable); n != 1 || m != 1 || o != 0 {
		t.Errorf("%d sessions, %d by token, %d by exchangeable token", n, m, o)
	}
	for i := range pruneAt {
		s.counters.allow(now, fmt.Sprint(i), 1)
	}
	s.counters.allow(now.Add(time.Minute), "another", 1)
	if len(s.counters) != 1 {
		t.Errorf("%d windows", len(s.counters))
	}
}
