package api_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/auth"
	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/internal/secrettest"
)

// hugeErrorBodies are 1 MiB each, and made to cost as much as they can.
func hugeErrorBodies() map[string]string {
	const size = 1 << 20
	list := func(entry string) string {
		const open, end = `{"error_code":"api_error.request.validation_failed","validation_errors":[`, `]}`
		n := (size - len(open) - len(end) + 1) / (len(entry) + 1)
		return open + strings.TrimSuffix(strings.Repeat(entry+",", n), ",") + end
	}
	text := func(part string) string {
		return `{"error_code":"x","error_message":"` + strings.Repeat(part, (size-50)/len(part)) + `"}`
	}
	deep := strings.Repeat("[", 5000)
	return map[string]string{
		"empty entries":        list(`{}`),
		"null entries":         list(`null`),
		"one long location":    list(`{"location":[` + strings.TrimSuffix(strings.Repeat("0,", 500_000), ",") + `]}`),
		"objects as location":  list(`{"location":[` + strings.TrimSuffix(strings.Repeat("{},", 300_000), ",") + `]}`),
		"nested location":      list(`{"location":[` + deep + strings.Repeat("]", 5000) + `]}`),
		"entries with text":    list(`{"location":["body","a"],"message":"m","type":"t"}`),
		"a long message":       text("x"),
		"secrets":              text(secretToken + " "),
		"nearly secrets":       text(secretToken[:len(secretToken)-1]),
		"control characters":   text(`\u0007`),
		"bidirectional ones":   text("\u202e"),
		"quotes":               text(`\"`),
		"HTML":                 "<html>" + strings.Repeat("<p>", size/3-2),
		"message that repeats": list(`{"message":"` + strings.Repeat(secretToken, 1000) + `"}`),
	}
}

// ValidationErrors has at most 100 entries and 32 items of a location, and none of a list that exceeds 64 KiB.
func TestValidationErrorsAreBounded(t *testing.T) {
	t.Parallel()
	list := func(n int, entry string) string {
		return "[" + strings.TrimSuffix(strings.Repeat(entry+",", n), ",") + "]"
	}
	location := func(items int) string {
		return `{"location":[` + strings.TrimSuffix(strings.Repeat("1,", items), ",") + `],"message":"m","type":"t"}`
	}
	padded := func(size int) string {
		const open, end = `[{"location":["body"],"message":"`, `"}]`
		return open + strings.Repeat("x", size-len(open)-len(end)) + end
	}
	for name, tt := range map[string]struct {
		list           string
		entries, items int
	}{
		"100 entries":        {list(100, location(1)), 100, 1},
		"101 entries":        {list(101, location(1)), 100, 1},
		"32 items":           {list(2, location(32)), 2, 32},
		"33 items":           {list(2, location(33)), 2, 32},
		"64 KiB":             {padded(64 << 10), 1, 1},
		"a byte more":        {padded(64<<10 + 1), 0, 0},
		"no list":            {`{}`, 0, 0},
		"an entry that is 1": {`[1]`, 1, 0},
	} {
		rt, _ := inMemory(responds(422, `{"error_code":"api_error.request.validation_failed","validation_errors":`+tt.list+`}`))
		_, err := do(t.Context(), newClient(t, memoryURL, rt), createOp)
		var e *api.Error
		if !errors.As(err, &e) || !errors.Is(err, api.ErrValidation) || len(e.ValidationErrors) != tt.entries {
			t.Errorf("%s: %d entries, want %d: %v", name, len(e.ValidationErrors), tt.entries, err)
			continue
		}
		for _, v := range e.ValidationErrors {
			if len(v.Location) != tt.items {
				t.Errorf("%s: %d items, want %d", name, len(v.Location), tt.items)
			}
		}
	}
}

// What can be read of a success is read within bounds, too: neither deep values nor long names are copied again and again.
func TestHostileSuccessIsCheap(t *testing.T) { //nolint:paralleltest // it measures the memory of the process
	const size = 1 << 20
	name := strings.Repeat("n", size/2)
	deep := strings.Repeat(`{"link":`, 9000)
	for kind, body := range map[string]string{
		"deep":            deep + `"` + strings.Repeat("x", size-len(deep)-2),
		"deep products":   `{"link":{"products":` + deep + `"` + strings.Repeat("x", size-len(deep)-30),
		"a long name":     `{"` + name + `":{` + strings.Repeat(`"a":1,`, size/13),
		"in another name": `{"link":{"` + name + `":{` + strings.Repeat(`"a":1,`, size/13),
		"many members":    `{"link":{` + strings.Repeat(`"a":1,`, size/6-10),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		link, _, err := exchangeWith(t, body, io.ErrUnexpectedEOF)
		runtime.ReadMemStats(&after)
		if link != nil || !errors.Is(err, api.ErrOutcomeUnknown) {
			t.Errorf("%s: %v, %v", kind, link, err)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > 500*size {
			t.Errorf("%s: %d MiB were allocated for a body of %d bytes", kind, got>>20, len(body))
		}
	}
}

// An error's parts are bounded, however many an error body has.
func TestHugeErrorBody(t *testing.T) {
	t.Parallel()
	for name, body := range hugeErrorBodies() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if len(body) > api.DefaultMaxBodySize {
				t.Fatalf("the body has %d bytes", len(body))
			}
			rt, _ := inMemory(responds(422, body))
			_, err := do(t.Context(), newClient(t, memoryURL, rt), exchangeOp)
			var e *api.Error
			if !errors.As(err, &e) || e.StatusCode != 422 || len(e.Body) != len(body) {
				t.Fatalf("got %.300v", err)
			}
			if n := len(e.ValidationErrors); n > 100 {
				t.Errorf("%d ValidationErrors, want 100 at most", n)
			}
			for _, v := range e.ValidationErrors {
				if len(v.Location) > 32 || len(v.Message) > 10_000 || len(fmt.Sprint(v.Location)) > 10_000 {
					t.Errorf("an entry with a location of %d items and a message of %d bytes", len(v.Location), len(v.Message))
				}
			}
			if n := len(err.Error()); n > 50_000 || strings.Contains(err.Error(), secretToken) {
				t.Errorf("an error of %d bytes", n)
			}
			printable(t, errors.New(e.Message+e.Code))
		})
	}
}

