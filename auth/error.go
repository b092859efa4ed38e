package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/moneykit/moneykit-go/internal/transport"
)

// An Error is the failure to get a token. It contains no body, no header and no secret.
type Error struct {
	// StatusCode is the HTTP status of the token endpoint, 0 without a response.
	StatusCode int
	// Code is MoneyKit's error_code, such as api_error.auth.unauthorized, or the error of RFC 6749, section 5.2.
	Code string
	// Message is the error_message or error_description of the response.
	Message string
	// RetryAfter is how long the [Source] waits before its next request, and returns this error meanwhile: the
	// response's Retry-After (five minutes at most) or the backoff, plus jitter of up to half of it.
	RetryAfter time.Duration

	endpoint  string // host and path of the token endpoint
	err       error  // the cause, when there is no error response
	temporary bool   // no response, or not all of one
}

// Error names the token endpoint by host and path, and says what went wrong.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("moneykit: token request")
	if e.endpoint != "" {
		b.WriteString(": POST " + e.endpoint)
	}
	if e.StatusCode != 0 {
		b.WriteString(strings.TrimRight(fmt.Sprintf(": %d %s", e.StatusCode, http.StatusText(e.StatusCode)), " "))
	}
	for _, s := range []string{e.Code, e.Message} {
		if s != "" {
			b.WriteString(": " + s)
		}
	}
	if e.err != nil {
		b.WriteString(": " + e.err.Error())
	}
	return b.String()
}

// Unwrap returns the cause, such as a network error or the error of a context.
func (e *Error) Unwrap() error { return e.err }

// Temporary reports whether a later request may succeed: there was no response, or its connection broke, or it was a
// 429 or a 5xx. It is false for rejected credentials, and for a caller whose context ended while it waited.
func (e *Error) Temporary() bool {
	return e.temporary || e.StatusCode == http.StatusTooManyRequests || e.StatusCode >= 500
}

// explain makes an Error of what x/oauth2 returned, without the URL and the body that it prints: both may repeat a secret.
func explain(err error, redactor transport.Redactor) *Error {
	var response *oauth2.RetrieveError
	var request *url.Error
	switch {
	case errors.As(err, &response) && response.Response != nil:
		return ofResponse(response, redactor)
	case errors.As(err, &request):
		return &Error{err: redactor.CleanError(request.Err), temporary: true}
	case strings.HasPrefix(err.Error(), "oauth2: "): // it may quote the body
		return &Error{err: errors.New("unexpected response body; want a token response (RFC 6749, section 5.1) of at most 1 MiB")}
	default:
		return &Error{err: redactor.CleanError(err)}
	}
}

// ofResponse makes an Error of a response that is no success.
func ofResponse(response *oauth2.RetrieveError, redactor transport.Redactor) *Error {
	e := &Error{StatusCode: response.Response.StatusCode}
	e.RetryAfter, _ = transport.RetryAfter(response.Response.Header, time.Now())
	var body struct {
		Code    string `json:"error_code"`
		Message string `json:"error_message"`
	}
	_ = json.Unmarshal(transport.TrimBOM(response.Body), &body) // anything else, such as a proxy's page, leaves the status
	if body.Code == "" && body.Message == "" {
		body.Code, body.Message = response.ErrorCode, response.ErrorDescription
	}
	e.Code, e.Message = redactor.Clean(body.Code), redactor.Clean(body.Message)
	if e.StatusCode/100 == 3 {
		e.err = errors.New("redirects are not followed with a secret; set the token URL to the address it redirects to")
	}
	return e
}
