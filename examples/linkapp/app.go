package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/webhook"
)

// callTimeout bounds a call of MoneyKit. An exchange goes on when the user closes the page.
const callTimeout = 30 * time.Second

// An app is the back end.
type app struct {
	client     *api.Client
	verifier   *webhook.Verifier
	store      *store
	origin     string // under which browsers and MoneyKit reach it
	connectURL string // the origin that serves Connect
	log        *slog.Logger
	now        func() time.Time
	stopping   <-chan struct{} // closed when the server is about to stop
}

func (a *app) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.servePage)
	mux.HandleFunc("GET /oauth/{id}", a.servePage) // where banks with a page of their own send the user back to
	mux.HandleFunc("GET /linking/changes", a.serveChanges)
	mux.HandleFunc("POST /linking/session", a.createSession)
	mux.HandleFunc("POST /linking/exchange-token", a.exchangeToken)
	mux.Handle("POST "+webhookPath, webhook.Handler(a.verifier, a.processEvent))
	mux.Handle("GET /static/", http.FileServerFS(static))
	return a.protect(mux)
}

// createSession starts a link session for the user: for a new link, or to connect a link of the user's again. The
// attempt is stored first, so that nothing that MoneyKit sends about its link is about an attempt unknown here.
func (a *app) createSession(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Reconnect string `json:"reconnect"` // the ID of the attempt that led to the link; empty for a new link
	}
	user, ok := read(w, r, &in)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), callTimeout)
	defer cancel()
	next := attempt{ID: rand.Text(), User: user}
	request := gen.CreateLinkSessionRequest{
		CustomerUser: gen.LinkSessionCustomerUser{ID: user},
		RedirectURI:  a.origin + "/oauth/" + next.ID,
		LinkTags:     []string{attemptTag + next.ID},
		Webhook:      a.origin + webhookPath,
		Settings: gen.LinkSessionSettingOverrides{Products: gen.ProductsSettings{
			Transactions: &gen.TransactionsProductSettings{RequirePermission: true, Reason: "show you where your money goes"},
			Identity:     &gen.ProductSettings{Reason: "fill in your name and address for you"},
		}},
		ConnectFeatures: gen.MoneyKitConnectFeatures{DuplicateInstitutionWarning: true, IssueReporter: true},
	}
	if in.Reconnect != "" {
		linked, err := a.store.find(ctx, user, in.Reconnect)
		if err != nil || linked.LinkID == "" {
			a.notFound(w, err)
			return
		}
		request.ExistingLinkID, next.Institution = linked.LinkID, linked.Institution
	}
	if err := a.store.create(ctx, next); err != nil {
		a.fail(w, err, http.StatusInternalServerError, "try_again", "Linking is not possible right now. Nothing was changed; please try again later.")
		return
	}
	session, err := a.client.CreateLinkSession(ctx, request)
	switch {
	case err == nil:
		write(w, http.StatusOK, response{Kind: "session", ID: next.ID, LinkSessionToken: session.LinkSessionToken})
	case errors.Is(err, api.ErrRateLimited):
		a.fail(w, err, http.StatusTooManyRequests, "try_again", "That was a little fast. Wait a minute, then try again.")
	case errors.Is(err, api.ErrValidation) && in.Reconnect != "":
		a.fail(w, err, http.StatusConflict, "unknown_link", "MoneyKit does not know this link any more. Link the bank again.")
	default:
		a.fail(w, err, http.StatusBadGateway, "try_again", "Linking is not possible right now. Nothing was changed; please try again later.")
	}
}

