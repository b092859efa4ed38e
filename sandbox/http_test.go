package sandbox_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/sandbox"
)

// A reply is a response with its whole body.
type reply struct {
	status int
	header http.Header
	body   string
}

func (r reply) errorCode() string {
	var e gen.APIError
	json.Unmarshal([]byte(r.body), &e)
	return e.ErrorCode
}

func post(t *testing.T, srv *sandbox.Server, path, token, body string) reply {
	t.Helper()
	header := http.Header{"Content-Type": {"application/json"}}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	return send(t, srv, http.MethodPost, path, header, body)
}

func send(t *testing.T, srv *sandbox.Server, method, path string, header http.Header, body string) reply {
	t.Helper()
	got, err := try(t, srv, method, path, header, body)
	if err != nil {
		t.Error(err)
	}
	return got
}

func try(t *testing.T, srv *sandbox.Server, method, path string, header http.Header, body string) (reply, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, srv.URL+path, strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	if header != nil {
		r.Header = header
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, res.Header, string(data)}, err
}

func minimalRequest() gen.CreateLinkSessionRequest {
	return gen.CreateLinkSessionRequest{CustomerUser: gen.LinkSessionCustomerUser{ID: "user-42"}, RedirectURI: "https://yourdomain.com/oauth.html"}
}

func exchangeRequest(exchangeable string) gen.ExchangeTokenRequest {
	return gen.ExchangeTokenRequest{ExchangeableToken: exchangeable}
}
