package webhook

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"runtime/debug"

	"github.com/moneykit/moneykit-go/internal/transport"
)

// Handler returns an [http.Handler] that verifies each request and calls process with its event. MoneyKit sends an event
// again until it gets a 2xx response, for up to two hours.
//
//	204  process returned nil
//	400  the request is forged, altered, stale or malformed (ErrInvalidSignature)
//	405  the method is not POST
//	413  the body is longer than WithMaxBodySize allows
//	500  process returned an error or panicked
//	503  the public keys could not be fetched (ErrKeysUnavailable)
//
// The context of process is the request's. It may be called with the same event more than once, also at the same
// time: see [Event.IdempotencyKey].
func Handler(v *Verifier, process func(context.Context, *Event) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			v.log(r, http.StatusMethodNotAllowed, fmt.Errorf("moneykit: webhook: the method is %.16s, want POST", transport.Redactor{}.Clean(r.Method)))
			respond(w, http.StatusMethodNotAllowed)
			return
		}
		event, err := v.parse(w, r)
		if err != nil {
			status := statusOf(err)
			v.log(r, status, err)
			respond(w, status)
			return
		}
		if err := v.process(r, event, process); err != nil {
			v.log(r, http.StatusInternalServerError, err)
			respond(w, http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

// respond sends the status and its name: why a request was rejected is for logs, not for whoever sent it.
func respond(w http.ResponseWriter, status int) { http.Error(w, http.StatusText(status), status) }

func statusOf(err error) int {
	switch limit := (*http.MaxBytesError)(nil); {
	case errors.As(err, &limit):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, ErrInvalidSignature):
		return http.StatusBadRequest
	case errors.Is(err, ErrKeysUnavailable):
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}

// process calls f, and makes an error of its panic.
func (v *Verifier) process(r *http.Request, event *Event, f func(context.Context, *Event) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errors.New("the function that processes events panicked")
			v.logPanic(r, p)
		}
	}()
	return f(r.Context(), event)
}

// logPanic logs a panic where net/http would, unless there is a logger.
func (v *Verifier) logPanic(r *http.Request, p any) {
	stack := debug.Stack()
	if v.logger != nil {
		v.logger.LogAttrs(r.Context(), slog.LevelError, "moneykit: webhook: panic",
			slog.String("panic", fmt.Sprint(p)), slog.String("stack", string(stack)))
		return
	}
	printf := log.Printf
	if srv, _ := r.Context().Value(http.ServerContextKey).(*http.Server); srv != nil && srv.ErrorLog != nil {
		printf = srv.ErrorLog.Printf
	}
	printf("moneykit: webhook: panic processing an event: %v\n%s", p, stack)
}

func (v *Verifier) log(r *http.Request, status int, err error) {
	if v == nil || v.logger == nil {
		return
	}
	v.logger.LogAttrs(r.Context(), slog.LevelWarn, "moneykit: webhook: event not processed",
		slog.Int("status", status), slog.Any("error", err),
		slog.String("delivery_token", transport.Redactor{}.Clean(r.Header.Get("MoneyKit-Delivery-Token"))),
		slog.String("delivery_attempt", transport.Redactor{}.Clean(r.Header.Get("MoneyKit-Delivery-Attempt"))))
}
