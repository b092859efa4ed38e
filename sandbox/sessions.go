package sandbox

import (
	"crypto/rand"
	"net/http"
	"slices"
	"time"

	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/sandbox/internal/connect"
	"github.com/moneykit/moneykit-go/sandbox/internal/httpapi"
	"github.com/moneykit/moneykit-go/sandbox/internal/institution"
)

const (
	// sessionLifetime is how long an end user can complete a link session, and exchangeLifetime how long the
	// application can then exchange its token.
	sessionLifetime  = 30 * time.Minute
	exchangeLifetime = 30 * time.Minute
	// forgetAfter is when a session is removed. By then it and its exchangeable token have long expired.
	forgetAfter = 2 * (sessionLifetime + exchangeLifetime)
)

// A session is open, then completed (it has an exchangeable token), then exchanged.
type session struct {
	connect.Session
	expires, forget time.Time

	exchangeable string // set once the end user has finished
	exchangeBy   time.Time
	exchanged    bool
	linkID       string
	choice       connect.Choice
}

// state is what the sandbox remembers of sessions and links. Sandbox.mu guards it.
type state struct {
	max            int        // of sessions, and of links
	sessions       []*session // oldest first
	byToken        map[string]*session
	byExchangeable map[string]*session
	links          []*Link // oldest first
	byID           map[string]*Link
}

func newState(maximum int) state {
	return state{max: maximum, byToken: map[string]*session{}, byExchangeable: map[string]*session{}, byID: map[string]*Link{}}
}

// open starts a session and returns its token.
func (st *state) open(now time.Time, request gen.CreateLinkSessionRequest) string {
	st.forgetSessions(now)
	ses := &session{
		Session: connect.Session{Token: "sandbox_session_" + rand.Text(), Request: request},
		expires: now.Add(sessionLifetime),
		forget:  now.Add(forgetAfter),
	}
	st.sessions = append(st.sessions, ses)
	st.byToken[ses.Token] = ses
	return ses.Token
}

// forgetSessions makes room for another session: it removes those that are long over, or else the oldest. A link that
// was never handed to the application, and cannot be any more, is removed with its session.
func (st *state) forgetSessions(now time.Time) {
	old := 0
	for ; old < len(st.sessions) && (now.After(st.sessions[old].forget) || len(st.sessions)-old >= st.max); old++ {
		ses := st.sessions[old]
		delete(st.byToken, ses.Token)
		delete(st.byExchangeable, ses.exchangeable)
		if link := st.byID[ses.linkID]; link != nil && link.State == gen.PublicLinkStateAwaitingTokenExchange {
			delete(st.byID, link.LinkID)
			st.links = slices.DeleteFunc(st.links, func(l *Link) bool { return l == link })
		}
	}
	st.sessions = slices.Delete(st.sessions, 0, old)
}

// session returns the session with a token, if an end user can still complete it.
func (st *state) session(now time.Time, token string) (*session, error) {
	ses := st.byToken[token]
	switch {
	case ses == nil:
		return nil, &httpapi.Error{Status: http.StatusNotFound, Code: "link_session_error.unknown_session", Message: "There is no session with this link_session_token."}
	case ses.exchangeable != "":
		return nil, &httpapi.Error{Status: http.StatusConflict, Code: "link_session_error.session_used", Message: "This link session was completed before."}
	case !now.Before(ses.expires):
		return nil, &httpapi.Error{Status: http.StatusGone, Code: "link_session_error.session_expired", Message: "This link session has expired."}
	}
	return ses, nil
}

// complete ends a session with what the end user chose. A new link waits for the exchange; an existing one stays as it
// is until then.
func (st *state) complete(now time.Time, token string, choice connect.Choice) (*session, error) {
	ses, err := st.session(now, token)
	if err != nil {
		return nil, err
	}
	ses.linkID = ses.Request.ExistingLinkID
	if ses.linkID == "" {
		ses.linkID = st.add(newLink(ses.Request, choice))
	}
	ses.choice = choice
	ses.exchangeable = "sandbox_exchangeable_" + rand.Text()
	ses.exchangeBy = now.Add(exchangeLifetime)
	st.byExchangeable[ses.exchangeable] = ses
	return ses, nil
}

// add adds a link, removes the oldest if there are too many, and returns the new one's id.
func (st *state) add(link *Link) string {
	if len(st.links) >= st.max {
		delete(st.byID, st.links[0].LinkID)
		st.links = slices.Delete(st.links, 0, 1)
	}
	st.links = append(st.links, link)
	st.byID[link.LinkID] = link
	return link.LinkID
}

// exchange returns the link for an exchangeable token, once.
func (st *state) exchange(now time.Time, exchangeable string) (*Link, error) {
	ses := st.byExchangeable[exchangeable]
	invalid := func(why string) (*Link, error) {
		return nil, &httpapi.Error{Status: http.StatusBadRequest, Code: "link_session_error.invalid_token_exchange", Message: "The exchangeable token " + why + "."}
	}
	switch {
	case ses == nil:
		return invalid("is unknown")
	case ses.exchanged:
		return invalid("was exchanged before")
	case !now.Before(ses.exchangeBy):
		return invalid("has expired")
	}
	link := st.byID[ses.linkID]
	if link == nil {
		return invalid("is for a link that was removed")
	}
	ses.exchanged = true
	link.connect(now, ses.Request, ses.choice)
	return link, nil
}

// Complete ends a link session in place of the end user: one who picks the session's institution, or the sandbox's own
// bank, and consents to everything. It returns the exchangeable token that Connect would give the front end. It returns
// an error if the session is unknown, was completed before or has expired.
func (s *Sandbox) Complete(linkSessionToken string) (exchangeableToken string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ses, err := s.state.session(s.now(), linkSessionToken)
	if err != nil {
		return "", err
	}
	ses, err = s.state.complete(s.now(), linkSessionToken, connect.Choice{Institution: institution.ByID(ses.Request.InstitutionID)})
	if err != nil {
		return "", err
	}
	return ses.exchangeable, nil
}
