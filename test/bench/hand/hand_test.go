package hand_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/moneykit/moneykit-go/test/bench/hand"
)

// The baseline must be as safe as it claims to be, or it would be quicker than it should.
func TestSafety(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		response http.HandlerFunc
		want     string
	}{
		{"status first", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadGateway)
			_, _ = w.Write([]byte("<html>"))
		}, "502"},
		{"error body", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"error_code": "a.code", "error_message": "A message."}`))
		}, "400 a.code: A message."},
		{"cap", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusCreated)
			_, _ = w.Write([]byte(strings.Repeat(" ", 2<<20)))
		}, "longer than 1048576 bytes"},
		{"not JSON", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusCreated)
			_, _ = w.Write([]byte(`{"link_`))
		}, "unexpected end"},
		{"empty link", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusCreated)
			_, _ = w.Write([]byte(`{}`))
		}, "no link.link_id"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			srv := httptest.NewServer(tt.response)
			defer srv.Close()
			c := hand.New(srv.URL, oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "t"}), srv.Client())
			_, err := c.ExchangeToken(context.Background(), &hand.ExchangeTokenRequest{ExchangeableToken: "e"})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
			if e := (*hand.Error)(nil); errors.As(err, &e) && len(e.Body) == 0 {
				t.Error("the error has no body")
			}
		})
	}
}

func TestTime(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]time.Time{
		`"2023-02-16T09:14:11Z"`:      time.Date(2023, 2, 16, 9, 14, 11, 0, time.UTC),
		`"2023-02-16T09:14:11"`:       time.Date(2023, 2, 16, 9, 14, 11, 0, time.UTC),
		`"2023-02-16T10:14:11+01:00"`: time.Date(2023, 2, 16, 9, 14, 11, 0, time.UTC),
		`null`:                        {},
	} {
		var got hand.Time
		if err := got.UnmarshalJSON([]byte(in)); err != nil || !got.Equal(want) {
			t.Errorf("%s: got %v, %v; want %v", in, got, err, want)
		}
	}
	if err := new(hand.Time).UnmarshalJSON([]byte(`"yesterday"`)); err == nil {
		t.Error("yesterday is a time")
	}
}
