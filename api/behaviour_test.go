package api_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/auth"
	"github.com/moneykit/moneykit-go/gen"
)

func TestDurationIsLogged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rt, _ := inMemory(func(r *http.Request) (*http.Response, error) {
			<-time.After(1500 * time.Millisecond)
			return linkedStep(r)
		})
		var log bytes.Buffer
		client := newClient(t, memoryURL, rt, api.WithLogger(slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))))
		if _, err := do(t.Context(), client, exchangeOp); err != nil {
			t.Fatal(err)
		}
		var line struct {
			Level    string        `json:"level"`
			Duration time.Duration `json:"duration"`
			Status   int           `json:"status"`
			Attempt  int           `json:"attempt"`
		}
		if err := json.Unmarshal(log.Bytes(), &line); err != nil || line.Duration != 1500*time.Millisecond || line.Level != "DEBUG" || line.Status != 201 || line.Attempt != 1 {
			t.Errorf("logged %s, %v", log.String(), err)
		}
	})
}

// The duration of an attempt that sent nothing is that of its editors and of the token source.
func TestDurationWithoutRequestIsLogged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rt, _ := inMemory(linkedStep)
		var log bytes.Buffer
		client := newClient(t, memoryURL, rt, api.WithLogger(slog.New(slog.NewJSONHandler(&log, nil))), api.WithRequestEditor(func(context.Context, *http.Request) error {
			<-time.After(2 * time.Second)
			return errors.New("no such tenant")
		}))
		_, err := do(t.Context(), client, exchangeOp)
		var line struct {
			Duration time.Duration `json:"duration"`
			Attempt  int           `json:"attempt"`
			Error    string        `json:"error"`
		}
		if jsonErr := json.Unmarshal(log.Bytes(), &line); jsonErr != nil || line.Duration != 2*time.Second || line.Attempt != 0 || line.Error != fmt.Sprint(err) {
			t.Errorf("logged %s, %v", log.String(), jsonErr)
		}
	})
}

// An attempt that times out names the option that changes that. The end of the caller's context does not.
func TestTimeoutNamesItsOption(t *testing.T) {
	t.Parallel()
	hang := func(r *http.Request) (*http.Response, error) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	synctest.Test(t, func(t *testing.T) {
		rt, _ := inMemory(hang)
		_, err := do(t.Context(), newClient(t, memoryURL, rt), exchangeOp)
		if err == nil || !strings.Contains(err.Error(), "after 1m0s (see WithTimeout)") || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("timeout of an attempt: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = do(ctx, newClient(t, memoryURL, rt), exchangeOp)
		if err == nil || strings.Contains(err.Error(), "WithTimeout") || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the caller's deadline: %v", err)
		}
		refused, _ := inMemory(failsUnread(errRefusedDial))
		if _, err = do(t.Context(), newClient(t, memoryURL, refused), exchangeOp); err == nil || strings.Contains(err.Error(), "WithTimeout") {
			t.Errorf("no connection: %v", err)
		}
	})
}

// An editor's error ends the call: it is not retried.
func TestFailingEditorRunsOnce(t *testing.T) {
	t.Parallel()
	for _, op := range bothOps {
		rt, requests := inMemory(linkedStep)
		runs := 0
		client := newClient(t, memoryURL, rt, api.WithRequestEditor(func(context.Context, *http.Request) error {
			runs++
			return errors.New("no such tenant")
		}))
		if _, err := do(t.Context(), client, op); err == nil || runs != 1 || requests() != 0 {
			t.Errorf("%s: the editor ran %d times, and %d requests were sent: %v", op, runs, requests(), err)
		}
	}
}

// So does a URL to which no token may be sent.
func TestUnencryptedURLIsTriedOnce(t *testing.T) {
	t.Parallel()
	rt, requests := inMemory(linkedStep)
	runs := 0
	client := newClient(t, memoryURL, rt, api.WithRequestEditor(func(_ context.Context, r *http.Request) error {
		runs++
		r.URL.Host = "api.example.com"
		return nil
	}))
	if _, err := do(t.Context(), client, createOp); err == nil || runs != 1 || requests() != 0 {
		t.Errorf("the editor ran %d times, and %d requests were sent: %v", runs, requests(), err)
	}
}

// The cause of an unreadable success is there for errors.As.
func TestUnreadableSuccessHasItsCause(t *testing.T) {
	t.Parallel()
	for _, op := range bothOps {
		rt, _ := inMemory(responds(201, "<html>"))
		_, err := do(t.Context(), newClient(t, memoryURL, rt), op)
		var syntax *json.SyntaxError
		if !errors.As(err, &syntax) {
			t.Errorf("%s: %v has no *json.SyntaxError", op, err)
		}
		rt, _ = inMemory(responds(201, `{"link_session_token":"","link":{}}`))
		if _, err = do(t.Context(), newClient(t, memoryURL, rt), op); err == nil || !strings.Contains(err.Error(), "is missing") {
			t.Errorf("%s: %v does not say what is missing", op, err)
		}
	}
}

