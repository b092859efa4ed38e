package main

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"time"

	"github.com/moneykit/moneykit-go/sandbox"
)

// everyField is a request with every field of the contract, except that existing_link_id is the id of a link that the
// tests create.
//
//go:embed wire/every-field.json
var everyField []byte

const requiredFields = `{"customer_user":{"id":"user-42"},"redirect_uri":"https://yourdomain.com/oauth.html"}`

// statuses are the responses that the tests of every client must get.
var statuses = map[sandbox.Operation][]int{
	sandbox.Token: {http.StatusCreated},
	sandbox.CreateLinkSession: {http.StatusCreated, http.StatusUnauthorized, http.StatusUnprocessableEntity,
		http.StatusTooManyRequests},
	sandbox.ExchangeToken: {http.StatusCreated, http.StatusBadRequest},
}

// checkRequests reports what is missing or wrong in the requests that the tests of c sent. It finds tests that pass
// without sending what they should.
func (c client) checkRequests(requests []sandbox.Request) error {
	type response struct {
		op     sandbox.Operation
		status int
	}
	var errs []error
	got := map[response]bool{}
	required, every := false, false
	for _, r := range requests {
		if r.Operation == "" {
			continue
		}
		got[response{r.Operation, r.Status}] = true
		if r.Operation == sandbox.Token {
			continue
		}
		if version := r.Header.Get("MoneyKit-Version"); version != "2023-02-18" {
			errs = append(errs, fmt.Errorf("%s has MoneyKit-Version %q", r.Operation, version))
		}
		if r.Operation == sandbox.CreateLinkSession && r.Status == http.StatusCreated {
			required = required || equal([]byte(r.Body), []byte(requiredFields))
			every = every || equal([]byte(r.Body), everyField)
		}
	}
	for op, want := range statuses {
		for _, status := range want {
			if !got[response{op, status}] {
				errs = append(errs, fmt.Errorf("no %s got a response with status %d", op, status))
			}
		}
	}
	if c.sdk != "" && !got[response{sandbox.CreateLinkSession, http.StatusForbidden}] {
		errs = append(errs, fmt.Errorf("no %s got a response with status 403", sandbox.CreateLinkSession))
	}
	if !required {
		errs = append(errs, errors.New("no request has the two required fields and no other"))
	}
	if !every {
		errs = append(errs, errors.New("no request is that of wire/every-field.json"))
	}
	return errors.Join(errs...)
}

// equal reports whether two requests are equal, whatever format a timestamp has and whichever link existing_link_id
// is.
func equal(a, b []byte) bool {
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return false
	}
	return reflect.DeepEqual(canonical(x), canonical(y))
}

func canonical(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for name, field := range value {
			value[name] = canonical(field)
			if id, ok := field.(string); ok && name == "existing_link_id" && id != "" {
				value[name] = "any"
			}
		}
	case []any:
		for i, item := range value {
			value[i] = canonical(item)
		}
	case string:
		if t, err := time.Parse(time.RFC3339, value); err == nil {
			return t.UTC().Format(time.RFC3339Nano)
		}
	}
	return value
}
