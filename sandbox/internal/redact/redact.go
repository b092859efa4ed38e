// Package redact removes secrets from what the sandbox records and logs.
package redact

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

const (
	// Mark is in place of a secret.
	Mark = "[redacted]"

	maxBody = 16 << 10
)

var (
	// tokens are the sandbox's own secrets, wherever they are.
	tokens = regexp.MustCompile(`(?i)sandbox_(secret|access|session|exchangeable)_[a-z0-9_-]+`)

	// secretFields are the form and JSON fields with a secret value, in lower case and without hyphens and underscores.
	secretFields = []string{"accesstoken", "clientsecret", "exchangeabletoken", "linksessiontoken", "password", "code", "redirecturl", "state"}
	// plainFields are the form fields without one. The value of any other field, and its name, may be a secret.
	plainFields   = []string{"grant_type", "client_id", "scope", "decision"}
	secretHeaders = []string{"Authorization", "Cookie", "Proxy-Authorization"}
)

// A Redactor removes a client secret and the sandbox's own tokens.
type Redactor struct {
	// ClientSecret is removed wherever it is, if it has 8 characters or more.
	ClientSecret string
}

// Text returns text without secrets.
func (r Redactor) Text(text string) string {
	text = tokens.ReplaceAllString(text, Mark)
	if len(r.ClientSecret) >= 8 {
		text = strings.ReplaceAll(text, r.ClientSecret, Mark)
	}
	return text
}

// Header returns a copy of h without secrets.
func (r Redactor) Header(h http.Header) http.Header {
	clean := http.Header{}
	for name, values := range h {
		secret := slices.Contains(secretHeaders, name)
		for _, value := range values {
			scheme, _, _ := strings.Cut(value, " ")
			switch {
			case secret && (strings.EqualFold(scheme, "Bearer") || strings.EqualFold(scheme, "Basic")):
				value = scheme + " " + Mark
			case secret:
				value = Mark
			default:
				value = r.Text(value)
			}
			clean[name] = append(clean[name], value)
		}
	}
	return clean
}

// Body returns a JSON or form body without secrets. A body that is neither, or longer than 16 KiB, is replaced by a
// note.
func (r Redactor) Body(contentType string, body []byte) string {
	if len(body) == 0 {
		return ""
	}
	if len(body) > maxBody {
		return fmt.Sprintf("[not kept: %d bytes]", len(body))
	}
	var value any
	if json.Unmarshal(body, &value) == nil {
		if clean, err := json.Marshal(r.json(value)); err == nil {
			return string(clean)
		}
	}
	if strings.HasPrefix(contentType, "application/x-www-form-urlencoded") {
		if form, err := url.ParseQuery(string(body)); err == nil {
			return r.form(form).Encode()
		}
	}
	return fmt.Sprintf("[not kept: %d bytes that are neither JSON nor a form]", len(body))
}

func (r Redactor) form(form url.Values) url.Values {
	clean := url.Values{}
	for name, values := range form {
		plain := slices.Contains(plainFields, name)
		if !plain && !isSecret(name) {
			name = Mark
		}
		for _, value := range values {
			if plain {
				clean.Add(name, r.Text(value))
			} else {
				clean.Add(name, Mark)
			}
		}
	}
	return clean
}

func (r Redactor) json(value any) any {
	switch value := value.(type) {
	case map[string]any:
		clean := make(map[string]any, len(value))
		for name, field := range value {
			if isSecret(name) {
				clean[name] = Mark
			} else {
				clean[r.Text(name)] = r.json(field)
			}
		}
		return clean
	case []any:
		for i, item := range value {
			value[i] = r.json(item)
		}
	case string:
		return r.Text(value)
	}
	return value
}

// isSecret reports whether the value of a field is a secret, however its name is written.
func isSecret(name string) bool {
	name = strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(name))
	return slices.Contains(secretFields, name)
}
