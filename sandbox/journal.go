package sandbox

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

const (
	maxRequests     = 1000
	maxRecordedBody = 16 << 10

	redacted = "[redacted]"
)

// secretFields are the form and JSON fields, and secretHeaders the headers, whose values are never recorded.
var (
	secretFields  = []string{"access_token", "client_secret", "exchangeable_token", "link_session_token", "password", "answer", "redirect_url", "state"}
	secretHeaders = []string{"Authorization", "Cookie", "Proxy-Authorization"}
)

// A Request is what arrived in one call.
type Request struct {
	Method string `json:"method"`
	Path   string `json:"path"` // without the query string
	// Operation is empty for what is not in the contract, such as /sandbox/complete.
	Operation Operation   `json:"operation,omitempty"`
	Header    http.Header `json:"header"`
	// Body is the body with its secrets redacted; JSON may be formatted anew. A body that cannot be redacted
	// because it is neither JSON nor a form, or that is over 16 KiB, is replaced by a note in brackets.
	Body string `json:"body"`
	// Status is the status of the answer; zero if there was none, or not yet.
	Status int `json:"status"`
}

// Requests returns what arrived, oldest first: the last 1000 requests. Secrets in headers and bodies read
// "[redacted]".
func (s *Sandbox) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Request, len(s.journal))
	for i, entry := range s.journal {
		all[i] = *entry
		all[i].Header = entry.Header.Clone()
	}
	return all
}

func (s *Sandbox) record(r *http.Request, op Operation, body []byte) *Request {
	entry := &Request{
		Method:    r.Method,
		Path:      r.URL.Path,
		Operation: op,
		Header:    redactHeader(r.Header),
		Body:      redactBody(r.Header.Get("Content-Type"), body),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.journal) == maxRequests {
		s.journal = slices.Delete(s.journal, 0, 1)
	}
	s.journal = append(s.journal, entry)
	return entry
}

func (s *Sandbox) recordStatus(entry *Request, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	entry.Status = status
}

func redactHeader(h http.Header) http.Header {
	h = h.Clone()
	for _, name := range secretHeaders {
		for i, value := range h[name] {
			if scheme, _, ok := strings.Cut(value, " "); ok && name != "Cookie" {
				h[name][i] = scheme + " " + redacted
			} else {
				h[name][i] = redacted
			}
		}
	}
	return h
}

func redactBody(contentType string, body []byte) string {
	if len(body) == 0 {
		return ""
	}
	if len(body) > maxRecordedBody {
		return fmt.Sprintf("[not kept: %d bytes]", len(body))
	}
	var value any
	if json.Unmarshal(body, &value) == nil {
		clean, err := json.Marshal(redactJSON(value))
		if err == nil {
			return string(clean)
		}
	}
	if strings.HasPrefix(contentType, "application/x-www-form-urlencoded") {
		if form, err := url.ParseQuery(string(body)); err == nil {
			for _, name := range secretFields {
				if form.Has(name) {
					form.Set(name, redacted)
				}
			}
			return form.Encode()
		}
	}
	return fmt.Sprintf("[not kept: %d bytes that are neither JSON nor a form]", len(body))
}

func redactJSON(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for name, field := range maps.All(value) {
			if slices.Contains(secretFields, strings.ToLower(name)) {
				value[name] = redacted
			} else {
				value[name] = redactJSON(field)
			}
		}
	case []any:
		for i, item := range value {
			value[i] = redactJSON(item)
		}
	}
	return value
}
