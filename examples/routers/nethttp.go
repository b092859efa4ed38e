package routers

import (
	"encoding/json"
	"net/http"

	"github.com/moneykit/moneykit-go/webhook"
)

// NetHTTP serves l with net/http alone.
func NetHTTP(l *Linking) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /linking/session", l.serveSession)
	mux.HandleFunc("POST /linking/exchange-token", l.serveExchange)
	mux.Handle("POST /moneykit_webhook", webhook.Handler(l.Verifier, l.Event))
	return mux
}

func (l *Linking) serveSession(w http.ResponseWriter, r *http.Request) {
	token, err := l.createSession(r.Context(), l.User(r))
	if err != nil {
		http.Error(w, "linking failed", status(err))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(sessionResponse{token})
}

func (l *Linking) serveExchange(w http.ResponseWriter, r *http.Request) {
	var in exchangeRequest
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&in); err != nil {
		http.Error(w, "the body must be JSON", http.StatusBadRequest)
		return
	}
	if err := l.exchange(r.Context(), l.User(r), in.ExchangeableToken); err != nil {
		http.Error(w, "linking failed", status(err))
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
