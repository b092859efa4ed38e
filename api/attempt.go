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

// A doer is the gen.HttpRequestDoer of one call: it sends the request of each attempt once and judges the result.
type doer struct {
	settings
	client     *Client
	generated  gen.Client // sends through the doer
	op         string
	idempotent bool
	secret     string
	rejected   string // the Authorization header that got a 401
	decode     func(body []byte) (ok bool, err error)
	ownInfo    HTTPInfo // for callers who pass none

	lastAttempt
}

type lastAttempt struct {
	start          time.Time
	request        *http.Request // nil if none was sent
	authorization  string
	upload         *upload        // nil if the operation is idempotent
	maybeProcessed bool           // whatever the response, the server may have processed the request
	response       *http.Response // nil if there was none
	body           []byte
	readErr        error // why the body is not complete
}

const bearerPrefix = "Bearer "

var _ gen.HttpRequestDoer = (*doer)(nil)

// errSameToken is returned by Do instead of sending a token that was rejected already.
var errSameToken = errors.New("there is no other token")

// Do sends r once, through the Transport: an http.Client would do no more than to follow redirects.
func (d *doer) Do(r *http.Request) (*http.Response, error) {
	d.authorization = r.Header.Get("Authorization")
	if d.rejected != "" && d.authorization == d.rejected {
		return nil, errSameToken
	}
	if err := transport.CheckScheme(r.URL, d.client.insecureHTTP); err != nil { // an editor may have changed it
		return nil, err
	}
	parent := r.Context()
	ctx, cancel := context.WithTimeout(parent, d.timeout)
	defer cancel()
	if ctx.Err() != nil { // not every transport looks
		return nil, d.withContextError(ctx, parent, ctx.Err())
	}
	if !d.idempotent {
		d.upload = new(upload)
		ctx = d.upload.trace(ctx)
	}
	r = r.WithContext(ctx)
	// With GetBody, net/http sends a request again of which a kept HTTP/1.1 connection took nothing. Over HTTP/2 it would do so
	// outside of RetryPolicy, and even after a reset that leaves open whether the request was processed.
	http1 := d.client.http1.Load()
	if !http1 {
		r.GetBody = nil
	}
	if d.upload != nil {
		if err := d.upload.attach(r, d.client.transport, http1); err != nil {
			return nil, fmt.Errorf("reading the request body: %w", err)
		}
	}
	d.request, d.start = r, time.Now()
	d.info.Attempts++
	res, err := transport.RoundTrip(d.client.transport, r)
	if err != nil {
		d.maybeProcessed = d.upload == nil || d.upload.maybeProcessed(err)
		return nil, d.withContextError(ctx, parent, err)
	}
	defer res.Body.Close()
	d.client.http1.Store(res.ProtoMajor == 1)
	d.response, d.info.StatusCode, d.info.Header = res, res.StatusCode, res.Header
	if d.body, err = readBody(res, d.client.maxBody); err != nil {
		d.readErr = d.withContextError(ctx, parent, err)
	}
	d.maybeProcessed = d.upload != nil && d.upload.repeated()
	return res, nil
}

// withContextError adds to err why ctx, which is parent with the timeout of an attempt, ended.
func (d *doer) withContextError(ctx, parent context.Context, err error) error {
	err = transport.WithContextError(ctx, err)
	if ctx.Err() != nil && parent.Err() == nil {
		return fmt.Errorf("%w after %v (see WithTimeout)", err, d.timeout)
	}
	return err
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
func (d *doer) result(ctx context.Context, err error) (e *Error, f failure) {
	var incomplete error
	switch {
	case d.request == nil:
		e, f = d.notSent(err)
	case d.response == nil:
		e, f = d.newError(err), failure{maybeProcessed: d.maybeProcessed, transient: true}
	default:
		e, f, incomplete = d.ofResponse()
	}
	if !errors.Is(err, errSameToken) {
		d.log(ctx, e, incomplete)
	}
	return e, f
}

// notSent judges an error of an editor, which may be the token source's, or of building the request.
func (d *doer) notSent(err error) (*Error, failure) {
	e := &Error{Op: d.op, Attempts: d.info.Attempts, request: "not sent to " + d.client.hostPath(),
		err: transport.NewRedactor(d.secret).CleanError(err)}
	if t := (*auth.Error)(nil); errors.As(err, &t) && t.Temporary() {
		e.RetryAfter = t.RetryAfter
		return e, failure{transient: true}
	}
	return e, failure{}
}

func (d *doer) ofResponse() (e *Error, f failure, incomplete error) {
	status := d.response.StatusCode
	f = failureOf(status)
	f.maybeProcessed = f.maybeProcessed || d.maybeProcessed
	cause := d.readErr
	switch status / 100 {
	case 2:
		ok, err := d.decode(d.body)
		if ok {
			return nil, f, errors.Join(err, d.readErr)
		}
		if cause == nil {
			cause = fmt.Errorf("unexpected response body: %w", err)
		} else {
			f.transient = !errors.Is(cause, errTooLong)
		}
	case 3:
		cause = errors.New("redirects are not followed with a token; check the base URL")
	}
	e = d.newError(cause)
	e.read(d.response, d.body, d.redactor())
	return e, f, nil
}

func (d *doer) newError(cause error) *Error {
	if cause != nil {
		cause = d.redactor().CleanError(cause)
	}
	return &Error{Op: d.op, Attempts: d.info.Attempts, err: cause,
		request: d.request.Method + " " + transport.HostPath(d.request.URL)}
}

func (d *doer) redactor() transport.Redactor {
	return transport.NewRedactor(strings.TrimPrefix(d.authorization, bearerPrefix), d.secret)
}

// log logs the attempt. incomplete is the part of a success that could not be read.
func (d *doer) log(ctx context.Context, e *Error, incomplete error) {
	if d.client.logger == nil {
		return
	}
	redactor := d.redactor()
	attrs := []slog.Attr{
		slog.String("operation", d.op),
		slog.Int("attempt", d.info.Attempts),
		slog.Int("status", d.info.StatusCode),
		slog.Duration("duration", time.Since(d.start)),
		slog.String("request_id", redactor.Clean(d.info.Header.Get("X-Request-Id"))),
	}
	level := slog.LevelDebug
	if e != nil || incomplete != nil {
		level = slog.LevelWarn
	}
	if e != nil {
		attrs = append(attrs, slog.String("error", e.Error()))
	}
	if incomplete != nil {
		attrs = append(attrs, slog.String("incomplete_response", redactor.CleanError(incomplete).Error()))
	}
	d.client.logger.LogAttrs(ctx, level, "moneykit request", attrs...)
}
