package sandbox_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	moneykit "github.com/moneykit/moneykit-go"
	"github.com/moneykit/moneykit-go/sandbox"
)

// A roundTripper hands requests to a handler without a network.
type roundTripper struct{ handler http.Handler }

func (rt roundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	rt.handler.ServeHTTP(w, r)
	return w.Result(), nil
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	if got := send(t, srv, "GET", "/openapi.yaml", nil, ""); got.status != 200 || !bytes.Equal([]byte(got.body), moneykit.OpenAPI()) {
		t.Errorf("contract: %d, %d bytes", got.status, len(got.body))
	}
	index := send(t, srv, "GET", "/", nil, "")
	if index.status != 200 || strings.Contains(index.body, srv.ClientSecret) {
		t.Errorf("index: %+v", index)
	}
	for _, path := range []string{"//link-session", "/link-session/", "/x/../link-session", "/%2e/link-session"} {
		if got := send(t, srv, "POST", path, nil, ""); got.status != 404 || got.errorCode() != "api_error.not_found" {
			t.Errorf("%s: %+v", path, got)
		}
	}
	missing := send(t, srv, "POST", "/linksession", nil, "")
	if missing.status != 404 || missing.errorCode() != "api_error.not_found" {
		t.Errorf("unknown path: %+v", missing)
	}
	listed := 0
	for line := range strings.Lines(index.body) {
		fields := strings.Fields(line)
		if len(fields) < 2 || !strings.HasPrefix(fields[1], "/") {
			continue
		}
		method, path := fields[0], fields[1]
		listed++
		if got := send(t, srv, method, path, nil, ""); got.status == 404 || got.status == 405 {
			t.Errorf("%s %s: %d", method, path, got.status)
		}
		if got := send(t, srv, "PATCH", path, nil, ""); got.status != 405 || got.errorCode() != "api_error.method_not_allowed" || !strings.Contains(got.header.Get("Allow"), method) {
			t.Errorf("PATCH %s: %+v", path, got)
		}
		if !strings.Contains(missing.body, method+" "+path) {
			t.Errorf("a 404 does not name %s %s", method, path)
		}
	}
	doc, err := openapi3.NewLoader().LoadFromData(moneykit.OpenAPI())
	if err != nil {
		t.Fatal(err)
	}
	if want := 21 + len(doc.Paths.Map()); listed != want {
		t.Errorf("%d routes are listed, want %d:\n%s", listed, want, index.body)
	}
	if got := send(t, srv, "HEAD", "/", nil, ""); got.status != 200 {
		t.Errorf("HEAD: %+v", got)
	}
}
