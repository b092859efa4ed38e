package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/sandbox/internal/httpapi"
	"github.com/moneykit/moneykit-go/sandbox/internal/origin"
)

// An Operation is what a [Fault] is scripted for and what a [Request] was for: an operationId of the contract, or the
// token endpoint.
type Operation string

// The operations of the contract that the sandbox implements, and the token endpoint.
const (
	Token             Operation = "token"
	CreateLinkSession Operation = "create_link_session"
	ExchangeToken     Operation = "exchange_token"
)

// implemented are the operations of the contract that the sandbox implements. An operation that only the contract has
// gets a 501.
var implemented = map[Operation]func(s *Sandbox, body []byte) (any, error){
	CreateLinkSession: created((*Sandbox).createLinkSession),
	ExchangeToken:     created((*Sandbox).exchangeToken),
}

// created makes an operation of a method that takes its decoded body and returns that of a 201.
func created[Request, Response any](method func(*Sandbox, Request) (Response, error)) func(*Sandbox, []byte) (any, error) {
	return func(s *Sandbox, body []byte) (any, error) {
		var request Request
		if err := json.Unmarshal(body, &request); err != nil { // it is valid, so that it can be decoded
			return nil, err
		}
		return method(s, request)
	}
}

// operations returns all operations: the contract's, and the token endpoint.
func (s *Sandbox) operations() []Operation {
	all := []Operation{Token}
	for _, op := range s.contract.operations {
		all = append(all, op.id())
	}
	return all
}

// serveOperation serves an operation of the contract, or responds that it is not implemented.
func (s *Sandbox) serveOperation(op contractOperation) http.Handler {
	do := implemented[op.id()]
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if do == nil {
			httpapi.WriteError(w, &httpapi.Error{Status: http.StatusNotImplemented, Code: "sandbox_error.not_implemented",
				Message: fmt.Sprintf("The contract has the operation %s; the sandbox does not implement it.", op.id())})
			return
		}
		s.serveImplemented(w, r, op, do)
	})
}

// serveImplemented serves an operation after the access token, the application's rate limit and the request were
// checked. Its response is put into the published form and validated.
func (s *Sandbox) serveImplemented(w http.ResponseWriter, r *http.Request, op contractOperation, do func(*Sandbox, []byte) (any, error)) {
	res := newResponse()
	s.runOperation(res, r, op, do)
	if err := op.publish(res, r); err != nil {
		s.violation(err.Error())
		httpapi.WriteError(w, httpapi.Internal("sandbox_error.contract", err))
		return
	}
	res.send(w)
}

func (s *Sandbox) runOperation(res *response, r *http.Request, op contractOperation, do func(*Sandbox, []byte) (any, error)) {
	if err := s.authenticate(r); err != nil {
		res.header.Set("WWW-Authenticate", "Bearer")
		httpapi.WriteError(res, err)
		return
	}
	if err := s.allow("app "+string(op.id()), s.limits.PerApp); err != nil {
		httpapi.WriteError(res, err)
		return
	}
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	if problems := s.validate(r, op, body, err); len(problems) > 0 {
		writeValidationErrors(res, problems)
		return
	}
	result, err := do(s, body)
	if err != nil {
		httpapi.WriteError(res, err)
		return
	}
	httpapi.WriteJSON(res, http.StatusCreated, result)
}

func (s *Sandbox) createLinkSession(request gen.CreateLinkSessionRequest) (gen.CreateLinkSessionResponse, error) {
	if err := s.allow("user "+request.CustomerUser.ID, s.limits.LinkSessionPerUser); err != nil {
		return gen.CreateLinkSessionResponse{}, err
	}
	if err := s.checkOrigin("The origin of redirect_uri", origin.Of(request.RedirectURI)); err != nil {
		return gen.CreateLinkSessionResponse{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return gen.CreateLinkSessionResponse{LinkSessionToken: s.state.open(s.now(), request)}, nil
}

func (s *Sandbox) exchangeToken(request gen.ExchangeTokenRequest) (gen.ExchangeTokenResponse, error) {
	link, err := s.exchange(request.ExchangeableToken)
	return gen.ExchangeTokenResponse{LinkID: link.LinkID, Link: link}, err
}

// exchange exchanges a token for its link.
func (s *Sandbox) exchange(exchangeableToken string) (gen.LinkCommon, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	link, err := s.state.exchange(s.now(), exchangeableToken)
	if err != nil {
		return gen.LinkCommon{}, err
	}
	s.sendConnected(link)
	return link.clone().LinkCommon, nil
}

// checkOrigin returns a 403 if an origin is neither registered nor on loopback; what names the origin in its message.
func (s *Sandbox) checkOrigin(what, checked string) error {
	if origin.IsLoopback(checked) || slices.ContainsFunc(s.origins, func(o string) bool { return origin.Of(o) == checked }) {
		return nil
	}
	registered := strings.Join(append(slices.Clone(s.origins), "every loopback origin"), ", ")
	return &httpapi.Error{Status: http.StatusForbidden, Code: "link_session_error.forbidden_config",
		Message: fmt.Sprintf("%s, %s, is not registered. Registered are: %s.", what, checked, registered)}
}
