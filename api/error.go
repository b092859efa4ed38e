package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/moneykit/moneykit-go/auth"
	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/internal/transport"
)

// Errors that an [*Error] matches with errors.Is. Each but ErrOutcomeUnknown stands for an error_code of the contract.
// ErrUnauthorized, ErrValidation and ErrRateLimited also stand for their status if the response has no error_code.
var (
	// ErrUnauthorized: 401, api_error.auth.unauthorized. The access token or the client credentials are not valid.
	ErrUnauthorized = errors.New("unauthorized")
	// ErrTokenExpired: 401, api_error.auth.expired_access_token, and another token, if there was one, did not help.
	ErrTokenExpired = errors.New("access token expired")
	// ErrForbiddenConfig: 403, link_session_error.forbidden_config, such as a redirect URI that is not registered.
	ErrForbiddenConfig = errors.New("forbidden by the application's configuration")
	// ErrInvalidTokenExchange: 400, link_session_error.invalid_token_exchange. The exchangeable token is unknown, has
	// expired or was exchanged before.
	ErrInvalidTokenExchange = errors.New("invalid token exchange")
	// ErrValidation: 422, api_error.request.validation_failed, or a required field is empty and nothing was sent; see
	// [Error.ValidationErrors].
	ErrValidation = errors.New("validation failed")
	// ErrRateLimited: 429, api_error.rate_limit_exceeded; see [Error.RetryAfter].
	ErrRateLimited = errors.New("rate limit exceeded")
	// ErrOutcomeUnknown: the token may have been exchanged. [Client.ExchangeToken] says what to do.
	ErrOutcomeUnknown = errors.New("outcome unknown: the token may have been exchanged")
)

// A sentinel is an error, its error_code, and the status of a response without one.
type sentinel struct {
	err    error
	code   string
	status int
}

var sentinels = []sentinel{
	{ErrUnauthorized, "api_error.auth.unauthorized", http.StatusUnauthorized},
	{ErrUnauthorized, "invalid_client", http.StatusUnauthorized}, // the token endpoint's, RFC 6749, section 5.2
	{ErrTokenExpired, "api_error.auth.expired_access_token", 0},
	{ErrForbiddenConfig, "link_session_error.forbidden_config", 0},
	{ErrInvalidTokenExchange, "link_session_error.invalid_token_exchange", 0},
	{ErrValidation, "api_error.request.validation_failed", http.StatusUnprocessableEntity},
	{ErrRateLimited, "api_error.rate_limit_exceeded", http.StatusTooManyRequests},
}

// An Error is a failed call. StatusCode is 0 if there was no response; errors.Is and errors.As then find the cause,
// such as a [net.Error], an [auth.Error] or [context.Canceled]. An Error prints no secret of the request, and neither
// Header nor Body.
type Error struct {
	// Op is the operationId in the contract.
	Op string
	// StatusCode is the HTTP status of the last attempt, 0 without a response.
	StatusCode int
	// Code is the error_code of the response, empty if its body is not MoneyKit's.
	Code string
	// Message is the error_message of the response.
	Message string
	// DocumentationURL is where to read more, if MoneyKit says so.
	DocumentationURL string
	// ValidationErrors are the invalid fields of a request, 100 at most, and none if they exceed 64 KiB.
	ValidationErrors []gen.ValidationError
	// RetryAfter is how long to wait before the next call: Retry-After of the response, or of the token endpoint's.
	RetryAfter time.Duration
	// RequestID is the X-Request-Id of the response.
	RequestID string
	// Attempts is the number of requests that were given to the Transport.
	Attempts int
	// OutcomeUnknown reports that the token may have been exchanged: the Error is [ErrOutcomeUnknown].
	OutcomeUnknown bool
	// Header is the header of the response.
	Header http.Header `json:"-"`
	// Body is as much of the response body as was read. It may contain secrets, and is not printed.
	Body []byte `json:"-"`

	request string // method, host and path
	err     error  // the cause, if there is one beside the response
}

const (
	maxFieldBytes = 64 << 10 // bytes of validation_errors that are parsed
	maxFields     = 100      // ValidationErrors that are kept
	maxLocation   = 32       // items of a location that are kept
	maxPrinted    = 10       // ValidationErrors that are printed
)

// Error says what failed, where (method, host and path) and why.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("moneykit")
	for _, s := range []string{e.Op, e.request, statusText(e.StatusCode), e.Code, strings.TrimSuffix(e.Message, ".")} {
		if s != "" {
			b.WriteString(": " + s)
		}
	}
	if e.err != nil {
		b.WriteString(": " + strings.TrimPrefix(e.err.Error(), "moneykit: "))
	}
	for i, v := range e.ValidationErrors {
		sep := "; "
		if i == 0 {
			sep = ": "
		} else if i == maxPrinted {
			fmt.Fprintf(&b, "; and %d more", len(e.ValidationErrors)-i)
			break
		}
		b.WriteString(sep + location(v.Location) + ": " + v.Message)
	}
	if e.OutcomeUnknown {
		b.WriteString(": " + ErrOutcomeUnknown.Error())
	}
	if b.Len() == len("moneykit") {
		b.WriteString(": unspecified error")
	}
	if e.Attempts > 1 {
		fmt.Fprintf(&b, " (%d attempts)", e.Attempts)
	}
	if e.RetryAfter > 0 {
		fmt.Fprintf(&b, " (retry after %v)", e.RetryAfter)
	}
	return b.String()
}

