package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/gen"
)

// exchangeWith exchanges a token, gets a 201 whose body ends with end (io.EOF for one that is complete), and returns what
// was logged.
func exchangeWith(tb testing.TB, body string, end error, opts ...api.Option) (link *gen.ExchangeTokenResponse, logged string, err error) {
	tb.Helper()
	rt, _ := inMemory(func(r *http.Request) (*http.Response, error) {
		res, err := responds(http.StatusCreated, "")(r)
		res.Body = io.NopCloser(io.MultiReader(strings.NewReader(body), failingReader{end}))
		res.ContentLength = -1
		return res, err
	})
	var log bytes.Buffer
	client := newClient(tb, memoryURL, rt, append([]api.Option{api.WithLogger(slog.New(slog.NewJSONHandler(&log, nil)))}, opts...)...)
	link, err = client.ExchangeToken(tb.Context(), gen.ExchangeTokenRequest{ExchangeableToken: secretToken})
	return link, log.String(), err
}

// kept checks that the link was returned, and that a warning says what was wrong.
func kept(t *testing.T, name string, link *gen.ExchangeTokenResponse, logged string, err error) bool {
	t.Helper()
	if err != nil || link == nil || link.Link.LinkID != "mk_1" {
		t.Errorf("%s: %+v, %v; want the link mk_1", name, link, err)
		return false
	}
	if !strings.Contains(logged, `"level":"WARN"`) || !strings.Contains(logged, `"incomplete_response":"`) || strings.Contains(logged, secretToken) {
		t.Errorf("%s: logged %q; want a warning without a secret", name, logged)
	}
	return true
}

// A field of another type, or one that cannot be read, is no reason to lose a link: it is left at zero, and the others
// are there.
func TestLinkWithUnreadableFieldIsKept(t *testing.T) {
	t.Parallel()
	const before, after = `"institution_id":"chase"`, `"institution_name":"Chase"`
	for _, field := range []string{
		`"state":5`, `"last_synced_at":"yesterday"`, `"last_synced_at":"` + secretToken + `"`, `"last_synced_at":7`, `"last_synced_at":{}`, `"tags":"x"`, `"tags":[1]`, `"products":[]`,
		`"products":{"accounts":{"refreshed_at":"never"}}`, `"products":{"accounts":7}`, `"available_products":{"a":1}`, `"webhook":[]`,
		`"institution_avatar":{"url":"x"}`, `"provider":false`, `"error_code":1e400`,
	} {
		body := `{"link":{` + before + `,"link_id":"mk_1",` + field + `,` + after + `}}`
		link, logged, err := exchangeWith(t, body, io.EOF)
		if kept(t, field, link, logged, err) && (link.Link.InstitutionID != "chase" || link.Link.InstitutionName != "Chase") {
			t.Errorf("%s: the fields beside it are lost: %+v", field, link.Link)
		}
	}
	for _, body := range []string{
		`{"link_id":7,"link":{"link_id":"mk_1"}}`, `{"link":{"link_id":"mk_1"},"link_id":[]}`,
		`{"future":[{"x":1}],"link":{"future":{},"link_id":"mk_1","state":[]}}`,
		`{"` + strings.Repeat("n", 65) + `":1,"link":{"` + strings.Repeat("n", 65) + `":1,"link_id":"mk_1","state":5}}`,
		`{` + manyMembers + `"link":{` + manyMembers + `"link_id":"mk_1","state":5}}`,
	} {
		link, logged, err := exchangeWith(t, body, io.EOF)
		kept(t, body, link, logged, err)
	}
	link, _, err := exchangeWith(t, `{"link":{"last_synced_at":"yesterday","link_id":"mk_1"}}`, io.EOF)
	if err != nil || !link.Link.LastSyncedAt.IsZero() {
		t.Errorf("a timestamp that cannot be read is %v (%v), want zero", link, err)
	}
	link, _, err = exchangeWith(t, `{"link":{"link_id":"mk_1","state":5,"products":{"identity":{"refreshed_at":"2023-02-16T09:14:11","error_message":7,`+
		`"unavailable":"u"},"accounts":{"refreshed_at":"2023-02-16T09:14:11"}}}}`, io.EOF)
	if err != nil {
		t.Fatal(err)
	}
	if p := link.Link.Products; p.Accounts.RefreshedAt.IsZero() || p.Identity.RefreshedAt.IsZero() || p.Identity.Unavailable != "u" {
		t.Errorf("the fields beside an unreadable one of a product are lost: %+v", p)
	}
}

// manyMembers are more than the contract has, and none of them is of the contract.
var manyMembers = strings.Repeat(`"future":1,`, 200)

