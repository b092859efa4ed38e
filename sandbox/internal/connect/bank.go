package connect

import (
	"crypto/rand"
	"net/http"
	"net/url"

	"github.com/moneykit/moneykit-go/sandbox/internal/httpapi"
	"github.com/moneykit/moneykit-go/sandbox/internal/institution"
	"github.com/moneykit/moneykit-go/sandbox/internal/origin"
)

// The page of an institution that lets end users sign in by OAuth, in a window or tab of its own. The state in its URL
// stands for the session: it comes from the step authorize and goes back to the session's redirect_uri.

type bankPage struct {
	Institution shownInstitution
	Accounts    []institution.Account
	Application string
	State       string
}

// sessionAtBank returns the open session that has this state.
func (h *Handler) sessionAtBank(state string) (*Session, error) {
	for _, ses := range h.backend.Sessions() {
		if state != "" && ses.visit.state == state {
			return h.backend.Session(ses.Token)
		}
	}
	return nil, &httpapi.Error{Status: http.StatusNotFound, Code: "unknown_state", Message: "This sign-in page is not open any more."}
}

func (h *Handler) serveBank() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		defer h.mu.Unlock()
		ses, err := h.sessionAtBank(r.URL.Query().Get("state"))
		if err != nil {
			writeBankError(w, err)
			return
		}
		writePage(w, http.StatusOK, "bank.html",
			// Browsers apply form-action to the redirect that follows the form, too.
			"style-src 'self'; form-action 'self' "+origin.Of(ses.Request.RedirectURI)+"; frame-ancestors 'none'",
			bankPage{
				Institution: h.show(ses, ses.visit.at),
				Accounts:    h.accountsAt(ses.visit.at, ses),
				Application: ses.visit.application,
				State:       ses.visit.state,
			})
	})
}

func (h *Handler) serveBankDecision() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		defer h.mu.Unlock()
		ses, err := h.sessionAtBank(r.PostFormValue("state"))
		if err != nil {
			writeBankError(w, err)
			return
		}
		back := url.Values{"state": {ses.visit.state}}
		if r.PostFormValue("decision") == "allow" {
			ses.visit.code = rand.Text()
			back.Set("code", ses.visit.code)
		} else {
			back.Set("error", "access_denied")
		}
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Referrer-Policy", "no-referrer")
		http.Redirect(w, r, ses.Request.RedirectURI+"?"+back.Encode(), http.StatusSeeOther)
	})
}

func writeBankError(w http.ResponseWriter, err error) {
	e := httpapi.AsError(err)
	writePage(w, e.Status, "unusable.html", "style-src 'self'; frame-ancestors 'none'", e.Message+" Go back to the application and start again.")
}
