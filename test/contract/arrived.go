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

// everyField is a request with every field of the contract. The value of existing_link_id is the link that the test
// made, so it differs.
//
//go:embed wire/every-field.json
var everyField []byte

// wanted are the statuses that the tests of a language must have met.
var wanted = map[sandbox.Operation][]int{
	sandbox.Token: {http.StatusCreated},
	sandbox.CreateLinkSession: {http.StatusCreated, http.StatusUnauthorized, http.StatusUnprocessableEntity,
		http.StatusTooManyRequests},
	sandbox.ExchangeToken: {http.StatusCreated, http.StatusBadRequest},
}

// checkArrived reports what is missing or wrong in what a language's tests sent, so that a test that only seems to
// send it is found out.
func checkArrived(requests []sandbox.Request) error {
	type met struct {
		op     sandbox.Operation
		status int
	}
	var errs []error
	seen := map[met]bool{}
	minimal, full := false, false
	for _, r := range requests {
		if r.Operation == "" {
			continue
		}
		seen[met{r.Operation, r.Status}] = true
		if r.Operation == sandbox.Token {
			continue
		}
		if version := r.Header.Get("MoneyKit-Version"); version != "2023-02-18" {
			errs = append(errs, fmt.Errorf("%s arrived with MoneyKit-Version %q", r.Operation, version))
		}
		if r.Operation == sandbox.CreateLinkSession && r.Status == http.StatusCreated {
			minimal = minimal || same([]byte(r.Body), []byte(`{"customer_user":{"id":"user-42"},"redirect_uri":"https://yourdomain.com/oauth.html"}`))
			full = full || same([]byte(r.Body), everyField)
		}
	}
	for op, statuses := range wanted {
		for _, status := range statuses {
			if !seen[met{op, status}] {
				errs = append(errs, fmt.Errorf("no call of %s was answered with %d", op, status))
			}
		}
	}
	if !minimal {
		errs = append(errs, errors.New("no request arrived that has the two required fields and no other"))
	}
	if !full {
		errs = append(errs, errors.New("the request in wire/every-field.json did not arrive"))
	}
	return errors.Join(errs...)
}

// same reports whether two requests say the same: one instant may be written in several ways, and any link will do as
// existing_link_id.
func same(a, b []byte) bool {
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