// A response without a fault is logged as a success, without a warning.
func TestCompleteLinkIsNoWarning(t *testing.T) {
	t.Parallel()
	for _, body := range []string{linkedBody, linkedBody + "\n", "\ufeff" + linkedBody, `{"link":{"link_id":"mk_1","future":1}}`} {
		if link, logged, err := exchangeWith(t, body, io.EOF); err != nil || link.Link.LinkID != "mk_1" || strings.Contains(logged, "WARN") {
			t.Errorf("%q: %+v, %v, logged %s", body, link, err, logged)
		}
	}
}

// A connection that breaks once all of the JSON is there, or after the link's id, loses nothing.
func TestLinkBeforeBreakIsKept(t *testing.T) {
	t.Parallel()
	for _, end := range []error{io.EOF, io.ErrUnexpectedEOF, context.DeadlineExceeded, errors.New("broken")} {
		for name, body := range map[string]string{
			"after id":         `{"link":{"link_id":"mk_1"`,
			"in a name":        `{"link":{"link_id":"mk_1","inst`,
			"in a logo":        `{"link":{"link_id":"mk_1","institution_avatar":"` + strings.Repeat("QUJD", 1000),
			"in a number":      `{"link":{"link_id":"mk_1","future":12`,
			"in an escape":     `{"link":{"link_id":"mk_1","institution_name":"\u00`,
			"in another place": `{"link":{"link_id":"mk_1"},"fut`,
			"escaped id":       `{"link":{"link_id":"m\u006b_1","x":`,
			"spaces":           " { \"link\" : { \"state\" : 5 , \"link_id\" : \"mk_1\" , ",
			"after the object": `{"link":{"link_id":"mk_1"}`,
			"after long names": `{"` + strings.Repeat("n", 65) + `":1,"link":{"` + strings.Repeat("n", 65) + `":1,"link_id":"mk_1","x":`,
			"BOM":              "\ufeff" + `{"link":{"link_id":"mk_1"`,
			"HTML behind it":   linkedBody + "<html>",
			"no JSON behind":   `{"link":{"link_id":"mk_1"} oops`,
		} {
			link, logged, err := exchangeWith(t, body, end)
			kept(t, fmt.Sprintf("%s, %v", name, end), link, logged, err)
		}
	}
	for _, end := range []error{io.ErrUnexpectedEOF, errors.New("broken")} {
		link, logged, err := exchangeWith(t, linkedBody, end)
		kept(t, "complete", link, logged, err)
	}
	// What was complete before the break is there too.
	link, _, err := exchangeWith(t, `{"link_id":"mk_1","link":{"institution_id":"chase","link_id":"mk_1","institution_avatar":"QUJ`, io.ErrUnexpectedEOF)
	if err != nil || link.LinkID != "mk_1" {
		t.Errorf("%+v, %v", link, err)
	}
}

// A logo that makes the body longer than the limit does not cost the link.
func TestLinkInTooLongBodyIsKept(t *testing.T) {
	t.Parallel()
	long := `{"link":{"link_id":"mk_1","institution_avatar":"` + strings.Repeat("A", 2000) + `"}}`
	link, logged, err := exchangeWith(t, long, io.EOF, api.WithMaxBodySize(1000))
	kept(t, "too long", link, logged, err)
}

// Nor does a body that is compressed because an editor asked for that.
func TestCompressedLinkIsKept(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") == "gzip" {
			w.Header().Set("Content-Encoding", "gzip")
		}
		sendReply(http.StatusCreated, gzipped(linkedBody))(w, r)
	}))
	t.Cleanup(srv.Close)
	for name, client := range map[string]*api.Client{
		"by net/http": newClient(t, srv.URL, new(http.Transport)),
		"by an editor": newClient(t, srv.URL, new(http.Transport), api.WithRequestEditor(func(_ context.Context, r *http.Request) error {
			r.Header.Set("Accept-Encoding", "gzip")
			return nil
		})),
	} {
		if id, err := do(t.Context(), client, exchangeOp); err != nil || id != "mk_1" {
			t.Errorf("%s: %q, %v", name, id, err)
		}
	}
}

// Also when it is the caller's context, or the attempt's timeout, that ends the reading.
func TestLinkBeforeTimeoutIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rt, _ := inMemory(func(r *http.Request) (*http.Response, error) {
			res, err := responds(http.StatusCreated, "")(r)
			res.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"link":{"link_id":"mk_1","institution_avatar":"`), stalledReader{r.Context()}))
			return res, err
		})
		for name, opts := range map[string][]api.Option{"attempt": {api.WithTimeout(time.Second)}, "call": {api.WithTimeout(time.Hour)}} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			if id, err := do(ctx, newClient(t, memoryURL, rt, opts...), exchangeOp); err != nil || id != "mk_1" {
				t.Errorf("%s: %q, %v", name, id, err)
			}
			cancel()
		}
	})
}

