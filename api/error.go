package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/moneykit/moneykit-go/auth"
	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/internal/transport"
)

// What an [*Error] can be asked for with errors.Is. Each but ErrOutcomeUnknown stands for an error_code of the
// contract. ErrUnauthorized, ErrValidation and ErrRateLimited also stand for their status when the answer had no code.
var (
	// ErrUnauthorized: 401, api_error.auth.unauthorized. The token, or the client credentials, are not known.
	ErrUnauthorized = errors.New("unauthorized")
	// ErrTokenExpired: 401, api_error.auth.expired_access_token, and there was no other token to be had.
	ErrTokenExpired = errors.New("access token expired")
	// ErrForbiddenConfig: 403, link_session_error.forbidden_config, such as a redirect URI that is not registered.
	ErrForbiddenConfig = errors.New("forbidden by the application's configuration")
	// ErrInvalidTokenExchange: 400, link_session_error.invalid_token_exchange. The exchangeable token is unknown, has
	// expired or was used before.
	ErrInvalidTokenExchange = errors.New("invalid token exchange")
	// ErrValidation: 422, api_error.request.validation_failed; see [Error.ValidationErrors].
	ErrValidation = errors.New("validation failed")
	// ErrRateLimited: 429, api_error.rate_limit_exceeded; see [Error.RetryAfter].
	ErrRateLimited = errors.New("rate limit exceeded")
	// ErrOutcomeUnknown: an exchange may have taken place, but its answer did not arrive whole; see
	// [Client.ExchangeToken] for what to do.
	ErrOutcomeUnknown = errors.New("outcome unknown")
)

const (
	codeValidation      = "api_error.request.validation_failed"
	codeInvalidExchange = "link_session_error.invalid_token_exchange"
)

// sentinels has, for each sentinel, its error_code and the status that stands for it when there is no code.
var sentinels = []struct {
	err    error
	code   string
	status int
}{
	{ErrUnauthorized, "api_error.auth.unauthorized", http.StatusUnauthorized},
	{ErrTokenExpired, "api_error.auth.expired_access_token", 0},
	{ErrForbiddenConfig, "link_session_error.forbidden_config", 0},
	{ErrInvalidTokenExchange, codeInvalidExchange, 0},
	{ErrValidation, codeValidation, http.StatusUnprocessableEntity},
	{ErrRateLimited, "api_error.rate_limit_exceeded", http.StatusTooManyRequests},
}

// An Error says why a call failed. StatusCode tells the kinds apart: it is the answer's status, or 0 when there was
// no answer, and errors.Is and errors.As then find the cause, such as a [net.Error], an [auth.Error] or
// [context.Canceled]. An Error prints no secret of the request, and neither Header nor Body.
type Error struct {
	// Op is the contract's operationId.
	Op string
	// StatusCode is the answer's HTTP status, 0 for no answer, or 422 for a request that was not sent because a
	// required field is empty.
	StatusCode int
	// Code is the answer's error_code, and empty when the answer was not MoneyKit's.
	Code string
	// Message is the answer's error_message.
	Message string
	// DocumentationURL is where to read more, if MoneyKit says so.
	DocumentationURL string
	// ValidationErrors has, for a 422, an entry per fault.
	ValidationErrors []gen.ValidationError
	// RetryAfter is how long to wait before the next try, if the answer says so, or the token endpoint's.
	RetryAfter time.Duration
	// RequestID is the answer's X-Request-Id.
	RequestID string
	// Header is the answer's header.
	Header http.Header `json:"-"`
	// Body is the answer's body as far as it was read. It may hold secrets, so it is not printed.
	Body []byte `json:"-"`

	place string // host and path of the operation
	err   error  // the cause, when the answer does not say it
	fate  fate
}

// A fate is what is to become of a call that failed.
type fate int

const (
	final      fate = iota // repeating it would change nothing
	repeatable             // repeating it breaks nothing, and may help
	unknown                // it may have been carried out, and must not be carried out twice
)

// maxFaults is how many ValidationErrors are printed.
const maxFaults = 10