// A success is no error of the contract, whatever it contains.
func TestNoCodeFromSuccess(t *testing.T) {
	t.Parallel()
	for _, op := range bothOps {
		rt, requests := inMemory(responds(200, `{"error_code":"api_error.rate_limit_exceeded","error_message":"m"}`))
		_, err := do(t.Context(), newClient(t, memoryURL, rt), op)
		var e *api.Error
		if !errors.As(err, &e) || e.Code != "" || e.Message != "" || errors.Is(err, api.ErrRateLimited) || requests() != 1 {
			t.Errorf("%s: %d requests: %+v", op, requests(), e)
		}
	}
}

// What arrived of a body is there, whatever the status was, and a code in a body that broke off does not count.
func TestBodyOfBrokenResponse(t *testing.T) {
	t.Parallel()
	const body = `{"error_code":"api_error.auth.unauthorized"`
	for _, status := range []int{201, 400, 403} {
		rt, _ := inMemory(func(r *http.Request) (*http.Response, error) {
			res, err := responds(status, "")(r)
			res.Body = io.NopCloser(io.MultiReader(strings.NewReader(body), failingReader{io.ErrUnexpectedEOF}))
			return res, err
		})
		_, err := do(t.Context(), newClient(t, memoryURL, rt), exchangeOp)
		var e *api.Error
		if !errors.As(err, &e) || string(e.Body) != body || e.StatusCode != status || e.Code != "" || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d: %+v with body %q", status, e, e.Body)
		}
		if errors.Is(err, api.ErrOutcomeUnknown) != (status == 201) || !strings.Contains(err.Error(), "the connection broke within the response") {
			t.Errorf("%d: %v", status, err)
		}
	}
}

// A length that a server only claims reserves no memory, however much the caller allows.
func TestClaimedLengthReservesNothing(t *testing.T) {
	t.Parallel()
	rt, _ := inMemory(func(r *http.Request) (*http.Response, error) {
		res, err := responds(201, linkedBody)(r)
		res.ContentLength = 1 << 50
		return res, err
	})
	if id, err := do(t.Context(), newClient(t, memoryURL, rt, api.WithMaxBodySize(1<<60)), exchangeOp); err != nil || id != "mk_1" {
		t.Errorf("got %q, %v", id, err)
	}
}

func TestDefaultMaxBodySizeIsOneMiB(t *testing.T) {
	t.Parallel()
	if api.DefaultMaxBodySize != 1<<20 || api.DefaultTimeout != time.Minute {
		t.Errorf("%d bytes, %v", api.DefaultMaxBodySize, api.DefaultTimeout)
	}
	for size, fits := range map[int]bool{1 << 20: true, 1<<20 + 1: false} {
		const start, end = `{"link_session_token":"s","future":"`, `"}`
		rt, _ := inMemory(responds(201, start+strings.Repeat("x", size-len(start)-len(end))+end))
		if _, err := do(t.Context(), newClient(t, memoryURL, rt), createOp); (err == nil) != fits {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

// A request that is no JSON is not sent, and so not unknown.
func TestRequestThatIsNoJSON(t *testing.T) {
	t.Parallel()
	rt, requests := inMemory(linkedStep)
	req := gen.CreateLinkSessionRequest{CustomerUser: gen.LinkSessionCustomerUser{ID: "user-42"}, RedirectURI: "https://yourdomain.com/oauth.html"}
	req.CustomerUser.Email.Address = "user@example.com"
	req.CustomerUser.Email.CustomerVerifiedAt = gen.Timestamp{Time: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}
	_, err := newClient(t, memoryURL, rt).CreateLinkSession(t.Context(), req)
	var e *api.Error
	if !errors.As(err, &e) || e.StatusCode != 0 || !errors.As(err, new(*json.MarshalerError)) || errors.Is(err, api.ErrOutcomeUnknown) || requests() != 0 {
		t.Errorf("%d requests: %v", requests(), err)
	}
}

// A call whose context has ended makes no other attempt.
func TestCanceledCallIsNotRetried(t *testing.T) {
	t.Parallel()
	for range 50 { // a choice between two ready cases is random
		ctx, cancel := context.WithCancel(t.Context())
		rt, requests := inMemory(func(r *http.Request) (*http.Response, error) { cancel(); return responds(502, "")(r) }, linkedStep)
		_, err := do(ctx, newClient(t, memoryURL, rt), createOp)
		if !errors.Is(err, context.Canceled) || requests() != 1 {
			t.Fatalf("%d requests: %v", requests(), err)
		}
	}
}

// One that ended with its context prints that once.
func TestCanceledAttemptPrints(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	rt, _ := inMemory(func(r *http.Request) (*http.Response, error) { cancel(); return nil, r.Context().Err() })
	_, err := do(ctx, newClient(t, memoryURL, rt), createOp)
	if want := "moneykit: create_link_session: POST localhost/link-session: context canceled"; fmt.Sprint(err) != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestOptionsThatAreRefused(t *testing.T) {
	t.Parallel()
	old := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS11}}}
	for want, option := range map[string]api.Option{
		"WithMaxBodySize: 0":    api.WithMaxBodySize(0),
		"MinVersion is TLS 1.1": api.WithHTTPClient(old),
	} {
		client, err := api.New(auth.StaticToken("t"), option)
		if client != nil || err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "moneykit: ") {
			t.Errorf("got %v, %v; want %q", client, err, want)
		}
	}
	if _, err := api.New(auth.StaticToken("t"), api.WithMaxBodySize(1)); err != nil {
		t.Error(err)
	}
}