type stalledReader struct{ ctx context.Context }

func (r stalledReader) Read([]byte) (int, error) { <-r.ctx.Done(); return 0, r.ctx.Err() }

// The same over connections that really break.
func TestLinkOverBrokenConnection(t *testing.T) {
	t.Parallel()
	const partial = `{"link":{"link_id":"mk_1","institution_avatar":"QUJD`
	for name, response := range map[string]string{
		"length":             "HTTP/1.1 201 Created\r\nContent-Length: 500\r\n\r\n" + partial,
		"complete JSON":      "HTTP/1.1 201 Created\r\nContent-Length: 500\r\n\r\n" + linkedBody,
		"chunked":            "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n%s\r\n", len(partial), partial),
		"bad chunk":          "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n%s\r\nzz\r\n", len(partial), partial),
		"chunks not ended":   "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n%s\r\n", len(linkedBody), linkedBody),
		"until it is closed": "HTTP/1.1 201 Created\r\n\r\n" + partial,
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.WriteString(conn, response)
			conn.Close()
		}))
		if id, err := do(t.Context(), newClient(t, srv.URL, new(http.Transport)), exchangeOp); err != nil || id != "mk_1" {
			t.Errorf("%s: %q, %v", name, id, err)
		}
		srv.Close()
	}
	for name, end := range map[string]func(*h2Stream){
		"reset":     func(s *h2Stream) { s.reset(h2InternalError) },
		"no error":  func(s *h2Stream) { s.reset(h2NoError) },
		"GOAWAY":    func(s *h2Stream) { s.goAway(s.id, h2NoError); s.conn.Close() },
		"closed":    func(s *h2Stream) { s.conn.Close() },
		"no frame":  func(s *h2Stream) { s.frame(0x3, 0, s.id, nil); s.conn.Close() },
		"refused":   func(s *h2Stream) { s.reset(h2RefusedStream) }, // which it cannot be any more
		"protocol":  func(s *h2Stream) { s.reset(h2ProtocolError) },
		"goes away": func(s *h2Stream) { s.goAway(s.id-1, h2NoError); s.conn.Close() },
	} {
		srv, url, rt := h2Kinds[1].start(t, h2Step{processes: true, do: func(s *h2Stream) {
			s.frame(0x1, 0x4, s.id, []byte{0x08, 3, '2', '0', '1'})
			s.frame(0x0, 0, s.id, []byte(partial))
			end(s)
		}}, usedToken)
		if id, err := do(t.Context(), newClient(t, url, rt), exchangeOp); err != nil || id != "mk_1" {
			// The end may overtake the data: then the id did not arrive, and the outcome is unknown.
			if !errors.Is(err, api.ErrOutcomeUnknown) {
				t.Errorf("HTTP/2, %s: %q, %v", name, id, err)
			}
		}
		if requests, _ := srv.counts(); requests != 1 {
			t.Errorf("HTTP/2, %s: %d requests, want 1", name, requests)
		}
	}
}

