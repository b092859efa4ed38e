package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/moneykit/moneykit-go/auth"
	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/internal/transport"
)

// attempt sends the request once, with tok on it, and counts and logs that.
func (op *operation[Req, Res]) attempt(ctx context.Context, c *Client, req *Req, payload []byte, tok *auth.Token, info *HTTPInfo) (*Res, *Error) {
	info.StatusCode, info.Header = 0, nil
	info.Attempts++
	var start time.Time
	if c.logger != nil {
		start = time.Now()
	}
	limited, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	out, e := op.send(limited, c, req, payload, tok, info)
	if e != nil && errors.Is(e.err, context.DeadlineExceeded) && ctx.Err() == nil {
		e.err = fmt.Errorf("%w after %v (see WithTimeout)", e.err, c.timeout)
	}
	if c.logger != nil {
		level := slog.LevelDebug
		if e != nil {
			level = slog.LevelWarn
		}
		c.logger.LogAttrs(ctx, level, "moneykit request",
			slog.String("operation", op.id),
			slog.Int("attempt", info.Attempts),
			slog.Int("status", info.StatusCode),
			slog.Duration("duration", time.Since(start)),
			slog.String("request_id", requestID(info.Header, tok.Value(), op.secret(req))))
	}
	return out, e
}

// send sends the request and reads the answer.
func (op *operation[Req, Res]) send(ctx context.Context, c *Client, req *Req, payload []byte, tok *auth.Token, info *HTTPInfo) (*Res, *Error) {
	r, up := op.prepare(ctx, payload)
	tok.SetAuthHeader(r)
	body := r.Body
	for _, edit := range c.editors {
		if err := edit(ctx, r); err != nil {
			return nil, op.fail(final, fmt.Errorf("request editor: %w", err))
		}
	}
	if r.Body != body { // an editor's own
		r.GetBody = nil
		up.replaced = true
	}
	for _, key := range []string{"Idempotency-Key", "X-Idempotency-Key"} {
		if _, ok := r.Header[key]; ok { // net/http would repeat the request by itself, and MoneyKit knows no such key
			r.GetBody = nil
		}
	}
	if err := transport.CheckScheme(r.URL); err != nil { // an editor's own, too
		return nil, op.fail(final, fmt.Errorf("request editor: %w", err))
	}
	if ctx.Err() != nil {
		return nil, op.fail(final, transport.ContextError(ctx))
	}
	// http.Client, whose work is to follow redirects, would do more than send the request once.
	answer, err := transport.RoundTrip(c.transport, r)
	if err != nil {
		err = transport.CleanError(err, tok.Value(), op.secret(req))
		fate := op.ambiguous()
		if fate == unknown && up.unsent(err) {
			fate = repeatable
		}
		return nil, op.fail(fate, err)
	}
	defer answer.Body.Close()
	info.StatusCode, info.Header = answer.StatusCode, answer.Header
	data, err := readAnswer(answer, c.maxBody)
	if answer.StatusCode/100 == 2 && err == nil {
		out := new(Res)
		if err = op.decode(data, out); err == nil {
			return out, nil
		}
	}
	return nil, op.refusal(answer, data, err, tok.Value(), op.secret(req))
}

// prepare makes the request of one attempt.
func (op *operation[Req, Res]) prepare(ctx context.Context, payload []byte) (*http.Request, *upload) {
	up := newUpload(payload)
	if !op.idempotent {
		ctx = up.trace(ctx)
	}
	r := op.request.Clone(ctx)
	r.Body, r.GetBody = io.NopCloser(&up.first), up.again
	r.ContentLength = int64(len(payload))
	return r, up
}

// decode reads a success. Its errors are about the text, not the way it came.
func (op *operation[Req, Res]) decode(data []byte, out *Res) error {
	if len(data) == 0 {
		return errors.New("the answer has no body")
	}
	if err := json.Unmarshal(transport.TrimBOM(data), out); err != nil {
		return fmt.Errorf("the answer is not what the contract says: %w", err)
	}
	if err := op.complete(out); err != nil {
		return fmt.Errorf("the answer is not what the contract says: %w", err)
	}
	return nil
}

