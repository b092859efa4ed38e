package sandbox

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/routers"

	moneykit "github.com/moneykit/moneykit-go"
)

// A route is one thing that the sandbox serves.
type route struct {
	method, path string
	does         string // for the list at GET /; empty for what only the sandbox's own pages use
	operation    Operation
	handler      http.Handler
}

// newRoutes lists what the sandbox serves. The contract's operations come from the contract.
func (s *Sandbox) newRoutes() []route {
	routes := []route{
		{"GET", "/", "this list", "", http.HandlerFunc(s.serveIndex)},
		{"GET", "/openapi.yaml", "the contract", "", http.HandlerFunc(serveContract)},
		{"POST", "/auth/token", "an access token for client credentials", Token, http.HandlerFunc(s.serveToken)},
	}
	operations := s.contractServer()
	doc := contract()
	for _, path := range doc.Paths.InMatchingOrder() {
		item := doc.Paths.Value(path)
		for method, operation := range item.Operations() {
			target := &routers.Route{Spec: doc, Path: path, PathItem: item, Method: method, Operation: operation}
			does := "operation " + operation.OperationID + " of the contract"
			routes = append(routes, route{method, path, does, Operation(operation.OperationID), s.serveOperation(target, operations)})
		}
	}
	routes = append(routes,
		route{"POST", "/sandbox/complete", `plays the end user: {"link_session_token": "…"} gives {"exchangeable_token": "…"}`, "", http.HandlerFunc(s.serveComplete)},
		route{"POST", "/sandbox/fail", `scripts faults: {"operation": "exchange_token", "times": 1, "status": 503}; also body, header, delay_seconds, drop, after`, "", http.HandlerFunc(s.serveFail)},
		route{"POST", "/sandbox/advance", `moves the clock: {"seconds": 3600}`, "", http.HandlerFunc(s.serveAdvance)},
		route{"GET", "/sandbox/links", "the links held", "", http.HandlerFunc(s.serveLinks)},
		route{"GET", "/sandbox/requests", "what arrived, secrets redacted", "", http.HandlerFunc(s.serveRequests)},
	)
	routes = append(routes, s.connectRoutes()...)
	slices.SortStableFunc(routes, func(a, b route) int { return strings.Compare(a.path, b.path) })
	return routes
}

// route finds what serves r: if nothing does, a route that says so.
func (s *Sandbox) route(r *http.Request) route {
	var allowed []string
	for _, rt := range s.routes {
		if rt.path != r.URL.Path {
			continue
		}
		if rt.method == r.Method || rt.method == http.MethodGet && r.Method == http.MethodHead {
			return rt
		}
		allowed = append(allowed, rt.method)
	}
	return route{handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if allowed != nil {
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			writeRefusal(w, refusal{http.StatusMethodNotAllowed, "api_error.method_not_allowed",
				"This path takes " + strings.Join(allowed, ", ") + "."})
			return
		}
		var known []string
		for _, rt := range s.listed() {
			known = append(known, rt.method+" "+rt.path)
		}
		writeRefusal(w, refusal{http.StatusNotFound, "api_error.not_found",
			"Nothing is served at this path. There is " + strings.Join(known, ", ") + "."})
	})}
}

// listed is the routes that are meant for others.
func (s *Sandbox) listed() []route {
	return slices.DeleteFunc(slices.Clone(s.routes), func(rt route) bool { return rt.does == "" })
}

func (s *Sandbox) serveIndex(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprint(w, "MoneyKit sandbox: link sessions end to end, in memory. Nothing here is real.\n\n")
	for _, rt := range s.listed() {
		fmt.Fprintf(w, "%-4s  %-29s  %s\n", rt.method, rt.path, rt.does)
	}
}

func serveContract(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/yaml")
	w.Write(moneykit.OpenAPI())
}
