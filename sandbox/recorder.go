package sandbox

import (
	"net/http"
	"slices"

	"github.com/moneykit/moneykit-go/sandbox/internal/redact"
)

const maxRequests = 1000

// A Request is a request that the sandbox received.
type Request struct {
	Method string `json:"method"`
	Path   string `json:"path"` // without the query string
	// Operation is empty for a path that is not in the contract, such as /sandbox/complete.
	Operation Operation   `json:"operation,omitempty"`
	Header    http.Header `json:"header"`
	// Body is the body with its secrets redacted; JSON may be formatted differently. A body that is longer than 16 KiB,
	// or neither JSON nor a form, is replaced by a note in brackets.
	Body string `json:"body"`
	// Status is the status of the response; zero if there was none, or not yet.
	Status int `json:"status"`
}

// Requests returns the last 1000 requests, oldest first. In place of secrets they have "[redacted]".
func (s *Sandbox) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Request, len(s.requests))
	for i, entry := range s.requests {
		all[i] = *entry
		all[i].Header = entry.Header.Clone()
	}
	return all
}

func (s *Sandbox) record(r *http.Request, op Operation, body []byte) *Request {
	redactor := redact.Redactor{ClientSecret: s.ClientSecret}
	entry := &Request{
		Method:    r.Method,
		Path:      redactor.Text(r.URL.Path),
		Operation: op,
		Header:    redactor.Header(r.Header),
		Body:      redactor.Body(r.Header.Get("Content-Type"), body),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.requests) == maxRequests {
		s.requests = slices.Delete(s.requests, 0, 1)
	}
	s.requests = append(s.requests, entry)
	return entry
}

func (s *Sandbox) recordStatus(entry *Request, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	entry.Status = status
}
