package main

import (
	"bytes"
	"fmt"
	"sync"
)

// problems are what a run found to be wrong.
type problems struct {
	mu   sync.Mutex
	list []error
}

// check records err, unless it is nil.
func (p *problems) check(err error) {
	if err == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list = append(p.list, err)
}

// secrets are what every secret of the sandbox begins with.
var secrets = [][]byte{[]byte("sandbox_secret_"), []byte("sandbox_access_"), []byte("sandbox_exchangeable_"), []byte("sandbox_session_")}

// Write takes what the client logs, and what its errors print.
func (p *problems) Write(text []byte) (int, error) {
	for _, secret := range secrets {
		if bytes.Contains(text, secret) {
			p.check(fmt.Errorf("a secret was printed: %s", text))
		}
	}
	return len(text), nil
}