func TestClientPrintsItsHost(t *testing.T) {
	t.Parallel()
	client := newClient(t, "http://127.0.0.1:8080/prefix", http.DefaultTransport)
	if got := fmt.Sprintf("%v|%s|%+v|%#v", client, client, client, client); got != strings.TrimSuffix(strings.Repeat("api.Client(127.0.0.1:8080/prefix)|", 4), "|") {
		t.Errorf("prints as %s", got)
	}
}

// Ten invalid fields are printed, and how many more there are.
func TestManyInvalidFields(t *testing.T) {
	t.Parallel()
	for _, n := range []int{9, 10, 11, 25} {
		e := &api.Error{Op: "exchange_token", StatusCode: 422}
		for i := range n {
			e.ValidationErrors = append(e.ValidationErrors, gen.ValidationError{Location: []any{"body", i}, Message: "bad"})
		}
		text := e.Error()
		if got := strings.Count(text, ": bad"); got != min(n, 10) {
			t.Errorf("%d of %d fields are printed: %s", got, n, text)
		}
		if got := strings.Contains(text, fmt.Sprintf("; and %d more", n-10)); got != (n > 10) {
			t.Errorf("%d fields: %s", n, text)
		}
	}
}

func TestErrorPrintsForEveryVerb(t *testing.T) {
	t.Parallel()
	e := &api.Error{Op: "exchange_token", StatusCode: 400, Code: "c", Message: `"m"`}
	const text = `moneykit: exchange_token: 400 Bad Request: c: "m"`
	if got := fmt.Sprintf("%v|%s|%+v|%#v|%v", e, e, e, e, *e); got != strings.TrimSuffix(strings.Repeat(text+"|", 5), "|") {
		t.Errorf("prints as %s", got)
	}
	if got, want := fmt.Sprintf("%q", e), `"moneykit: exchange_token: 400 Bad Request: c: \"m\""`; got != want {
		t.Errorf("%%q is %s, want %s", got, want)
	}
	rt, _ := inMemory(failsUnread(errRefusedDial))
	_, err := do(t.Context(), newClient(t, memoryURL, rt), exchangeOp)
	if got, want := fmt.Sprint(err), "moneykit: exchange_token: POST localhost/link-session/exchange-token: dial tcp: connection refused (3 attempts)"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestErrorIsLoggedInFields(t *testing.T) {
	t.Parallel()
	rt, _ := inMemory(responds(429, `{"error_code":"api_error.rate_limit_exceeded","error_message":"slow down"}`, "Retry-After", "60", "X-Request-Id", "req-1"))
	_, err := do(t.Context(), newClient(t, memoryURL, rt), exchangeOp)
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Error("failed", "err", err)
	var line struct {
		Err map[string]any `json:"err"`
	}
	if err := json.Unmarshal(log.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{
		"operation": "exchange_token", "status": 429.0, "code": "api_error.rate_limit_exceeded", "request_id": "req-1",
		"attempts": 1.0, "retry_after": 60e9, "error": err.Error(),
	} {
		if line.Err[key] != want {
			t.Errorf("%s is %v, want %v", key, line.Err[key], want)
		}
	}
}

// Both operations send the same header.
func TestHeaderOfBothOperations(t *testing.T) {
	t.Parallel()
	for _, op := range bothOps {
		var got *http.Request
		rt, _ := inMemory(func(r *http.Request) (*http.Response, error) { got = r.Clone(t.Context()); return linkedStep(r) })
		if _, err := do(t.Context(), newClient(t, memoryURL, rt), op); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{
			"Accept": "application/json", "Content-Type": "application/json", "MoneyKit-Version": "2023-02-18", "Authorization": "Bearer static-access-token",
		} {
			if v := got.Header.Get(name); v != want {
				t.Errorf("%s sends %s: %q, want %q", op, name, v, want)
			}
		}
		if !strings.HasPrefix(got.Header.Get("User-Agent"), "moneykit-go/") || got.Method != http.MethodPost {
			t.Errorf("%s: %s, %v", op, got.Method, got.Header)
		}
	}
}

// The deprecated link_id is the response's, and filled in only where it is missing.
func TestDeprecatedLinkIDIsKept(t *testing.T) {
	t.Parallel()
	link, _, err := exchangeWith(t, `{"link_id":"mk_old","link":{"link_id":"mk_1"}}`, io.EOF)
	if err != nil || link.LinkID != "mk_old" || link.Link.LinkID != "mk_1" {
		t.Errorf("%+v, %v", link, err)
	}
}

// By default, a Retry-After of 10 seconds is waited for, and a longer one is the caller's.
func TestDefaultMaxDelay(t *testing.T) {
	t.Parallel()
	for seconds, waits := range map[int]bool{9: true, 10: true, 11: false, 60: false} {
		synctest.Test(t, func(t *testing.T) {
			rt, requests := inMemory(responds(429, "", "Retry-After", fmt.Sprint(seconds)), linkedStep)
			start := time.Now()
			_, err := do(t.Context(), newClient(t, memoryURL, rt, api.WithRetryPolicy(api.RetryPolicy{})), exchangeOp)
			var e *api.Error
			switch took := time.Since(start); {
			case waits && (err != nil || took != time.Duration(seconds)*time.Second):
				t.Errorf("%d s: after %v: %v", seconds, took, err)
			case !waits && (!errors.As(err, &e) || e.RetryAfter != time.Duration(seconds)*time.Second || took != 0 || requests() != 1):
				t.Errorf("%d s: after %v and %d requests: %v", seconds, took, requests(), err)
			}
		})
	}
}

// A call that is canceled while it waits after a response prints both.
func TestCanceledWaitPrints(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rt, _ := inMemory(responds(429, "", "Retry-After", "5"))
		ctx, cancel := context.WithCancel(t.Context())
		defer time.AfterFunc(time.Second, cancel).Stop()
		_, err := do(ctx, newClient(t, memoryURL, rt), exchangeOp)
		if text := fmt.Sprint(err); !errors.Is(err, context.Canceled) || !errors.Is(err, api.ErrRateLimited) || strings.Contains(text, "%!") || strings.Contains(text, "<nil>") || !strings.Contains(text, "while waiting to retry: context canceled") {
			t.Errorf("got %s", text)
		}
	})
}

