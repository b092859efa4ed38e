package routers

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/moneykit/moneykit-go/webhook"
)

// Chi serves l with chi, which takes the handlers of net/http.
func Chi(l *Linking) http.Handler {
	r := chi.NewRouter()
	r.Route("/linking", func(r chi.Router) {
		r.Post("/session", l.serveSession)
		r.Post("/exchange-token", l.serveExchange)
	})
	r.Method(http.MethodPost, "/moneykit_webhook", webhook.Handler(l.Verifier, l.Event))
	return r
}
