package sandbox

import (
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/moneykit/moneykit-go/sandbox/internal/httpapi"
	"github.com/moneykit/moneykit-go/sandbox/internal/origin"
)

// controlRoutes are the methods of a Sandbox over HTTP.
func (s *Sandbox) controlRoutes() []httpapi.Route {
	control := func(method, path, description string, handle func(http.ResponseWriter, *http.Request) error) httpapi.Route {
		return httpapi.Route{Method: method, Path: "/sandbox/" + path, Description: description, Handler: s.control(handle)}
	}
	return append(s.webhookRoutes(control), []httpapi.Route{
		control("POST", "complete", `ends a link session as the end user: {"link_session_token": "…"} → {"exchangeable_token": "…"}`, s.controlComplete),
		control("POST", "fail", `scripts a fault: {"operation": "exchange_token", "times": 1, "status": 503}; also body, header, delay_seconds, drop, after`, s.controlFail),
		control("GET", "faults", "the scripted faults that are left", s.controlFaults),
		control("DELETE", "faults", "removes them", s.controlClearFaults),
		control("POST", "advance", `moves the clock forward: {"seconds": 3600}`, s.controlAdvance),
		control("POST", "reset", "removes sessions, links, faults and recorded requests, and sets the clock to the present", s.controlReset),
		control("GET", "links", "the links", s.controlLinks),
		control("GET", "requests", "the requests received, secrets redacted", s.controlRequests),
	}...)
}

var crossOrigin http.CrossOriginProtection

// control keeps web pages away from the endpoints under /sandbox/, which need no access token: a page of another origin,
// and one whose host name resolves to this machine.
func (s *Sandbox) control(handle func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := s.checkHost(r.Host)
		if err == nil {
			err = checkSameOrigin(r)
		}
		if err == nil {
			err = handle(w, r)
		}
		if err != nil {
			httpapi.WriteError(w, err)
		}
	})
}

func (s *Sandbox) checkHost(hostport string) error {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if origin.IsLoopbackHost(host) || slices.ContainsFunc(s.hosts, func(h string) bool { return strings.EqualFold(h, host) }) {
		return nil
	}
	return &httpapi.Error{Status: http.StatusForbidden, Code: "sandbox_error.forbidden_host",
		Message: "The Host of the request is neither loopback nor configured (sandbox.WithHosts, or the program's flag -host)."}
}

func checkSameOrigin(r *http.Request) error {
	check := r
	if r.Header.Get("Origin") != "" { // a GET with an Origin is from a script
		check = r.Clone(r.Context())
		check.Method = http.MethodPost
	}
	if err := crossOrigin.Check(check); err != nil {
		return &httpapi.Error{Status: http.StatusForbidden, Code: "sandbox_error.forbidden_origin",
			Message: "The request is from a web page of another origin."}
	}
	return nil
}

func (s *Sandbox) controlComplete(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		LinkSessionToken string `json:"link_session_token"`
	}
	if err := httpapi.ReadJSON(r, &body); err != nil {
		return err
	}
	exchangeable, err := s.Complete(body.LinkSessionToken)
	if err != nil {
		return err
	}
	httpapi.WriteJSON(w, http.StatusOK, map[string]string{"exchangeable_token": exchangeable})
	return nil
}

// jsonFault is a scripted fault in JSON.
type jsonFault struct {
	Operation    Operation         `json:"operation"`
	Times        int               `json:"times"`
	Status       int               `json:"status,omitzero"`
	Body         string            `json:"body,omitzero"`
	Header       map[string]string `json:"header,omitzero"`
	DelaySeconds float64           `json:"delay_seconds,omitzero"`
	Drop         bool              `json:"drop,omitzero"`
	After        bool              `json:"after,omitzero"`
}

func (s *Sandbox) controlFail(w http.ResponseWriter, r *http.Request) error {
	body := jsonFault{Times: 1}
	if err := httpapi.ReadJSON(r, &body); err != nil {
		return err
	}
	fault := Fault{Status: body.Status, Body: body.Body, Header: http.Header{}, Delay: seconds(body.DelaySeconds), Drop: body.Drop, After: body.After}
	for name, value := range body.Header {
		fault.Header.Set(name, value)
	}
	if field, problem := s.checkFault(body.Operation, body.Times, fault); problem != "" {
		return httpapi.Invalid("The field %s %s.", field, problem)
	}
	if err := s.Fail(body.Operation, body.Times, fault); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Sandbox) controlFaults(w http.ResponseWriter, _ *http.Request) error {
	all := []jsonFault{}
	for _, f := range s.Faults() {
		j := jsonFault{Operation: f.Operation, Times: f.Times, Status: f.Fault.Status, Body: f.Fault.Body,
			DelaySeconds: f.Fault.Delay.Seconds(), Drop: f.Fault.Drop, After: f.Fault.After}
		for name, values := range f.Fault.Header {
			if j.Header == nil {
				j.Header = map[string]string{}
			}
			j.Header[name] = strings.Join(values, ", ")
		}
		all = append(all, j)
	}
	httpapi.WriteJSON(w, http.StatusOK, map[string]any{"faults": all, "delivery_faults": s.jsonDeliveryFaults()})
	return nil
}

func (s *Sandbox) controlClearFaults(w http.ResponseWriter, r *http.Request) error {
	if err := httpapi.CheckNoBody(r); err != nil {
		return err
	}
	s.ClearFaults()
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Sandbox) controlAdvance(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Seconds float64 `json:"seconds"`
	}
	if err := httpapi.ReadJSON(r, &body); err != nil {
		return err
	}
	d := seconds(body.Seconds)
	s.mu.Lock()
	left := maxTime - s.offset
	s.mu.Unlock()
	switch {
	case !(body.Seconds > 0):
		return httpapi.Invalid("The field seconds must be greater than zero.")
	case d > left:
		return httpapi.Invalid("The field seconds must be %.0f at most: the clock can be 100 years ahead. POST /sandbox/reset sets it back.", left.Seconds())
	}
	s.Advance(d)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Sandbox) controlReset(w http.ResponseWriter, r *http.Request) error {
	if err := httpapi.CheckNoBody(r); err != nil {
		return err
	}
	s.Reset()
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Sandbox) controlLinks(w http.ResponseWriter, _ *http.Request) error {
	httpapi.WriteJSON(w, http.StatusOK, map[string]any{"links": s.Links()})
	return nil
}

func (s *Sandbox) controlRequests(w http.ResponseWriter, _ *http.Request) error {
	httpapi.WriteJSON(w, http.StatusOK, map[string]any{"requests": s.Requests()})
	return nil
}

// seconds returns n seconds, and about 200 years at most, so that they fit.
func seconds(n float64) time.Duration {
	const most = 2 * float64(maxTime)
	return time.Duration(max(-most, min(n*float64(time.Second), most)))
}
