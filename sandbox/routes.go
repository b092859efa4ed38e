package sandbox

import (
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"

	moneykit "github.com/moneykit/moneykit-go"
	"github.com/moneykit/moneykit-go/sandbox/internal/connect"
	"github.com/moneykit/moneykit-go/sandbox/internal/httpapi"
)

// A route is something that the sandbox serves; its operation is empty for what is not in the contract.
type route struct {
	httpapi.Route
	operation Operation
}

// pattern is the route's pattern in the mux.
func (rt route) pattern() string {
	if rt.Path == "/" {
		return rt.Method + " /{$}"
	}
	return rt.Method + " " + rt.Path
}

// route fills s.routes and s.mux. The contract's operations come from the contract.
func (s *Sandbox) route() {
	add := func(method, path, description string, operation Operation, handler http.Handler) {
		s.routes = append(s.routes, route{httpapi.Route{Method: method, Path: path, Description: description, Handler: handler}, operation})
	}
	add("GET", "/", "this list", "", http.HandlerFunc(s.serveIndex))
	add("GET", "/health", "200 as soon as it is up", "", http.HandlerFunc(serveHealth))
	add("GET", "/openapi.yaml", "the contract", "", http.HandlerFunc(serveContract))
	add("POST", "/auth/token", "an access token for client credentials", Token, http.HandlerFunc(s.serveToken))
	for _, op := range s.contract.operations {
		add(op.Method, op.Path, "operation "+op.Operation.OperationID+" of the contract", op.id(), s.serveOperation(op))
	}
	add("GET", "/.well-known/jwks.json", "the public keys that verify events", "", http.HandlerFunc(s.serveKeys))
	add("POST", "/webhooks/test/link/{id}", `sends an event of a link: {"webhook_event": "link.state_changed", "webhook_idempotency_key": "…"}`, "", http.HandlerFunc(s.serveTestEvent))
	for _, rt := range slices.Concat(s.controlRoutes(), connect.New(connectBackend{s}).Routes()) {
		s.routes = append(s.routes, route{rt, ""})
	}
	slices.SortStableFunc(s.routes, func(a, b route) int { return strings.Compare(a.Path, b.Path) })
	s.mux = http.NewServeMux()
	for _, rt := range s.routes {
		s.mux.Handle(rt.pattern(), rt.Handler)
	}
}

// handler returns what serves r, and which operation that is.
func (s *Sandbox) handler(r *http.Request) (http.Handler, Operation) {
	if p := r.URL.EscapedPath(); p != path.Clean(p) { // the mux would redirect
		return http.HandlerFunc(s.serveNotFound), ""
	}
	handler, pattern := s.mux.Handler(r)
	for _, rt := range s.routes {
		if rt.pattern() == pattern {
			return s.mux, rt.operation // the mux sets r.PathValue
		}
	}
	var status response
	status.header = http.Header{}
	handler.ServeHTTP(&status, r)
	if allow := status.header.Get("Allow"); allow != "" {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Allow", allow)
			httpapi.WriteError(w, &httpapi.Error{Status: http.StatusMethodNotAllowed, Code: "api_error.method_not_allowed",
				Message: "The methods of this path are " + allow + "."})
		}), ""
	}
	return http.HandlerFunc(s.serveNotFound), ""
}

func (s *Sandbox) serveNotFound(w http.ResponseWriter, _ *http.Request) {
	var known []string
	for _, rt := range s.listed() {
		known = append(known, rt.Method+" "+rt.Path)
	}
	httpapi.WriteError(w, &httpapi.Error{Status: http.StatusNotFound, Code: "api_error.not_found",
		Message: "Nothing is served at this path. These are: " + strings.Join(known, ", ") + "."})
}

// listed returns the routes that have a description.
func (s *Sandbox) listed() []route {
	return slices.DeleteFunc(slices.Clone(s.routes), func(rt route) bool { return rt.Description == "" })
}

func (s *Sandbox) serveIndex(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprint(w, "MoneyKit sandbox: link sessions from start to end, in memory. Nothing here is real.\n\n")
	for _, rt := range s.listed() {
		fmt.Fprintf(w, "%-6s  %-29s  %s\n", rt.Method, rt.Path, rt.Description)
	}
}

func serveHealth(w http.ResponseWriter, _ *http.Request) {
	httpapi.WriteJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

func serveContract(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/yaml")
	w.Write(moneykit.OpenAPI())
}
