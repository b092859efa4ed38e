package sandbox

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"
)

// What the methods of a Sandbox do, over HTTP.

func (s *Sandbox) serveComplete(w http.ResponseWriter, r *http.Request) {
	var body struct {
		LinkSessionToken string `json:"link_session_token"`
	}
	if !readControl(w, r, &body) {
		return
	}
	exchangeable, err := s.Complete(body.LinkSessionToken)
	if refused := (refusal{}); errors.As(err, &refused) {
		writeRefusal(w, refused)
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"exchangeable_token": exchangeable})
}

func (s *Sandbox) serveFail(w http.ResponseWriter, r *http.Request) {
	body := struct {
		Operation    Operation         `json:"operation"`
		Times        int               `json:"times"`
		Status       int               `json:"status"`
		Body         string            `json:"body"`
		Header       map[string]string `json:"header"`
		DelaySeconds float64           `json:"delay_seconds"`
		Drop         bool              `json:"drop"`
		After        bool              `json:"after"`
	}{Times: 1}
	if !readControl(w, r, &body) {
		return
	}
	header := http.Header{}
	for name, value := range body.Header {
		header.Set(name, value)
	}
	err := s.Fail(body.Operation, body.Times, Fault{
		Status: body.Status,
		Body:   body.Body,
		Header: header,
		Delay:  seconds(body.DelaySeconds),
		Drop:   body.Drop,
		After:  body.After,
	})
	if err != nil {
		writeRefusal(w, invalidControl(err.Error()))
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Sandbox) serveAdvance(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Seconds float64 `json:"seconds"`
	}
	if !readControl(w, r, &body) {
		return
	}
	if !(body.Seconds > 0) {
		writeRefusal(w, invalidControl("seconds must be greater than zero"))
		return
	}
	s.Advance(seconds(body.Seconds))
	w.WriteHeader(http.StatusNoContent)
}

func (s *Sandbox) serveLinks(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"links": s.Links()})
}

func (s *Sandbox) serveRequests(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"requests": s.Requests()})
}

// seconds is n seconds, and 30 years at most, so that they fit.
func seconds(n float64) time.Duration {
	const most = 30 * 365 * 24 * 3600
	return time.Duration(max(-most, min(n, most)) * float64(time.Second))
}

// readControl reads the JSON body of a /sandbox/ request, whatever its Content-Type says.
func readControl(w http.ResponseWriter, r *http.Request, into any) bool {
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	if err == nil {
		return true
	}
	message := "the body must be a JSON object: " + err.Error()
	if errors.Is(err, io.EOF) {
		message = "the body is empty; it must be a JSON object"
	}
	writeRefusal(w, invalidControl(message))
	return false
}

func invalidControl(message string) refusal {
	return refusal{http.StatusUnprocessableEntity, "sandbox_error.invalid_request", message}
}