func statusText(status int) string {
	if status == 0 {
		return ""
	}
	return strings.TrimSpace(strconv.Itoa(status) + " " + http.StatusText(status))
}

// location prints the path of a field as body.link_tags[1].
func location(items []any) string {
	var b strings.Builder
	for _, item := range items {
		switch item := item.(type) {
		case string:
			if b.Len() > 0 {
				b.WriteString(".")
			}
			b.WriteString(item)
		case float64:
			fmt.Fprintf(&b, "[%.0f]", item)
		default:
			fmt.Fprintf(&b, "[%v]", item)
		}
	}
	return transport.Redactor{}.Clean(b.String())
}

// Unwrap returns the cause, if there is one beside the response.
func (e *Error) Unwrap() error { return e.err }

func (e *Error) addCause(err error) {
	if e.err != nil {
		err = fmt.Errorf("%w; %w", e.err, err)
	}
	e.err = err
}

// Is reports whether target is an error of this package that e matches. If there is no token, the response of the token
// endpoint decides.
func (e *Error) Is(target error) bool {
	if target == ErrOutcomeUnknown {
		return e.OutcomeUnknown
	}
	code, status := e.Code, e.StatusCode
	if t := (*auth.Error)(nil); errors.As(e.err, &t) {
		code, status = t.Code, t.StatusCode
	}
	for _, s := range sentinels {
		if s.err == target && (code == s.code || code == "" && status != 0 && status == s.status) {
			return true
		}
	}
	return false
}

// Format prints what Error returns, for every verb. Its receiver is no pointer, so that fmt does not print the fields of
// a copied Error.
func (e Error) Format(f fmt.State, verb rune) {
	text := e.Error()
	if verb == 'q' {
		text = strconv.Quote(text)
	}
	_, _ = io.WriteString(f, text)
}

// LogValue returns the fields that are worth logging, without Header and Body.
func (e Error) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("operation", e.Op),
		slog.Int("status", e.StatusCode),
		slog.String("code", e.Code),
		slog.String("request_id", e.RequestID),
		slog.Int("attempts", e.Attempts),
		slog.Duration("retry_after", e.RetryAfter),
		slog.String("error", e.Error()),
	)
}

// missing returns an Error if a required field is empty.
func missing(op string, required ...field) *Error {
	var e *Error
	for _, f := range required {
		if f.value != "" {
			continue
		}
		if e == nil {
			e = &Error{Op: op, err: fmt.Errorf("not sent: %w", ErrValidation)}
		}
		v := gen.ValidationError{Location: []any{"body"}, Message: "field required", Type: "value_error.missing"}
		for name := range strings.SplitSeq(f.path, ".") {
			v.Location = append(v.Location, name)
		}
		e.ValidationErrors = append(e.ValidationErrors, v)
	}
	return e
}

// read fills e from a response. A body that is not an error of the contract leaves what the status says.
func (e *Error) read(res *http.Response, data []byte, redactor transport.Redactor) {
	e.StatusCode, e.Header, e.Body = res.StatusCode, res.Header, data
	e.RequestID = redactor.Clean(res.Header.Get("X-Request-Id"))
	e.RetryAfter, _ = transport.RetryAfter(res.Header, time.Now())
	if res.StatusCode < 400 {
		return
	}
	var body struct {
		gen.HTTPValidationError
		ValidationErrors json.RawMessage `json:"validation_errors"`
	}
	err := json.Unmarshal(transport.TrimBOM(data), &body)
	if err != nil && !errors.As(err, new(*json.UnmarshalTypeError)) { // a field of another type leaves the others as they are
		return
	}
	e.Code = body.ErrorCode
	if known := func(s sentinel) bool { return s.code == e.Code }; !slices.ContainsFunc(sentinels, known) { // a known code is no secret
		e.Code = redactor.Clean(e.Code)
	}
	e.Message, e.DocumentationURL = redactor.Clean(body.ErrorMessage), redactor.Clean(body.DocumentationURL)
	var fields []gen.ValidationError
	if len(body.ValidationErrors) <= maxFieldBytes {
		_ = json.Unmarshal(body.ValidationErrors, &fields)
	}
	for _, v := range fields[:min(len(fields), maxFields)] {
		v.Message, v.Type = redactor.Clean(v.Message), redactor.Clean(v.Type)
		v.Location = slices.Clone(v.Location[:min(len(v.Location), maxLocation)])
		for i, item := range v.Location {
			if _, isIndex := item.(float64); !isIndex {
				v.Location[i] = redactor.Clean(fmt.Sprint(item))
			}
		}
		e.ValidationErrors = append(e.ValidationErrors, v)
	}
}