type pointerTransport struct{ base http.RoundTripper }

func (t *pointerTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	return t.base.RoundTrip(r)
}

// A transport that is nil, but has a type, is an error, and no panic.
func TestTypedNilTransport(t *testing.T) {
	t.Parallel()
	for name, rt := range map[string]http.RoundTripper{
		"http.Transport": (*http.Transport)(nil), "pointer": (*pointerTransport)(nil), "func": roundTripFunc(nil),
	} {
		client, err := api.New(auth.StaticToken("t"), api.WithBaseURL(memoryURL), api.WithHTTPClient(&http.Client{Transport: rt}))
		if client != nil || err == nil || !strings.Contains(err.Error(), "WithHTTPClient") || !strings.Contains(err.Error(), "nil") {
			t.Errorf("%s: %v, %v; want an error that names WithHTTPClient and says nil", name, client, err)
		}
	}
}

// The JSON form of a secret, which is what was sent, is redacted as the secret itself is, and so is what a server or a
// transport makes of it.
func TestJSONFormOfSecretIsRedacted(t *testing.T) {
	t.Parallel()
	const secret = `tok&en<with>"quotes"inside`
	sent, err := json.Marshal(secret)
	if err != nil {
		t.Fatal(err)
	}
	form := string(sent[1 : len(sent)-1])
	guard := secrettest.New(t, secret, form)
	for _, echo := range []string{secret, form, `{"exchangeable_token":"` + form + `"}`, strings.Trim(fmt.Sprintf("%q", secret), `"`)} {
		body, _ := json.Marshal(gen.HTTPValidationError{
			ErrorCode: "code " + echo, ErrorMessage: "you sent " + echo, DocumentationURL: "https://x.example/" + echo,
			ValidationErrors: []gen.ValidationError{
				{Location: []any{"body", 1}, Message: "fine", Type: "fine"},
				{Location: []any{"body", echo, map[string]any{echo: echo}}, Message: echo, Type: echo}, // not only in the first
			},
		})
		for _, step := range []memoryStep{
			responds(422, string(body), "X-Request-Id", "id "+echo),
			responds(201, string(body)),
			responds(201, `{"link":{"last_synced_at":"`+form+`"}}`),
			responds(201, `{"link":{"link_id":"mk_1","last_synced_at":"`+form+`","state":["`+form+`"]}}`),
			responds(201, `{"link":{"last_synced_at":"`+form+`"`),
			failsRead(errors.New("cannot send " + echo)),
			failsRead(&net.OpError{Op: "write", Err: errors.New(echo)}),
		} {
			rt, _ := inMemory(step)
			var logged strings.Builder
			client := newClient(t, memoryURL, rt, api.WithLogger(slog.New(slog.NewTextHandler(io.MultiWriter(&logged, guard), nil))))
			_, err := client.ExchangeToken(t.Context(), gen.ExchangeTokenRequest{ExchangeableToken: secret})
			if err != nil {
				guard.Show(err)
				printable(t, err)
			}
		}
	}
}

// Characters that change the order of text (Unicode's Bidi_Control) could make an error say something else.
func TestNoBidirectionalControls(t *testing.T) {
	t.Parallel()
	const bidi = "a\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069b"
	body, _ := json.Marshal(gen.HTTPValidationError{
		ErrorCode: bidi, ErrorMessage: bidi, DocumentationURL: bidi,
		ValidationErrors: []gen.ValidationError{{Location: []any{bidi}, Message: bidi, Type: bidi}},
	})
	for _, step := range []memoryStep{responds(422, string(body), "X-Request-Id", bidi), failsRead(errors.New(bidi)), failsUnread(&net.OpError{Op: "dial", Err: errors.New(bidi)})} {
		rt, _ := inMemory(step)
		_, err := do(t.Context(), newClient(t, memoryURL, rt), exchangeOp)
		printable(t, err)
		var e *api.Error
		if !errors.As(err, &e) {
			t.Fatal(err)
		}
		printable(t, fmt.Errorf("%s %s %s %s %v", e.Code, e.Message, e.DocumentationURL, e.RequestID, e.ValidationErrors))
	}
}
