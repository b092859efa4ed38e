// Package hand is the baseline: the two calls of the contract written by hand on net/http and encoding/json, as
// someone does who knows both and wants the same safety as package api, that is a token that is cached, a time limit,
// a capped body, the status looked at first, and errors that keep what the server said. It does not retry.
package hand

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"golang.org/x/oauth2"
)

const (
	maxBody = 1 << 20
	timeout = 60 * time.Second // by context, which costs less than http.Client.Timeout where the Transport is wrapped
)

// A Client makes the calls.
type Client struct {
	baseURL string
	tokens  oauth2.TokenSource
	http    *http.Client
}

// New returns a Client for the API at baseURL. tokens should cache, as those of x/oauth2 do.
func New(baseURL string, tokens oauth2.TokenSource, hc *http.Client) *Client {
	return &Client{baseURL: baseURL, tokens: tokens, http: hc}
}

// An Error is a response whose status is not 201.
type Error struct {
	StatusCode int         `json:"-"`
	Header     http.Header `json:"-"`
	Body       []byte      `json:"-"`
	Code       string      `json:"error_code"`
	Message    string      `json:"error_message"`
}

func (e *Error) Error() string {
	return fmt.Sprintf("moneykit: %d %s: %s", e.StatusCode, e.Code, e.Message)
}

// CreateLinkSession creates a link session.
func (c *Client) CreateLinkSession(ctx context.Context, req *CreateLinkSessionRequest) (*CreateLinkSessionResponse, error) {
	var out CreateLinkSessionResponse
	if err := c.post(ctx, "/link-session", req, &out); err != nil {
		return nil, err
	}
	if out.LinkSessionToken == "" {
		return nil, errors.New("moneykit: the response has no link_session_token")
	}
	return &out, nil
}

// ExchangeToken exchanges a token for the link.
func (c *Client) ExchangeToken(ctx context.Context, req *ExchangeTokenRequest) (*ExchangeTokenResponse, error) {
	var out ExchangeTokenResponse
	if err := c.post(ctx, "/link-session/exchange-token", req, &out); err != nil {
		return nil, err
	}
	if out.Link.LinkID == "" {
		return nil, errors.New("moneykit: the response has no link.link_id")
	}
	return &out, nil
}

func (c *Client) post(ctx context.Context, path string, in, out any) error {
	payload, err := json.Marshal(in)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.baseURL+path, bytes.NewReader(payload))
	if err != nil {
		return err
	}
	tok, err := c.tokens.Token()
	if err != nil {
		return err
	}
	tok.SetAuthHeader(req)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("MoneyKit-Version", "2023-02-18")
	req.Header.Set("User-Agent", "hand-written/1.0")

	res, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	if err != nil {
		return err
	}
	if len(body) > maxBody {
		return fmt.Errorf("moneykit: %d: the response is longer than %d bytes", res.StatusCode, maxBody)
	}
	if res.StatusCode != http.StatusCreated {
		e := &Error{StatusCode: res.StatusCode, Header: res.Header, Body: body}
		_ = json.Unmarshal(body, e) // a proxy's page has no code, and its status says enough
		return e
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("moneykit: %d: %w", res.StatusCode, err)
	}
	return nil
}