// Error says what failed, where (host and path) and why.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("moneykit")
	if e.Op != "" {
		b.WriteString(": " + e.Op)
	}
	if e.place != "" {
		b.WriteString(": POST " + e.place)
	}
	if e.StatusCode != 0 {
		b.WriteString(": " + strings.TrimSpace(fmt.Sprint(e.StatusCode, " ", http.StatusText(e.StatusCode))))
	}
	for _, s := range []string{e.Code, e.Message} {
		if s != "" {
			b.WriteString(": " + s)
		}
	}
	for i, v := range e.ValidationErrors {
		sep := "; "
		if i == 0 {
			sep = ": "
		} else if i == maxFaults {
			fmt.Fprintf(&b, "; and %d more", len(e.ValidationErrors)-i)
			break
		}
		b.WriteString(sep + transport.Clean(location(v.Location)) + ": " + v.Message)
	}
	if e.err != nil {
		b.WriteString(": " + e.err.Error())
	}
	if e.fate == unknown {
		b.WriteString(": " + ErrOutcomeUnknown.Error())
	}
	if b.Len() == len("moneykit") {
		b.WriteString(": unspecified error")
	}
	return b.String()
}

// location renders the way to a field as body.link_tags[1].
func location(items []any) string {
	var b strings.Builder
	for _, item := range items {
		if name, ok := item.(string); !ok {
			fmt.Fprintf(&b, "[%v]", item)
		} else if b.Len() == 0 {
			b.WriteString(name)
		} else {
			b.WriteString("." + name)
		}
	}
	return b.String()
}

// Unwrap returns the cause, if it is something other than the answer.
func (e *Error) Unwrap() error { return e.err }

// Is tells whether target is a sentinel of this package that stands for e. Where there was no token, it is the token
// endpoint's answer that counts.
func (e *Error) Is(target error) bool {
	if target == ErrOutcomeUnknown {
		return e.fate == unknown
	}
	code, status := e.Code, e.StatusCode
	if a := (*auth.Error)(nil); status == 0 && errors.As(e.err, &a) {
		code, status = a.Code, a.StatusCode
	}
	for _, s := range sentinels {
		if s.err == target {
			return code == s.code || code == "" && status != 0 && status == s.status
		}
	}
	return false
}

// Format prints what the method Error returns, for every verb and also for an Error that is no pointer.
func (e Error) Format(f fmt.State, verb rune) {
	text := e.Error()
	if verb == 'q' {
		text = strconv.Quote(text)
	}
	_, _ = io.WriteString(f, text)
}

// LogValue has what is worth logging, and neither Header nor Body.
func (e Error) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("operation", e.Op),
		slog.Int("status", e.StatusCode),
		slog.String("code", e.Code),
		slog.String("request_id", e.RequestID),
		slog.String("error", e.Error()),
	)
}

// read fills e from an error body that MoneyKit promises. Any other body leaves e as it is: the status decides.
func (e *Error) read(secrets ...string) {
	var body gen.HTTPValidationError
	err := json.Unmarshal(transport.TrimBOM(e.Body), &body)
	if err != nil && !errors.As(err, new(*json.UnmarshalTypeError)) { // a field of another type leaves the others as they are
		return
	}
	clean := func(s string) string { return transport.Clean(s, secrets...) }
	if e.Code = body.ErrorCode; !isKnown(e.Code) { // a known one is no secret, and must stay known
		e.Code = clean(e.Code)
	}
	e.Message, e.DocumentationURL = clean(body.ErrorMessage), clean(body.DocumentationURL)
	e.ValidationErrors = body.ValidationErrors
	for i := range e.ValidationErrors {
		v := &e.ValidationErrors[i]
		v.Message, v.Type = clean(v.Message), clean(v.Type)
		for j, item := range v.Location {
			switch item := item.(type) {
			case float64: // an index
			case string:
				v.Location[j] = clean(item)
			default:
				v.Location[j] = clean(fmt.Sprint(item))
			}
		}
	}
}

func isKnown(code string) bool {
	for _, s := range sentinels {
		if s.code == code {
			return true
		}
	}
	return false
}
