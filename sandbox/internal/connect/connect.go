// Package connect is MoneyKit Connect, the page that MoneyKit's launcher opens in the end user's browser. Its HTML,
// style and script are in assets, and what the script sends is handled in steps.go. bank.go is the page of an
// institution that lets end users sign in by OAuth.
package connect

import (
	"sync"

	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/sandbox/internal/httpapi"
	"github.com/moneykit/moneykit-go/sandbox/internal/institution"
)

// A Backend is the service that Connect runs on. Its errors are of the type [httpapi.Error].
type Backend interface {
	// Session returns the open session with this token, the same pointer each time.
	Session(linkSessionToken string) (*Session, error)
	// Sessions returns the sessions that are not forgotten, whether open or not.
	Sessions() []*Session
	// Link returns the link with this id.
	Link(id string) (Link, bool)
	// LinksOf returns the links of an end user.
	LinksOf(customerUserID string) []Link
	// Complete ends a session. Its result is what the launcher's success callback gets.
	Complete(linkSessionToken string, choice Choice) (linkID, exchangeableToken string, err error)
	// Reconnect ends a session that has an existing link, and changes that link at once.
	Reconnect(linkSessionToken string, choice Choice) (linkID string, err error)
	// CheckOrigin returns an error if an origin is not registered for the application.
	CheckOrigin(origin string) error
}

// A Session is a link session. The Backend keeps it for as long as the session is remembered.
type Session struct {
	Token   string
	Request gen.CreateLinkSessionRequest

	visit visit // guarded by Handler.mu
}

// A Link is what Connect knows of a link.
type Link struct {
	ID, InstitutionID, InstitutionName string
	Countries                          []gen.Country
	Data                               gen.CustomSandboxData
	Remembered                         bool // with a Money ID
}

// A Choice is what an end user chose in Connect.
type Choice struct {
	Institution institution.Institution
	Declined    []gen.Product
	Remember    bool // with a Money ID
}

// A Handler serves Connect. It takes one step at a time.
type Handler struct {
	backend Backend
	mu      sync.Mutex
}

// New returns Connect on top of backend.
func New(backend Backend) *Handler { return &Handler{backend: backend} }

// Routes returns what Connect serves.
func (h *Handler) Routes() []httpapi.Route {
	step := func(path string, do func(*Session, stepRequest) (any, error)) httpapi.Route {
		return httpapi.Route{Method: "POST", Path: "/connect/" + path, Handler: h.serveStep(do)}
	}
	return []httpapi.Route{
		{Method: "GET", Path: "/start", Description: "Connect, for a browser: ?linkSessionToken=…&origin=…, as the launcher opens it", Handler: h.servePage(modeLink)},
		{Method: "GET", Path: "/relink", Description: "Connect for a session with an existing_link_id", Handler: h.servePage(modeRelink)},
		{Method: "GET", Path: "/continue", Description: "Connect after an institution's own page: also &redirectURL=…", Handler: h.servePage(modeContinue)},
		{Method: "GET", Path: "/connect/connect.css", Handler: serveAsset("connect.css", "text/css; charset=utf-8")},
		{Method: "GET", Path: "/connect/connect.js", Handler: serveAsset("connect.js", "text/javascript; charset=utf-8")},
		{Method: "GET", Path: "/connect/bank", Handler: h.serveBank()},
		{Method: "POST", Path: "/connect/bank/decision", Handler: h.serveBankDecision()},
		step("sign-in", h.signIn),
		step("manual", h.enterManually),
		step("authorize", h.authorize),
		step("resume", h.resume),
		step("finish", h.finish),
		step("report", h.report),
	}
}

// preset returns the institution of a session that leaves no choice.
func (h *Handler) preset(ses *Session) (institution.Institution, bool) {
	if existing, ok := h.backend.Link(ses.Request.ExistingLinkID); ok {
		in := institution.ByID(existing.InstitutionID)
		in.Name = existing.InstitutionName
		return in, true
	}
	return institution.ByID(ses.Request.InstitutionID), ses.Request.InstitutionID != ""
}

// accountsAt returns what the end user of a session finds at an institution: the session's own data, or else that of
// the link that is connected again, or else the institution's.
func (h *Handler) accountsAt(in institution.Institution, ses *Session) []institution.Account {
	data := ses.Request.CustomSandboxData
	if existing, ok := h.backend.Link(ses.Request.ExistingLinkID); ok && data.Accounts == nil {
		data = existing.Data
	}
	return in.Accounts(data, ses.Request.ConnectFeatures.PermitOnlyDepositoryAccounts)
}

// linkedBefore reports whether the session's end user has a link at the institution besides the one that is connected
// again, and whether a Money ID remembers it.
func (h *Handler) linkedBefore(ses *Session, in institution.Institution) (linked, remembered bool) {
	for _, link := range h.backend.LinksOf(ses.Request.CustomerUser.ID) {
		if link.InstitutionID == in.ID && !in.IsManual() {
			linked = linked || link.ID != ses.Request.ExistingLinkID
			remembered = remembered || link.Remembered
		}
	}
	return linked, remembered && ses.Request.ConnectFeatures.EnableMoneyID
}