// exchangeToken exchanges what Connect gave to the page for a link. The token is stored before it is sent, so that the
// user can finish later whatever happens here.
func (a *app) exchangeToken(w http.ResponseWriter, r *http.Request) {
	var in struct {
		ID                string `json:"id"`                 // of the attempt
		ExchangeableToken string `json:"exchangeable_token"` // empty to use the one that is stored
		Institution       string `json:"institution"`        // its name, shown until MoneyKit sends it
	}
	user, ok := read(w, r, &in)
	if !ok {
		return
	}
	ctx := context.WithoutCancel(r.Context())
	var exchange bool
	current, err := a.store.update(ctx, in.ID, func(t *attempt) error {
		if t.User != user {
			return sql.ErrNoRows
		}
		exchange = t.begin(in.ExchangeableToken, in.Institution, a.now())
		return nil
	})
	if err != nil {
		a.notFound(w, err)
		return
	}
	if exchange {
		bounded, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		token := current.ExchangeableToken
		result, failure := a.client.ExchangeToken(bounded, gen.ExchangeTokenRequest{ExchangeableToken: token})
		if failure != nil {
			a.log.Warn("exchange", "attempt", in.ID, "error", failure)
		}
		current, err = a.store.update(ctx, in.ID, func(t *attempt) error { return t.end(token, result, failure, a.now()) })
		if err != nil {
			var linkID string
			if failure == nil {
				linkID = result.Link.LinkID
			}
			a.log.Error("the outcome of an exchange was not stored", "attempt", in.ID, "link_id", linkID, "error", err)
			write(w, http.StatusInternalServerError, response{Kind: "unconfirmed", Message: unconfirmed})
			return
		}
	} else if current.status(a.now()) == statusNone {
		write(w, http.StatusBadRequest, response{Kind: "bad_request", Message: "exchangeable_token is missing."})
		return
	}
	a.writeStatus(w, current)
}

const unconfirmed = "MoneyKit’s response did not arrive, so we do not know yet whether your bank is linked. " +
	"If it is, it appears below by itself. Please do not link it a second time."

// writeStatus writes what the user needs to know of an attempt after an exchange.
func (a *app) writeStatus(w http.ResponseWriter, t attempt) {
	switch t.status(a.now()) {
	case statusLinked:
		name := t.Institution
		if name == "" {
			name = "Your bank"
		}
		write(w, http.StatusOK, response{Kind: "linked", Message: name + " is linked."})
	case statusUnconfirmed:
		write(w, http.StatusAccepted, response{Kind: "unconfirmed", Message: unconfirmed})
	case statusLost:
		write(w, http.StatusAccepted, response{Kind: "lost", Message: "MoneyKit has not confirmed this link. If your bank is linked, its details got lost on the way to us: " +
			"our support finds them by your reference, " + t.User + ". Otherwise, please link your bank again."})
	case statusReady:
		write(w, http.StatusBadGateway, response{Kind: "try_again", Message: "MoneyKit cannot be reached at the moment. You need not go through your bank again: just try again in a moment."})
	default:
		write(w, http.StatusGone, response{Kind: "expired", Message: "This took too long, and the bank was not linked. Please link it again."})
	}
}

// notFound writes why an attempt was not found.
func (a *app) notFound(w http.ResponseWriter, err error) {
	if err == nil || errors.Is(err, sql.ErrNoRows) {
		write(w, http.StatusNotFound, response{Kind: "not_found", Message: "There is no such link. Reload the page."})
		return
	}
	a.fail(w, err, http.StatusInternalServerError, "try_again", "Plainbook has a problem. Please try again in a moment.")
}

// fail logs an error, which has no secret in it, and writes what the user can do.
func (a *app) fail(w http.ResponseWriter, err error, status int, kind, message string) {
	a.log.Warn("linking", "kind", kind, "error", err)
	write(w, status, response{Kind: kind, Message: message})
}

// A response is what the page's script gets.
type response struct {
	Kind             string `json:"kind"`
	Message          string `json:"message,omitempty"` // for the user
	ID               string `json:"id,omitempty"`
	LinkSessionToken string `json:"link_session_token,omitempty"`
}

func write(w http.ResponseWriter, status int, body response) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // an error: the browser is gone
}
