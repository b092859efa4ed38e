// Package server has the HTTP server that serves a sandbox, in a test and in the program.
package server

import (
	"net/http"
	"time"
)

// The timeouts: for the header of a request, for all of it, for the response, and between requests. A scripted delay is
// without one.
const (
	ReadHeaderTimeout = 10 * time.Second
	ReadTimeout       = 30 * time.Second
	WriteTimeout      = 60 * time.Second
	IdleTimeout       = 2 * time.Minute
)

// New returns a server that does not wait for slow clients.
func New(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: ReadHeaderTimeout,
		ReadTimeout:       ReadTimeout,
		WriteTimeout:      WriteTimeout,
		IdleTimeout:       IdleTimeout,
	}
}
