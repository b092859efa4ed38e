package sharedtoken

import (
	"reflect"
	"testing"
	"time"
)

func mustSealer(t *testing.T, id, secret, url string, scopes ...string) *sealer {
	t.Helper()
	s, err := newSealer(id, secret, url, scopes)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSeal(t *testing.T) {
	t.Parallel()
	s := mustSealer(t, clientID, clientSecret, tokenURL, "read", "write")
	want := record{AccessToken: "access", Lifetime: time.Hour, Expires: 1}
	value, err := s.seal(want)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.open(value); got == nil || !reflect.DeepEqual(*got, want) {
		t.Errorf("got %+v", got)
	}
	if again, _ := s.seal(want); again == value {
		t.Error("the same value twice: the nonce is not random")
	}
	same := mustSealer(t, clientID, clientSecret, tokenURL, "write", "read", "write")
	if same.open(value) == nil || same.name != s.name {
		t.Error("the order of scopes matters")
	}
	for name, other := range map[string]*sealer{
		"client ID":     mustSealer(t, "other", clientSecret, tokenURL, "read", "write"),
		"client secret": mustSealer(t, clientID, "other", tokenURL, "read", "write"),
		"token URL":     mustSealer(t, clientID, clientSecret, tokenURL+"/", "read", "write"),
		"scopes":        mustSealer(t, clientID, clientSecret, tokenURL, "read"),
		"moved border":  mustSealer(t, clientID+" "+tokenURL, clientSecret, "read", "write"),
	} {
		if other.open(value) != nil || other.name == s.name {
			t.Errorf("another %s opens the value, or has the same key", name)
		}
		// Not the key alone: the binding is authenticated too.
		other.aead = s.aead
		if other.open(value) != nil && name != "client secret" {
			t.Errorf("another %s is not bound", name)
		}
	}
	for i := range value {
		forged := []byte(value)
		forged[i] ^= 1
		if s.open(string(forged)) != nil {
			t.Errorf("byte %d can be changed", i)
		}
		if s.open(value[:i]) != nil {
			t.Errorf("%d bytes are enough", i)
		}
	}
}

func FuzzOpen(f *testing.F) {
	s, err := newSealer(clientID, clientSecret, tokenURL, nil)
	if err != nil {
		f.Fatal(err)
	}
	value, _ := s.seal(record{AccessToken: "access"})
	f.Add(value)
	f.Add("")
	f.Fuzz(func(t *testing.T, value string) {
		if r := s.open(value); r != nil && r.AccessToken != "access" {
			t.Errorf("opened %+v", r)
		}
	})
}
