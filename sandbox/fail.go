package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"
)

// An Operation names what a fault is scripted for and what a [Request] was: the contract's operation ids, and the
// token endpoint.
type Operation string

// The operations.
const (
	Token             Operation = "token"
	CreateLinkSession Operation = "create_link_session"
	ExchangeToken     Operation = "exchange_token"
)

// A Fault is what goes wrong with one call.
//
// With Status or Drop the call is not carried out, unless After is set: then it is carried out, and only its answer
// is replaced or lost. With neither, the call is carried out as usual, Delay later and with Header on its answer.
type Fault struct {
	// Status is the status to answer with, 200 to 599; zero leaves the answer alone.
	Status int
	// Body is the body that goes with Status. Its Content-Type is guessed unless Header has it.
	Body string
	// Header is set on the answer, scripted or not. A Content-Length greater than Body cuts the answer off.
	Header http.Header
	// Delay passes before anything else happens. It ends early when the client goes away or the server closes;
	// then nothing else happens.
	Delay time.Duration
	// Drop closes the connection without an answer.
	Drop bool
	// After lets the operation be carried out before the fault happens. With Drop, it is the case in which a
	// client cannot know the outcome.
	After bool
}

// A script is a fault and the number of calls that it is still for.
type script struct {
	n     int
	fault Fault
}

// Fail scripts fault for the next n calls of op. Faults scripted earlier for the same operation come first. It
// returns an error, and scripts nothing, if op, n or fault is not what it should be.
func (s *Sandbox) Fail(op Operation, n int, fault Fault) error {
	switch {
	case op != Token && op != CreateLinkSession && op != ExchangeToken:
		return fmt.Errorf("operation %q is none of %s, %s and %s", op, Token, CreateLinkSession, ExchangeToken)
	case n < 1:
		return fmt.Errorf("n is %d; it must be at least 1", n)
	case fault.Status != 0 && (fault.Status < 200 || fault.Status > 599):
		return fmt.Errorf("status is %d; it must be from 200 to 599", fault.Status)
	case fault.Body != "" && fault.Status == 0:
		return fmt.Errorf("body needs a status to go with")
	case fault.Drop && fault.Status != 0:
		return fmt.Errorf("drop and status exclude each other: a dropped connection has no answer")
	case fault.Status == 0 && !fault.Drop && fault.Delay == 0 && len(fault.Header) == 0:
		return fmt.Errorf("the fault is empty; set status, drop, delay or header")
	case fault.Delay < 0:
		return fmt.Errorf("delay is %v; it must not be negative", fault.Delay)
	}
	fault.Header = fault.Header.Clone()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[op] = append(s.faults[op], script{n, fault})
	return nil
}

func (s *Sandbox) takeFault(op Operation) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	scripts := s.faults[op]
	if len(scripts) == 0 {
		return Fault{}, false
	}
	fault := scripts[0].fault
	if scripts[0].n--; scripts[0].n == 0 {
		s.faults[op] = slices.Delete(scripts, 0, 1)
	}
	return fault, true
}

// apply makes the fault happen to a and reports whether a is now the answer; otherwise the call is still to be
// carried out.
func (f Fault) apply(ctx context.Context, a *answer) (answered bool) {
	if f.Delay > 0 {
		timer := time.NewTimer(f.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			panic(http.ErrAbortHandler) // nobody is there to answer
		}
	}
	if f.Drop {
		panic(http.ErrAbortHandler) // net/http closes the connection, and logs nothing
	}
	if f.Status != 0 {
		a.reset()
		a.WriteHeader(f.Status)
		a.body.WriteString(f.Body)
		if json.Valid([]byte(f.Body)) {
			a.header.Set("Content-Type", "application/json")
		}
	}
	for name, values := range maps.All(f.Header) {
		a.header[http.CanonicalHeaderKey(name)] = values
	}
	return f.Status != 0
}
