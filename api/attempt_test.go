package api_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/auth"
	"github.com/moneykit/moneykit-go/gen"
)

// A context that ended before a request is sent is reported with its cause, whether or not the transport looks at it.
func TestContextEndsBeforeSending(t *testing.T) {
	t.Parallel()
	for _, op := range bothOps {
		cause := errors.New("shutting down")
		ctx, cancel := context.WithCancelCause(t.Context())
		rt, requests := inMemory(linkedStep)
		client := newClient(t, memoryURL, rt, api.WithRequestEditor(func(context.Context, *http.Request) error { cancel(cause); return nil }))
		_, err := do(ctx, client, op)
		if !errors.Is(err, cause) || !errors.Is(err, context.Canceled) || errors.Is(err, api.ErrOutcomeUnknown) || requests() != 0 {
			t.Errorf("%s: %v after %d requests", op, err, requests())
		}
	}
}

// A response that stalls within its body names the option that changes how long it is waited for.
func TestTimeoutWithinBody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rt, _ := inMemory(func(r *http.Request) (*http.Response, error) {
			res, err := responds(http.StatusBadRequest, "")(r)
			res.Body = io.NopCloser(stalledReader{r.Context()})
			return res, err
		})
		start := time.Now()
		_, err := do(t.Context(), newClient(t, memoryURL, rt), exchangeOp, api.WithTimeout(3*time.Second))
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "after 3s (see WithTimeout)") || time.Since(start) != 3*time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
}

// A request body that an editor replaced and that cannot be read is not sent.
func TestUnreadableRequestBody(t *testing.T) {
	t.Parallel()
	unreadable := errors.New("no such file")
	rt, requests := inMemory(linkedStep)
	client := newClient(t, memoryURL, rt, api.WithRequestEditor(func(_ context.Context, r *http.Request) error {
		r.Body = io.NopCloser(failingReader{unreadable})
		return nil
	}))
	_, err := do(t.Context(), client, exchangeOp)
	if !errors.Is(err, unreadable) || !strings.Contains(err.Error(), "reading the request body: no such file") || errors.Is(err, api.ErrOutcomeUnknown) || requests() != 0 {
		t.Errorf("%v after %d requests", err, requests())
	}
}

// The error of an editor names where the request was to go, and prints no secret of it.
func TestErrorOfEditorIsRedacted(t *testing.T) {
	t.Parallel()
	rt, _ := inMemory(linkedStep)
	client := newClient(t, memoryURL+"/mk", rt, api.WithRequestEditor(func(_ context.Context, r *http.Request) error {
		body, _ := io.ReadAll(r.Body)
		return fmt.Errorf("cannot sign %s", body)
	}))
	_, err := client.ExchangeToken(t.Context(), gen.ExchangeTokenRequest{ExchangeableToken: secretToken})
	want := `moneykit: exchange_token: not sent to localhost/mk: cannot sign {"exchangeable_token":"[redacted]"}`
	if fmt.Sprint(err) != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// A token that cannot be fetched for the second attempt ends a call of which one request was sent.
func TestAttemptsBeforeTokenFailure(t *testing.T) {
	t.Parallel()
	fetches := 0
	source := auth.FromTokenSource(tokenFunc(func() (*oauth2.Token, error) {
		if fetches++; fetches > 1 {
			return nil, errors.New("revoked")
		}
		return &oauth2.Token{AccessToken: "first-token", TokenType: "bearer"}, nil
	}))
	rt, requests := inMemory(responds(http.StatusUnauthorized, ""))
	client, err := api.New(source, api.WithBaseURL(memoryURL), api.WithHTTPClient(&http.Client{Transport: rt}))
	if err != nil {
		t.Fatal(err)
	}
	var info api.HTTPInfo
	_, err = do(t.Context(), client, exchangeOp, api.WithHTTPInfo(&info))
	var e *api.Error
	if !errors.As(err, &e) || e.Attempts != 1 || info.Attempts != 1 || requests() != 1 || !errors.As(err, new(*auth.Error)) || e.OutcomeUnknown {
		t.Errorf("%d requests, %d attempts: %+v", requests(), info.Attempts, e)
	}
}

type closeRecorder struct {
	io.Reader
	closed bool
}

func (c *closeRecorder) Close() error { c.closed = true; return nil }

// Each response body is closed, which returns the connection, and each attempt's timer is stopped.
func TestNothingOfAnAttemptIsLeft(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]io.Reader{
		"complete": strings.NewReader(linkedBody), "too long": strings.NewReader(strings.Repeat("x", 200)), "broken": failingReader{io.ErrUnexpectedEOF},
	} {
		recorder := &closeRecorder{Reader: body}
		var attempt context.Context
		rt, _ := inMemory(func(r *http.Request) (*http.Response, error) {
			attempt = r.Context()
			res, err := responds(http.StatusCreated, "")(r)
			res.Body = recorder
			return res, err
		})
		_, _ = do(t.Context(), newClient(t, memoryURL, rt, api.WithMaxBodySize(100)), exchangeOp)
		if !recorder.closed || attempt.Err() == nil {
			t.Errorf("%s: body closed: %v, context of the attempt: %v", name, recorder.closed, attempt.Err())
		}
	}
}

// An error body of just the maximum is complete; one that is longer names the option.
func TestMaxBodySizeOfErrors(t *testing.T) {
	t.Parallel()
	const body = `{"error_code":"api_error.auth.unauthorized"}`
	for limit, fits := range map[int64]bool{int64(len(body)): true, int64(len(body)) - 1: false} {
		rt, _ := inMemory(responds(http.StatusForbidden, body))
		_, err := do(t.Context(), newClient(t, memoryURL, rt, api.WithMaxBodySize(limit)), exchangeOp)
		if err == nil || strings.Contains(err.Error(), "(see WithMaxBodySize)") == fits {
			t.Errorf("%d bytes: %v", limit, err)
		}
	}
}