// Without the link's id, the outcome is unknown, and what looks like one elsewhere is none.
func TestResponseWithoutLinkIsUnknown(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		"", "null", "{}", "[]", "<html>", `"mk_1"`, `{"link":null}`, `{"link":"mk_1"}`, `{"link":{}}`, `{"link":{"link_id":null}}`,
		`{"link":{"link_id":5}}`, `{"link":{"link_id":""}}`, `{"link":{"link_id":{"link_id":"mk_1"}}}`, `{"link":{"link_id":["mk_1"]}}`,
		`{"link":[{"link_id":"mk_1"}]}`, `{"link":["link_id","mk_1"]}`, `["link_id","mk_1"]`, `[{"link":{"link_id":"mk_1"}}]`, `{"link":{"meta":{"link_id":"mk_1"}}}`, `{"link":{"meta":{"link_id":"mk_1"`,
		`{"data":{"link":{"link_id":"mk_1"}}}`, `{"data":{"link":{"link_id":"mk_1"`, `{"link":{"products":[{"link_id":"mk_1"`,
		`{"text":"\"link\":{\"link_id\":\"mk_1\"}"}`, `{"text":"{\"link\":{\"link_id\":\"mk_1\"`, `{"link":{"name":"\"link_id\":\"mk_1\"`,
		`{"link":{"link_id":"mk_1`, `{"link":{"link_id":"mk_1\`, `{"link":{"link_id":"mk_1\"`, `{"link":{"link_id":"mk_1\u0`, `{"link":{"link_id":`,
		`{"link":{"link_idx":"mk_1"}}`, `{"links":{"link_id":"mk_1"}}`, `{"link":{"x":{}},"other":{"link_id":"mk_1"`, `{"link":{}, "link_id":{"link_id":"mk_1"`,
		`link_id":"mk_1"`, `}{"link":{"link_id"`, `{"link":{"link_id":mk_1}}`, `{"error_code":"x","link":{"link_id":false}}`,
	} {
		for _, end := range []error{io.EOF, io.ErrUnexpectedEOF} {
			link, _, err := exchangeWith(t, body, end)
			if link != nil || !errors.Is(err, api.ErrOutcomeUnknown) {
				t.Errorf("%s (%v): %+v, %v; want ErrOutcomeUnknown", body, end, link, err)
			}
			var e *api.Error
			if !errors.As(err, &e) || string(e.Body) != body || e.StatusCode != http.StatusCreated {
				t.Errorf("%s: the error lacks the body or the status: %+v", body, e)
			}
		}
	}
}

// FuzzCutLink cuts a response at every byte: what comes out is the link or ErrOutcomeUnknown, never another id, and it is
// the link wherever all of its id is there.
func FuzzCutLink(f *testing.F) {
	for _, seed := range []string{
		linkedBody,
		`{"link_id":"mk_eqk","link":{"institution_id":"chase","link_id":"mk_eqk","institution_avatar":"QUJDREVG","state":"connected","last_synced_at":"2023-02-16T09:14:11","products":{"accounts":{"refreshed_at":null}}}}`,
		`{"link":{"meta":{"link_id":"x"},"link_id":"mk_2"}}`,
		`{"data":{"link":{"link_id":"x"}},"link":{"link_id":"mk_2"}}`,
		`{"text":"\"link\":{\"link_id\":\"x\"}","link":{"name":"\\\"","link_id":"m\u006b\"\\_2"}}`,
		`{"link":{"products":[{"link_id":"x"},[]],"link_id":"mk_2","tags":[{"link_id":"y"}]},"links":{"link_id":"z"}}`,
		" {\n\"link\" : {\t\"state\" : 5.5e3 , \"link_id\" : \"mk_2\" } , \"last\" : true }\n",
		"\ufeff" + `{"link":{"link_id":"mk_\ud83d\ude00_é"}}`,
		`{"link":{"link_id":"","state":"x"}}`, `{"link":[{"link_id":"x"}]}`, `{"link":{"link_id":5}}`, `{"link_id":"x"}`, `[]`, `null`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, doc string) {
		if len(doc) > 1<<10 || !json.Valid([]byte(strings.TrimPrefix(doc, "\ufeff"))) {
			return
		}
		want, end, ambiguous := linkID(doc)
		if ambiguous {
			return
		}
		for cut := range len(doc) + 1 {
			for _, broken := range []error{io.EOF, io.ErrUnexpectedEOF} {
				link, _, err := exchangeWith(t, doc[:cut], broken)
				switch {
				case err != nil && !errors.Is(err, api.ErrOutcomeUnknown):
					t.Fatalf("%q: %v", doc[:cut], err)
				case err == nil && (want == "" || link.Link.LinkID != want):
					t.Fatalf("%q: the link is %q, want %q", doc[:cut], link.Link.LinkID, want)
				case err != nil && want != "" && cut >= end:
					t.Fatalf("%q: the id %q is there, but: %v", doc[:cut], want, err)
				}
			}
		}
	})
}

// linkID reads link.link_id of a valid document token by token: its value, and where that ends. The deprecated link_id
// beside link stands in for it. A document in which a name on the way occurs more than once, in whatever case, or in which
// the two differ, is ambiguous.
func linkID(doc string) (id string, end int, ambiguous bool) {
	text := strings.TrimPrefix(doc, "\ufeff")
	d := json.NewDecoder(strings.NewReader(text))
	var deprecated string
	var seen []string
	var walk func(path string) // one value
	walk = func(path string) {
		token, err := d.Token()
		if err != nil {
			return
		}
		delim, _ := token.(json.Delim)
		switch delim {
		case '{':
			for d.More() {
				name, _ := d.Token()
				key, _ := name.(string)
				inner := path + "/" + key
				for _, p := range []string{"/link", "/link/link_id", "/link_id"} {
					if strings.EqualFold(inner, p) {
						if inner != p || slices.Contains(seen, p) || strings.ContainsRune(key, '\ufffd') {
							ambiguous = true
						}
						seen = append(seen, p)
					}
				}
				walk(inner)
			}
			_, _ = d.Token()
		case '[':
			for d.More() {
				walk(path + "[]")
			}
			_, _ = d.Token()
		default:
			s, _ := token.(string)
			switch path {
			case "/link/link_id":
				id, end = s, int(d.InputOffset())+len(doc)-len(text)
			case "/link_id":
				deprecated = s
			}
		}
	}
	walk("")
	if id == "" {
		return deprecated, len(doc), ambiguous
	}
	return id, end, ambiguous || deprecated != "" && deprecated != id
}
