package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/gen"
)

// exchangeTimeout bounds an exchange, which goes on when the user closes the page.
const exchangeTimeout = 30 * time.Second

// app is the back end.
type app struct {
	client     *api.Client
	store      store
	base       string // its own origin
	connectURL string // Connect's
	log        *slog.Logger
}

func newApp(client *api.Client, store store, base, connectURL string, log *slog.Logger) http.Handler {
	a := &app{client, store, base, connectURL, log}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.servePage)
	mux.HandleFunc("GET /oauth", a.servePage) // where banks with a page of their own send the user back to
	mux.HandleFunc("GET /linking/links", a.serveLinks)
	mux.HandleFunc("POST /linking/session", a.createSession)
	mux.HandleFunc("POST /linking/exchange-token", a.exchangeToken)
	mux.Handle("GET /static/", http.FileServerFS(static))
	return a.protect(mux)
}

// createSession starts a link session for the user, or one that connects a link of the user's again.
func (a *app) createSession(w http.ResponseWriter, r *http.Request) {
	var in struct {
		ID int64 `json:"id"` // of the row to connect again; 0 for a new link
	}
	user, ok := read(w, r, &in)
	if !ok {
		return
	}
	request := gen.CreateLinkSessionRequest{
		CustomerUser: gen.LinkSessionCustomerUser{ID: user},
		RedirectURI:  a.base + "/oauth",
		Settings: gen.LinkSessionSettingOverrides{Products: gen.ProductsSettings{
			Transactions: &gen.TransactionsProductSettings{RequirePermission: true, Reason: "show you where your money goes"},
			Identity:     &gen.ProductSettings{Reason: "fill in your name and address for you"},
		}},
		ConnectFeatures: gen.MoneyKitConnectFeatures{DuplicateInstitutionWarning: true, IssueReporter: true},
	}
	if in.ID != 0 {
		existing, err := a.store.find(r.Context(), user, in.ID)
		if err != nil || !existing.Exchanged() {
			reply(w, http.StatusNotFound, "not_found", "There is no such link. Reload the page.")
			return
		}
		request.ExistingLinkID = existing.LinkID
	}
	session, err := a.client.CreateLinkSession(r.Context(), request)
	switch {
	case err == nil:
		reply(w, http.StatusOK, "link_session_token", session.LinkSessionToken)
	case errors.Is(err, api.ErrRateLimited):
		a.fail(w, err, http.StatusTooManyRequests, "try_again", "That was a little fast. Wait a minute, then try again.")
	case errors.Is(err, api.ErrValidation) && in.ID != 0:
		a.fail(w, err, http.StatusConflict, "unknown_link", "MoneyKit does not know this link any more. Link the bank again.")
	default:
		a.fail(w, err, http.StatusBadGateway, "try_again", "Linking is not possible right now. Nothing was changed; please try again later.")
	}
}

// exchangeToken exchanges what Connect gave to the page for a link, and stores it. The token is stored before it is
// sent: whatever happens then, a user who looks again gets the link, or is told what became of it.
func (a *app) exchangeToken(w http.ResponseWriter, r *http.Request) {
	var in struct {
		ExchangeableToken string `json:"exchangeable_token"`
		ID                int64  `json:"id"` // of the row to look into again, in place of a token
	}
	user, ok := read(w, r, &in)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), exchangeTimeout)
	defer cancel()
	if in.ID != 0 {
		known, err := a.store.find(ctx, user, in.ID)
		if err != nil {
			reply(w, http.StatusNotFound, "not_found", "There is no such link. Reload the page.")
			return
		}
		in.ExchangeableToken = known.ExchangeableToken
	}
	if in.ExchangeableToken == "" {
		reply(w, http.StatusBadRequest, "bad_request", "exchangeable_token is missing.")
		return
	}
	before, err := a.store.begin(ctx, user, in.ExchangeableToken)
	if err != nil {
		a.fail(w, err, http.StatusInternalServerError, "try_again", "Your link could not be stored. Please try again in a moment.")
		return
	}
	if before.Exchanged() {
		reply(w, http.StatusOK, "linked", before.Institution+" is linked.")
		return
	}
	result, err := a.client.ExchangeToken(ctx, gen.ExchangeTokenRequest{ExchangeableToken: in.ExchangeableToken})
	if err == nil {
		err = a.store.exchanged(ctx, user, before.ID, result.Link)
		if err != nil { // the log is all that is left to keep the link in
			a.log.Error("link not stored", "user", user, "link_id", result.Link.LinkID, "error", err)
			reply(w, http.StatusInternalServerError, "unconfirmed", "Your bank is linked, but we could not store it. We have been told and will put it right.")
			return
		}
		reply(w, http.StatusOK, "linked", result.Link.InstitutionName+" is linked.")
		return
	}
	invalid := errors.Is(err, api.ErrInvalidTokenExchange)
	sentBefore := before.State != statePending
	switch {
	case errors.Is(err, api.ErrOutcomeUnknown):
		a.fail(w, err, http.StatusBadGateway, "unconfirmed", "MoneyKit's answer did not arrive, so we do not know yet whether your bank is linked. Nothing is lost: check again in a moment. Please do not link it a second time.")
	case invalid && sentBefore: // an exchange takes place once: the earlier one did
		err = errors.Join(err, a.store.setState(ctx, before.ID, stateUnidentified))
		a.fail(w, err, http.StatusConflict, "unidentified", "Your bank is linked, but its details got lost on the way to us. Our support finds them by your reference, "+user+".")
	case invalid:
		err = errors.Join(err, a.store.forget(ctx, before.ID))
		a.fail(w, err, http.StatusGone, "expired", "This took too long, and the bank was not linked. Please link it again.")
	case sentBefore:
		a.fail(w, err, http.StatusBadGateway, "unconfirmed", "MoneyKit cannot be reached, so we still do not know whether your bank is linked. Check again in a moment.")
	default:
		err = errors.Join(err, a.store.setState(ctx, before.ID, statePending))
		a.fail(w, err, http.StatusBadGateway, "try_again", "MoneyKit cannot be reached at the moment. You need not go through your bank again: just try again in a moment.")
	}
}

// fail logs what happened, which api's errors do without secrets, and tells the user what to do.
func (a *app) fail(w http.ResponseWriter, err error, status int, kind, message string) {
	a.log.Warn("linking", "kind", kind, "error", err)
	reply(w, status, kind, message)
}

func reply(w http.ResponseWriter, status int, kind, value string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"kind": kind, "value": value}) // an error: the browser is gone
}
