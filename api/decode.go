package api

import (
	"bytes"
	"encoding/json"
	"errors"

	"github.com/moneykit/moneykit-go/gen"
)

// decodeJSON reads a response that is JSON.
func decodeJSON[T any](body []byte) (*T, error) {
	out := new(T)
	if err := json.Unmarshal(body, out); err != nil {
		return nil, err
	}
	return out, nil
}

// decodeLink reads the response to an exchange. The link exists by then, so a response with a link_id is a success: what
// else cannot be read, because it has another type or the body is cut off, is left empty.
func decodeLink(body []byte) (*gen.ExchangeTokenResponse, error) {
	r := new(gen.ExchangeTokenResponse)
	err := json.Unmarshal(body, r)
	if err != nil {
		fill(r, nil, nil, body, maxDepth)
	}
	if r.Link.LinkID == "" {
		r.Link.LinkID = r.LinkID
	}
	if r.LinkID == "" {
		r.LinkID = r.Link.LinkID
	}
	if r.LinkID != "" {
		return r, err
	}
	if err == nil {
		err = errors.New("link_id is missing")
	}
	return nil, err
}

const (
	maxDepth = 4  // how deep fill looks: link, products, a product, and a field of it
	maxName  = 64 // bytes of a name that fill looks at; none of the contract's is so long
)

// fill decodes value into r, at the place that prefix opens and suffix closes. If that fails, it decodes each member of
// value on its own, as far as value is complete.
func fill(r *gen.ExchangeTokenResponse, prefix, suffix, value []byte, depth int) {
	filled := *r
	if json.Unmarshal(bytes.Join([][]byte{prefix, value, suffix}, nil), &filled) == nil {
		*r = filled
		return
	}
	if depth == 0 {
		return
	}
	for name, member := range members(value) {
		if len(name) > maxName {
			continue
		}
		open := bytes.Join([][]byte{prefix, []byte("{"), name, []byte(":")}, nil)
		closing := append([]byte("}"), suffix...)
		fill(r, open, closing, member, depth-1)
	}
}

// members yields the members of a JSON object, each name with its quotes, up to where the object is cut off. The last
// value may be incomplete.
func members(object []byte) func(yield func(name, value []byte) bool) {
	return func(yield func(name, value []byte) bool) {
		d := json.NewDecoder(bytes.NewReader(object))
		if t, _ := d.Token(); t != json.Delim('{') {
			return
		}
		for d.More() {
			t, _ := d.Token()
			key, ok := t.(string)
			if !ok { // cut off
				return
			}
			name, _ := json.Marshal(key)
			rest := object[d.InputOffset():]
			var value json.RawMessage
			if err := d.Decode(&value); err != nil {
				yield(name, bytes.TrimLeft(rest, ": \t\r\n"))
				return
			}
			if !yield(name, value) {
				return
			}
		}
	}
}
