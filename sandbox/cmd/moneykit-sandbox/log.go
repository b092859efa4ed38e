package main

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/moneykit/moneykit-go/sandbox/internal/redact"
)

// logRequests logs one line per request. The status is zero if there was no response.
func logRequests(logger *slog.Logger, redactor redact.Redactor, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		recorder := &statusRecorder{ResponseWriter: w}
		defer func() { // a dropped connection is a panic
			logger.Info("request", "method", r.Method, "path", redactor.Text(r.URL.Path), "status", recorder.status,
				"duration", time.Since(start).Round(time.Microsecond), "request_id", w.Header().Get("X-Request-Id"))
		}()
		next.ServeHTTP(recorder, r)
	})
}

// A statusRecorder remembers the status of a response.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (r *statusRecorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap is for [http.ResponseController].
func (r *statusRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
