package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A Fault is what goes wrong with one call.
//
// With Status or Drop the call is not processed, unless After is set: then it is processed, and only its response is
// replaced or lost. With neither, the call is processed as usual, Delay later and with Header on its response.
type Fault struct {
	// Status is the status of the response, from 200 to 599. Zero leaves the response as it is.
	Status int
	// Body is the body of a response with Status. Its Content-Type is guessed unless Header has one.
	Body string
	// Header is set on the response, scripted or not. A Content-Length greater than that of Body cuts the response off.
	Header http.Header
	// Delay passes before the response. It ends early when the client disconnects or the server closes; then there is no
	// response.
	Delay time.Duration
	// Drop closes the connection without a response.
	Drop bool
	// After lets the operation be processed before the fault. With Drop, a client cannot know the outcome.
	After bool
}

// A ScriptedFault is a fault with the operation and the number of calls that it is for.
type ScriptedFault struct {
	Operation Operation
	Times     int
	Fault     Fault
}

// Fail scripts a fault for the next calls of an operation. Faults that were scripted earlier for the same operation
// come first. It returns an error, and scripts nothing, if an argument is invalid.
func (s *Sandbox) Fail(op Operation, times int, fault Fault) error {
	if field, problem := s.checkFault(op, times, fault); problem != "" {
		return fmt.Errorf("moneykit: invalid fault: %s %s", strings.TrimSuffix(field, "_seconds"), problem)
	}
	fault.Header = fault.Header.Clone()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, ScriptedFault{op, times, fault})
	return nil
}

// Faults returns the scripted faults that are left, in the order in which they were scripted. Times is the number of
// calls that each is still for.
func (s *Sandbox) Faults() []ScriptedFault {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := slices.Clone(s.faults)
	for i := range all {
		all[i].Fault.Header = all[i].Fault.Header.Clone()
	}
	return all
}

// ClearFaults removes all scripted faults, also those of deliveries.
func (s *Sandbox) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
	s.deliveries.faults = nil
}

// checkFault returns what is wrong with the arguments of Fail, and with which. The fields have the names that they have
// in JSON.
func (s *Sandbox) checkFault(op Operation, times int, fault Fault) (field, problem string) {
	operations := s.operations()
	switch {
	case !slices.Contains(operations, op):
		return "operation", fmt.Sprintf("is %q; the operations are %s", op, join(operations))
	case times < 1:
		return "times", fmt.Sprintf("is %d; it must be at least 1", times)
	case fault.Status != 0 && (fault.Status < 200 || fault.Status > 599):
		return "status", fmt.Sprintf("is %d; it must be from 200 to 599", fault.Status)
	case fault.Body != "" && fault.Status == 0:
		return "body", "needs a status"
	case fault.Body != "" && (fault.Status == http.StatusNoContent || fault.Status == http.StatusNotModified):
		return "body", fmt.Sprintf("cannot be sent with the status %d", fault.Status)
	case fault.Drop && fault.Status != 0:
		return "drop", "cannot be combined with status: a dropped connection has no response"
	case fault.Delay < 0:
		return "delay_seconds", fmt.Sprintf("is %v; it must not be negative", fault.Delay.Seconds())
	case fault.Status == 0 && !fault.Drop && fault.Delay == 0 && len(fault.Header) == 0:
		return "status", "is missing, as are drop, delay_seconds and header; set one of them"
	}
	for name, values := range fault.Header {
		if !validHeaderName(name) {
			return "header", fmt.Sprintf("has the name %q; a name consists of letters, digits and hyphens", name)
		}
		if slices.ContainsFunc(values, func(v string) bool { return strings.ContainsFunc(v, isControl) }) {
			return "header", fmt.Sprintf("has a line break or another control character in the value of %s", name)
		}
	}
	return "", ""
}

func join(operations []Operation) string {
	var names []string
	for _, op := range operations {
		names = append(names, string(op))
	}
	return strings.Join(names, ", ")
}

// validHeaderName reports whether name is a token of RFC 9110, section 5.6.2.
func validHeaderName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		letterOrDigit := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !letterOrDigit && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}

func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

// takeFault returns the next fault for an operation and counts it.
func (s *Sandbox) takeFault(op Operation) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.faults, func(f ScriptedFault) bool { return f.Operation == op })
	if i < 0 {
		return Fault{}, false
	}
	fault := s.faults[i].Fault
	if s.faults[i].Times--; s.faults[i].Times == 0 {
		s.faults = slices.Delete(s.faults, i, i+1)
	}
	return fault, true
}

// serve serves a call with the fault: res becomes the response to send to w.
func (f Fault) serve(w http.ResponseWriter, res *response, r *http.Request, operation http.Handler) {
	if f.After {
		operation.ServeHTTP(res, r)
	}
	f.wait(r.Context(), w)
	switch {
	case f.Drop:
		panic(http.ErrAbortHandler) // net/http closes the connection and logs nothing
	case f.Status != 0:
		res.reset()
		res.WriteHeader(f.Status)
		res.body.WriteString(f.Body)
		if json.Valid([]byte(f.Body)) {
			res.header.Set("Content-Type", "application/json")
		}
	case !f.After:
		operation.ServeHTTP(res, r)
	}
	for name, values := range f.Header {
		res.header[http.CanonicalHeaderKey(name)] = values
	}
}

// wait lets the delay pass, which may be longer than the server's timeout for the response.
func (f Fault) wait(ctx context.Context, w http.ResponseWriter) {
	if f.Delay == 0 {
		return
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // an error means that there is no timeout
	select {
	case <-time.After(f.Delay):
	case <-ctx.Done():
		panic(http.ErrAbortHandler) // the client has disconnected
	}
}
