package sandbox

import (
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
)

// The page of an institution that lets people in by OAuth, in a window or tab of its own. The state in its URL stands
// for the session; it came from stepAuthorize and goes back to the session's redirect_uri.

type bankPage struct {
	Institution connectInstitution
	Accounts    []account
	Application string
	State       string
}

// sessionAtBank is the session that is on its way through an institution's own page.
func (s *Sandbox) sessionAtBank(state string) (*session, error) {
	for _, ses := range s.state.sessions {
		if state != "" && ses.visit.state == state {
			return s.state.openSession(s.now(), ses.token)
		}
	}
	return nil, refusal{http.StatusNotFound, "unknown_state", "This sign-in page is not open any more."}
}

func (s *Sandbox) serveBank(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ses, err := s.sessionAtBank(r.URL.Query().Get("state"))
	if err != nil {
		writeBankProblem(w, err)
		return
	}
	in := ses.visit.at
	writePage(w, http.StatusOK, "bank.html",
		// A browser holds the redirect that follows the form against form-action too.
		"style-src 'self'; form-action 'self' "+originOf(ses.request.RedirectURI)+"; frame-ancestors 'none'",
		bankPage{
			Institution: s.state.show(ses, in),
			Accounts:    in.accountsFor(ses.request, s.state.links[ses.request.ExistingLinkID]),
			Application: ses.visit.application,
			State:       ses.visit.state,
		})
}

func (s *Sandbox) serveBankDecision(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ses, err := s.sessionAtBank(r.PostFormValue("state"))
	if err != nil {
		writeBankProblem(w, err)
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
	http.Redirect(w, r, ses.request.RedirectURI+"?"+back.Encode(), http.StatusSeeOther)
}

func writeBankProblem(w http.ResponseWriter, err error) {
	status, message := http.StatusInternalServerError, err.Error()
	if refused := (refusal{}); errors.As(err, &refused) {
		status, message = refused.status, refused.message
	}
	writePage(w, status, "unusable.html", "style-src 'self'; frame-ancestors 'none'", message+" Go back to the application and start again.")
}
