package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/moneykit/moneykit-go/auth"
	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/internal/transport"
)

// An attempt is the gen.HttpRequestDoer of one call: it sends the request of each attempt once and judges the result.
type attempt struct {
	settings
	client     *Client
	generated  gen.Client // sends through the attempt
	op         string
	idempotent bool
	secret     string
	rejected   string // the Authorization header that got a 401
	decode     func(body []byte) (ok bool, err error)
	ownInfo    HTTPInfo // for callers who pass none

	sent
}

// sent is what is known of the latest attempt.
type sent struct {
	start         time.Time
	request       *http.Request // nil if none was sent
	authorization string
	upload        *upload        // nil if the operation is idempotent
	processed     bool           // without a response: the server may have processed the request
	response      *http.Response // nil if there was none
	body          []byte
	readErr       error // why the body is not complete
}

const bearerPrefix = "Bearer "

var _ gen.HttpRequestDoer = (*attempt)(nil)

// errSameToken is returned by Do instead of sending a token that was rejected already.
var errSameToken = errors.New("there is no other token")

func (a *attempt) reset() { a.sent = sent{} }

// Do sends r once, through the Transport: an http.Client would do no more than to follow redirects.
func (a *attempt) Do(r *http.Request) (*http.Response, error) {
	a.authorization = r.Header.Get("Authorization")
	if a.rejected != "" && a.authorization == a.rejected {
		return nil, errSameToken
	}
	if err := transport.CheckScheme(r.URL, a.client.insecureHTTP); err != nil { // an editor may have changed it
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), a.timeout)
	defer cancel()
	if ctx.Err() != nil { // not every transport looks
		return nil, transport.ContextError(ctx)
	}
	if !a.idempotent {
		a.upload = new(upload)
		ctx = a.upload.trace(ctx)
	}
	r = r.WithContext(ctx)
	// With GetBody, net/http sends a request again of which a kept HTTP/1.1 connection took nothing. Over HTTP/2 it would also
	// do so after a reset that leaves open whether the request was processed, and not say which reset it was.
	http1 := a.client.http1.Load()
	if !http1 {
		r.GetBody = nil
	}
	if a.upload != nil {
		if err := a.upload.attach(r, a.client.transport, http1); err != nil {
			return nil, fmt.Errorf("reading the request body: %w", err)
		}
	}
	a.request, a.start = r, time.Now()
	a.info.Attempts++
	a.info.StatusCode, a.info.Header = 0, nil
	res, err := transport.RoundTrip(a.client.transport, r)
	if err != nil {
		a.processed = a.upload == nil || a.upload.mayBeProcessed(err)
		return nil, transport.WithContextError(ctx, err)
	}
	defer res.Body.Close()
	a.client.http1.Store(res.ProtoMajor == 1)
	a.response, a.info.StatusCode, a.info.Header = res, res.StatusCode, res.Header
	if a.body, err = readBody(res, a.client.maxBody); err != nil {
		a.readErr = transport.WithContextError(ctx, err)
	}
	return res, nil
}

// readBody reads at most limit bytes. What was read comes with the error.
func readBody(res *http.Response, limit int64) ([]byte, error) {
	var buf bytes.Buffer
	buf.Grow(int(max(0, min(res.ContentLength, limit, DefaultMaxBodySize))) + bytes.MinRead) // MinRead: the end is seen without growing
	_, err := buf.ReadFrom(io.LimitReader(res.Body, limit+1))
	if int64(buf.Len()) > limit {
		buf.Truncate(int(limit))
		return buf.Bytes(), fmt.Errorf("%w than %d bytes (see WithMaxBodySize)", errTooLong, limit)
	}
	if err != nil {
		return buf.Bytes(), fmt.Errorf("the connection broke within the response: %w", err)
	}
	return buf.Bytes(), nil
}

var errTooLong = errors.New("the response body is longer")

// result judges an attempt that the generated client ended with err. It returns no Error for a success.
func (a *attempt) result(ctx context.Context, err error) (e *Error, f failure) {
	var incomplete error
	switch {
	case a.request == nil:
		return a.notSent(err)
	case a.response == nil:
		e, f = a.newError(ctx, err), failure{processed: a.processed, transient: true}
	default:
		e, f, incomplete = a.ofResponse(ctx)
	}
	a.log(ctx, e, incomplete)
	return e, f
}

// notSent judges an error of an editor, which may be the token source's, or of building the request.
func (a *attempt) notSent(err error) (*Error, failure) {
	e := &Error{Op: a.op, Attempts: a.info.Attempts, request: "not sent to " + a.client.hostPath(),
		err: transport.NewRedactor(a.secret).CleanError(err)}
	if t := (*auth.Error)(nil); errors.As(err, &t) && t.Temporary() {
		e.RetryAfter = t.RetryAfter
		return e, failure{transient: true}
	}
	return e, failure{}
}

func (a *attempt) ofResponse(ctx context.Context) (e *Error, f failure, incomplete error) {
	status := a.response.StatusCode
	f = failureOf(status)
	cause := a.readErr
	switch status / 100 {
	case 2:
		ok, err := a.decode(a.body)
		if ok {
			return nil, f, errors.Join(err, a.readErr)
		}
		if cause == nil {
			cause = fmt.Errorf("unexpected response body: %w", err)
		} else {
			f.transient = !errors.Is(cause, errTooLong)
		}
	case 3:
		cause = errors.New("redirects are not followed with a token; check the base URL")
	}
	e = a.newError(ctx, cause)
	e.read(a.response, a.body, a.redactor())
	return e, f, nil
}

func (a *attempt) newError(ctx context.Context, cause error) *Error {
	if cause != nil {
		timedOut := errors.Is(cause, context.DeadlineExceeded) && ctx.Err() == nil
		if cause = a.redactor().CleanError(cause); timedOut {
			cause = fmt.Errorf("%w after %v (see WithTimeout)", cause, a.timeout)
		}
	}
	return &Error{Op: a.op, Attempts: a.info.Attempts, err: cause,
		request: a.request.Method + " " + transport.HostPath(a.request.URL)}
}

func (a *attempt) redactor() transport.Redactor {
	return transport.NewRedactor(strings.TrimPrefix(a.authorization, bearerPrefix), a.secret)
}

// log logs the attempt. incomplete is the part of a success that could not be read.
func (a *attempt) log(ctx context.Context, e *Error, incomplete error) {
	if a.client.logger == nil {
		return
	}
	redactor := a.redactor()
	attrs := []slog.Attr{
		slog.String("operation", a.op),
		slog.Int("attempt", a.info.Attempts),
		slog.Int("status", a.info.StatusCode),
		slog.Duration("duration", time.Since(a.start)),
		slog.String("request_id", redactor.Clean(a.info.Header.Get("X-Request-Id"))),
	}
	level := slog.LevelDebug
	if e != nil || incomplete != nil {
		level = slog.LevelWarn
	}
	if incomplete != nil {
		attrs = append(attrs, slog.String("incomplete_response", redactor.CleanError(incomplete).Error()))
	}
	a.client.logger.LogAttrs(ctx, level, "moneykit request", attrs...)
}
