package redact

import (
	"net/http"
	"reflect"
	"strings"
	"testing"
)

func TestBody(t *testing.T) {
	t.Parallel()
	const form, token = "application/x-www-form-urlencoded", "sandbox_exchangeable_ABC234"
	r := Redactor{ClientSecret: "s3cr3t-of-8"}
	for _, test := range []struct{ what, contentType, body, want string }{
		{"nothing", "", "", ""},
		{"JSON", "", `{"exchangeable_token": "foreign"}`, `{"exchangeable_token":"[redacted]"}`},
		{"letter case", "", `{"Exchangeable_Token": "foreign", "exchangeableToken": "foreign", "client-secret": "foreign"}`, `{"Exchangeable_Token":"[redacted]","client-secret":"[redacted]","exchangeableToken":"[redacted]"}`},
		{"a JSON key", "", `{"` + token + `": 1}`, `{"[redacted]":1}`},
		{"a JSON string", "", `["x ` + strings.ToUpper(token) + ` y", {"a": "s3cr3t-of-8"}, 5]`, `["x [redacted] y",{"a":"[redacted]"},5]`},
		{"a secret that is an object", "", `{"password": {"a": "b"}}`, `{"password":"[redacted]"}`},
		{"a form", form, "client_id=id&grant_type=client_credentials&client_secret=foreign&scope=a+b", "client_id=id&client_secret=%5Bredacted%5D&grant_type=client_credentials&scope=a+b"},
		{"a form's letter case", form, "Client_Secret=foreign", "Client_Secret=%5Bredacted%5D"},
		{"a form key", form, "foreign-token", "%5Bredacted%5D=%5Bredacted%5D"},
		{"JSON as a form key", form, `{"exchangeable_token": "foreign"}!`, "%5Bredacted%5D=%5Bredacted%5D"},
		{"twice", form, "client_secret=a&client_secret=b", "client_secret=%5Bredacted%5D&client_secret=%5Bredacted%5D"},
		{"a token as client_id", form, "client_id=" + token, "client_id=%5Bredacted%5D"},
		{"neither", "text/plain", token, "[not kept: 27 bytes that are neither JSON nor a form]"},
		{"long", "", strings.Repeat(" ", maxBody+1), "[not kept: 16385 bytes]"},
	} {
		if got := r.Body(test.contentType, []byte(test.body)); got != test.want {
			t.Errorf("%s: %s, want %s", test.what, got, test.want)
		}
	}
}

func TestHeader(t *testing.T) {
	t.Parallel()
	got := Redactor{}.Header(http.Header{
		"Authorization":       {"Bearer x", "basic y", "foreign token", "foreign"},
		"Proxy-Authorization": {"Basic z"},
		"Cookie":              {"a=b"},
		"Referer":             {"http://localhost/?t=sandbox_session_ABC"},
		"Accept":              {"*/*"},
	})
	want := http.Header{
		"Authorization":       {"Bearer [redacted]", "basic [redacted]", "[redacted]", "[redacted]"},
		"Proxy-Authorization": {"Basic [redacted]"},
		"Cookie":              {"[redacted]"},
		"Referer":             {"http://localhost/?t=[redacted]"},
		"Accept":              {"*/*"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// A short client secret is not removed from other text: it may be part of a word.
func TestShortSecret(t *testing.T) {
	t.Parallel()
	if got := (Redactor{ClientSecret: "path"}).Text("/path"); got != "/path" {
		t.Errorf("got %s", got)
	}
}
