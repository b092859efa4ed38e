package sandbox

import (
	"encoding/json"
	"net/http"
)

// A refusal is an answer in the contract's Error shape.
type refusal struct {
	status        int
	code, message string
}

func (r refusal) Error() string { return r.code + ": " + r.message }

func writeRefusal(w http.ResponseWriter, r refusal) {
	writeJSON(w, r.status, map[string]any{"error_code": r.code, "error_message": r.message, "documentation_url": nil})
}

func writeLimited(w http.ResponseWriter, retryAfter string) {
	w.Header().Set("Retry-After", retryAfter)
	writeRefusal(w, refusal{http.StatusTooManyRequests, codeLimited, messageLimited})
}

const (
	codeLimited    = "api_error.rate_limit_exceeded"
	messageLimited = "Too many requests."
)

func writeJSON(w http.ResponseWriter, status int, body any) {
	data, err := json.Marshal(body)
	if err != nil {
		// Every body is made of strings, numbers and structs; one that is not is a bug to be seen.
		status, data = http.StatusInternalServerError, []byte(`{"error_code":"sandbox_error","error_message":"A bug in the sandbox: the answer is not JSON."}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(append(data, '\n'))
}
