// Package httpapi reads the requests and writes the responses that all parts of the sandbox have in common.
package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
)

// An Error is a response in the contract's form of an error.
type Error struct {
	Status        int
	Code, Message string
	// RetryAfter is sent as Retry-After, in seconds, unless it is zero.
	RetryAfter int
}

func (e *Error) Error() string { return "moneykit: " + e.Code + ": " + e.Message }

// Invalid is the error of a request to the sandbox's own endpoints that cannot be used as it is.
func Invalid(format string, args ...any) *Error {
	return &Error{Status: http.StatusUnprocessableEntity, Code: "sandbox_error.invalid_request", Message: fmt.Sprintf(format, args...)}
}

// Internal is the error of a request that failed because of the sandbox.
func Internal(code string, err error) *Error {
	return &Error{Status: http.StatusInternalServerError, Code: code, Message: "This is a bug in the sandbox: " + err.Error()}
}

// AsError returns err itself if it is an [Error], and a 500 otherwise.
func AsError(err error) *Error {
	if e := (*Error)(nil); errors.As(err, &e) {
		return e
	}
	return Internal("sandbox_error.internal", err)
}

// WriteError writes err, which should be an [Error].
func WriteError(w http.ResponseWriter, err error) {
	e := AsError(err)
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", fmt.Sprint(e.RetryAfter))
	}
	WriteJSON(w, e.Status, map[string]any{"error_code": e.Code, "error_message": e.Message, "documentation_url": nil})
}

// WriteJSON writes body as JSON.
func WriteJSON(w http.ResponseWriter, status int, body any) {
	data, err := json.Marshal(body)
	if err != nil { // every body is made of strings, numbers and structs
		status, data = http.StatusInternalServerError, []byte(`{"error_code":"sandbox_error.internal","error_message":"This is a bug in the sandbox: the response cannot be written as JSON."}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(append(data, '\n'))
}

// ReadJSON decodes the body of a request, which must be one JSON object sent as application/json. Its error says in
// JSON's terms what is wrong.
func ReadJSON(r *http.Request, into any) error {
	if err := checkJSON(r); err != nil {
		return err
	}
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	if err == nil {
		if _, err := decoder.Token(); err != io.EOF {
			return Invalid("The body must be one JSON object, with nothing after it.")
		}
		return nil
	}
	var (
		wrongType *json.UnmarshalTypeError
		tooLarge  *http.MaxBytesError
	)
	switch {
	case errors.Is(err, io.EOF):
		return Invalid("The body is empty; it must be a JSON object.")
	case errors.As(err, &tooLarge):
		return Invalid("The body is longer than %d bytes.", tooLarge.Limit)
	case errors.As(err, &wrongType) && wrongType.Field == "":
		return Invalid("The body must be a JSON object, not a JSON %s.", wrongType.Value)
	case errors.As(err, &wrongType):
		return Invalid("The field %s has the wrong type: a JSON %s.", wrongType.Field, wrongType.Value)
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return Invalid("The field %s is unknown.", strings.Trim(name, `"`))
	}
	return Invalid("The body is not valid JSON.")
}

// CheckNoBody returns an error for a request with a body, or with a type of one, other than application/json.
func CheckNoBody(r *http.Request) error {
	if r.Header.Get("Content-Type") == "" && r.ContentLength == 0 {
		return nil
	}
	return checkJSON(r)
}

func checkJSON(r *http.Request) error {
	if mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); mediaType != "application/json" {
		return &Error{Status: http.StatusUnsupportedMediaType, Code: "sandbox_error.content_type", Message: "The body must be sent with Content-Type: application/json."}
	}
	return nil
}

// A Route is something that the sandbox serves.
type Route struct {
	Method, Path string
	// Description is the line about it at GET /. A route without one is not listed.
	Description string
	Handler     http.Handler
}