// refusal makes an Error of an answer that is no success. The status decides; err is what went wrong with the body.
func (op *operation[Req, Res]) refusal(answer *http.Response, data []byte, err error, secrets ...string) *Error {
	e := op.fail(final, nil)
	e.StatusCode, e.Header, e.Body = answer.StatusCode, answer.Header, data
	e.RequestID = requestID(answer.Header, secrets...)
	var told bool
	e.RetryAfter, told = transport.RetryAfter(answer.Header, time.Now())
	if err != nil {
		e.err = transport.CleanError(err, secrets...)
	}
	switch s := e.StatusCode; {
	case s/100 == 2 && errors.Is(err, errBroken):
		e.fate = op.ambiguous()
	case s/100 == 2, s == http.StatusSeeOther:
		e.fate = op.doubtful()
	case s == http.StatusTooManyRequests, s == http.StatusServiceUnavailable && told:
		e.fate = repeatable
	case s == http.StatusBadGateway, s == http.StatusServiceUnavailable, s == http.StatusGatewayTimeout:
		e.fate = op.ambiguous()
	case s >= 500, s < 200:
		e.fate = op.doubtful()
	}
	if s := e.StatusCode / 100; s == 3 {
		e.err = errors.New("a redirect, which is never followed with a token; check the base URL")
	} else if s != 2 && err == nil {
		e.read(secrets...)
	}
	return e
}

// ambiguous is the fate of a call that may have been carried out, when a repeat may help.
func (op *operation[Req, Res]) ambiguous() fate {
	if op.idempotent {
		return repeatable
	}
	return unknown
}

// doubtful is the fate of a call that may have been carried out, when a repeat would hardly help.
func (op *operation[Req, Res]) doubtful() fate {
	if op.idempotent {
		return final
	}
	return unknown
}

// fail makes an Error that no answer stands behind.
func (op *operation[Req, Res]) fail(f fate, err error) *Error {
	return &Error{Op: op.id, place: transport.Place(op.request.URL), err: err, fate: f}
}

// noToken makes an Error of what a token source returned.
func (op *operation[Req, Res]) noToken(err error) *Error {
	e := op.fail(final, err)
	if a := (*auth.Error)(nil); errors.As(err, &a) {
		if a.Temporary() {
			e.fate, e.RetryAfter = repeatable, a.RetryAfter
		}
	}
	return e
}

// incomplete makes an Error as the server would, if a required field of req is empty.
func (op *operation[Req, Res]) incomplete(req *Req) *Error {
	fields := op.missing(req)
	if fields == nil {
		return nil
	}
	e := op.fail(final, nil)
	e.StatusCode, e.Code = http.StatusUnprocessableEntity, codeValidation
	e.Message = "the request was not sent"
	for _, f := range fields {
		e.ValidationErrors = append(e.ValidationErrors, gen.ValidationError{
			Location: f, Message: "field required", Type: "value_error.missing",
		})
	}
	return e
}

// errBroken: the connection broke or timed out within the answer.
var errBroken = errors.New("the answer broke off")

// readAnswer reads the body of an answer, which the status has not decided yet. What was read comes with the error.
func readAnswer(answer *http.Response, limit int64) ([]byte, error) {
	if answer.StatusCode == http.StatusSwitchingProtocols { // its body is the bare connection
		return nil, errors.New("the answer switches protocols, which was not asked for")
	}
	data, err := readAll(io.LimitReader(answer.Body, limit+1), min(answer.ContentLength, limit, DefaultMaxBodySize))
	if int64(len(data)) > limit {
		return data[:limit], fmt.Errorf("the answer is longer than %d bytes (see WithMaxBodySize)", limit)
	}
	if err != nil {
		return data, fmt.Errorf("%w: %w", errBroken, err)
	}
	return data, nil
}

// readAll reads r to its end. It makes room for size bytes at once, unless size is negative.
func readAll(r io.Reader, size int64) ([]byte, error) {
	if size < 0 {
		size = bytes.MinRead
	}
	data := make([]byte, 0, size+1) // one more, so that the end is seen without growing
	for {
		n, err := r.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if err == io.EOF {
			return data, nil
		}
		if err != nil {
			return data, err
		}
		if len(data) == cap(data) {
			data = slices.Grow(data, len(data))
		}
	}
}

func requestID(h http.Header, secrets ...string) string {
	return transport.Clean(h.Get("X-Request-Id"), secrets...)
}
