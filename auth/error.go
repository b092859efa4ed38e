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

// An Error says why there is no token. It never holds a body, a header or a secret.
type Error struct {
	// StatusCode is the token endpoint's HTTP status, or 0 when it did not answer.
	StatusCode int
	// Code is MoneyKit's error_code, such as "api_error.auth.unauthorized", or the error of RFC 6749, section 5.2.
	Code string
	// Message is what the endpoint said in words.
	Message string
	// RetryAfter is how long the [Source] waits before it asks again, and answers with this error meanwhile: what
	// the endpoint's Retry-After said, up to five minutes, or the source's own backoff.
	RetryAfter time.Duration

	place string // host and path of the token endpoint
	err   error  // the cause, when no answer says it

	unreached bool // the request failed before an answer
}

// Error names the token endpoint by host and path, and says what went wrong.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("auth: token request")
	if e.place != "" {
		b.WriteString(": POST " + e.place)
	}
	if e.StatusCode != 0 {
		fmt.Fprintf(&b, ": %d %s", e.StatusCode, http.StatusText(e.StatusCode))
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

// Unwrap returns the cause, such as a network error or the error of the context that ended a wait.
func (e *Error) Unwrap() error { return e.err }

// Temporary tells whether asking again later may help: the endpoint could not be reached (in time), was too busy,
// or failed. It is false for credentials that were refused, and for what a wait's context ended.
func (e *Error) Temporary() bool {
	return e.unreached || e.StatusCode == http.StatusTooManyRequests || e.StatusCode >= 500
}

// explain makes an Error of what x/oauth2 returns, without the URL and the body that it would print: either may
// repeat a secret. It returns nil for an err that is neither an answer nor a failed request.
func explain(err error, secrets ...string) *Error {
	var answer *oauth2.RetrieveError
	var request *url.Error
	switch {
	case errors.As(err, &answer) && answer.Response != nil:
		out := &Error{StatusCode: answer.Response.StatusCode}
		out.RetryAfter, _ = transport.RetryAfter(answer.Response.Header, time.Now())
		var body struct {
			Code    string `json:"error_code"`
			Message string `json:"error_message"`
		}
		_ = json.Unmarshal(answer.Body, &body) // a proxy's page has neither, and its status says enough
		if body.Code == "" && body.Message == "" {
			body.Code, body.Message = answer.ErrorCode, answer.ErrorDescription
		}
		out.Code, out.Message = transport.Clean(body.Code, secrets...), transport.Clean(body.Message, secrets...)
		if out.StatusCode/100 == 3 {
			out.err = errors.New("a redirect, which is never followed with a secret; set the token URL to where it leads")
		}
		return out
	case errors.As(err, &request):
		return &Error{err: transport.CleanError(request.Err, secrets...), unreached: true}
	default:
		return nil
	}
}