// A body that an editor put in place of ours, and that did not leave, is not unknown.
func TestReplacedBodyThatNeverLeft(t *testing.T) {
	t.Parallel()
	var info api.HTTPInfo
	client := newClient(t, "http://"+refusingAddr(t), new(http.Transport), api.WithRequestEditor(func(_ context.Context, r *http.Request) error {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader("{}")), 2
		return nil
	}))
	_, err := do(t.Context(), client, exchangeOp, api.WithHTTPInfo(&info))
	if err == nil || errors.Is(err, api.ErrOutcomeUnknown) || info.Attempts != 3 {
		t.Errorf("%d attempts: %v", info.Attempts, err)
	}
}

// Required fields that are empty are reported as the server would, without a request.
func TestMissingFieldsHaveTheServersType(t *testing.T) {
	t.Parallel()
	rt, requests := inMemory(linkedStep)
	_, err := newClient(t, memoryURL, rt).CreateLinkSession(t.Context(), gen.CreateLinkSessionRequest{})
	var e *api.Error
	if !errors.As(err, &e) || e.StatusCode != 0 || !errors.Is(err, api.ErrValidation) || len(e.ValidationErrors) != 2 || requests() != 0 {
		t.Fatalf("%+v", e)
	}
	for i, want := range []string{"[body customer_user id]", "[body redirect_uri]"} {
		if v := e.ValidationErrors[i]; v.Type != "value_error.missing" || fmt.Sprint(v.Location) != want {
			t.Errorf("%+v, want %s", v, want)
		}
	}
	_, err = newClient(t, memoryURL, rt).CreateLinkSession(t.Context(), gen.CreateLinkSessionRequest{CustomerUser: gen.LinkSessionCustomerUser{ID: "user-42"}})
	if want := "moneykit: create_link_session: not sent: validation failed: body.redirect_uri: field required"; fmt.Sprint(err) != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}
