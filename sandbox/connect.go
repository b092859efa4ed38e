package sandbox

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/moneykit/moneykit-go/gen"
)

// The page that MoneyKit's launcher opens in the end user's browser: its HTML, style and script are in connect/, the
// steps that its script takes are in connect_steps.go, and the page of an institution that lets people in by OAuth is
// in connect_bank.go.

//go:embed connect
var connectFiles embed.FS

var connectPages = template.Must(template.ParseFS(connectFiles, "connect/*.html"))

// A connectMode is how the launcher opened Connect.
type connectMode string

const (
	modeLink     connectMode = "link"     // /start
	modeRelink   connectMode = "relink"   // /relink
	modeContinue connectMode = "continue" // /continue, back from an institution's own page
)

func (s *Sandbox) connectRoutes() []route {
	step := func(path string, do func(*session, stepRequest) (any, error)) route {
		return route{"POST", "/connect/" + path, "", "", s.serveStep(do)}
	}
	return []route{
		{"GET", "/start", "Connect, for a browser: ?linkSessionToken=…&origin=…, as the launcher opens it", "", s.serveConnect(modeLink)},
		{"GET", "/relink", "Connect for a session with an existing_link_id", "", s.serveConnect(modeRelink)},
		{"GET", "/continue", "Connect after an institution's own page: also &redirectURL=…", "", s.serveConnect(modeContinue)},
		{"GET", "/connect/connect.css", "", "", serveAsset("connect.css", "text/css; charset=utf-8")},
		{"GET", "/connect/connect.js", "", "", serveAsset("connect.js", "text/javascript; charset=utf-8")},
		{"GET", "/connect/bank", "", "", http.HandlerFunc(s.serveBank)},
		{"POST", "/connect/bank/decision", "", "", http.HandlerFunc(s.serveBankDecision)},
		step("sign-in", s.stepSignIn),
		step("manual", s.stepManual),
		step("authorize", s.stepAuthorize),
		step("resume", s.stepResume),
		step("finish", s.stepFinish),
		step("report", s.stepReport),
	}
}

// connectConfig is what the page's script starts from.
type connectConfig struct {
	Mode         connectMode          `json:"mode"`   // link or relink
	Resume       bool                 `json:"resume"` // back from an institution's own page, with RedirectURL
	Token        string               `json:"token"`
	Origin       string               `json:"origin"`
	ReturnOrigin string               `json:"return_origin"` // of the session's redirect_uri
	RedirectURL  string               `json:"redirect_url"`
	Application  string               `json:"application"`
	Device       string               `json:"device"`
	StepTimers   bool                 `json:"step_timers"`
	Reconnecting bool                 `json:"reconnecting"`
	Email        string               `json:"email"`
	Features     connectFeatures      `json:"features"`
	Institutions []connectInstitution `json:"institutions"`
	Preset       *connectInstitution  `json:"preset"` // instead of the choice
	Manual       connectInstitution   `json:"manual"`
	Products     []connectProduct     `json:"products"`
	Error        *connectError        `json:"error"` // there is nothing else to show
}

type connectFeatures struct {
	IssueReporter   bool `json:"issue_reporter"`
	MoneyID         bool `json:"money_id"`
	RejectDuplicate bool `json:"reject_duplicate"`
	WarnOfDuplicate bool `json:"warn_of_duplicate"`
	Manually        bool `json:"manually"`
	OneAccount      bool `json:"one_account"`
}

type connectInstitution struct {
	ID         string        `json:"id"`
	Name       string        `json:"name"`
	Domain     string        `json:"domain"`
	Color      string        `json:"color"`
	SignIn     signIn        `json:"sign_in"`
	Lacks      []gen.Product `json:"lacks"`
	Linked     bool          `json:"linked"`     // by this end user, before
	Remembered bool          `json:"remembered"` // with a Money ID
}

type connectProduct struct {
	ID       gen.Product `json:"id"`
	Label    string      `json:"label"`
	Sentence string      `json:"sentence"` // what it is used for, or else what it is
	Required bool        `json:"required"`
}

// connectError has the shape that the launcher's exit callback gets.
type connectError struct {
	ErrorID          string `json:"error_id"`
	DisplayedMessage string `json:"displayed_message"`
	RequestID        string `json:"request_id"`
}

// serveConnect serves the page. Whatever is wrong with the session is shown on the page, so that the end user can
// close it and the application is told; only with an origin that must not be told anything is there another page.
func (s *Sandbox) serveConnect(mode connectMode) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		origin := query.Get("origin")
		if problem := s.originProblem(origin); problem != "" {
			// This page tells a developer what is wrong and can do nothing, so it may be framed anywhere.
			writePage(w, http.StatusBadRequest, "unusable.html", "style-src 'self'", problem)
			return
		}
		config := connectConfig{
			Mode:        mode,
			Resume:      mode == modeContinue,
			Token:       query.Get("linkSessionToken"),
			Origin:      origin,
			RedirectURL: query.Get("redirectURL"),
			Application: applicationName(query.Get("applicationName"), origin),
			Device:      query.Get("device"),
			StepTimers:  query.Get("stepTimers") == "true",
		}
		status := http.StatusOK
		if err := s.configure(&config); err != nil {
			refused := refusal{http.StatusInternalServerError, "system_error", err.Error()}
			errors.As(err, &refused)
			status = refused.status
			config.Error = &connectError{ErrorID: refused.code, DisplayedMessage: refused.message, RequestID: w.Header().Get("X-Request-Id")}
		}
		writePage(w, status, "connect.html",
			"script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'none'; frame-ancestors "+origin, config)
	})
}

// originProblem returns what is wrong with the origin that Connect is to talk to. It must be the serialized origin
// of a page, and registered, since that page is handed the exchangeable token.
func (s *Sandbox) originProblem(origin string) string {
	switch u, err := url.Parse(origin); {
	case origin == "":
		return "The origin parameter is missing. MoneyKit's launcher sets it to window.location.origin."
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || originOf(origin) != origin:
		return "The origin parameter must be the origin of your page as window.location.origin has it: scheme://host[:port], in lower case and with nothing after it."
	case net.ParseIP(u.Hostname()).To4() == nil && strings.Contains(u.Host, "["):
		return "Open your page at http://localhost or http://127.0.0.1: a Content-Security-Policy cannot name an IPv6 address, so Connect cannot be framed there."
	case !s.registered(origin):
		return fmt.Sprintf("The origin %s is not registered. Registered are %s, and http and https on loopback.", origin, strings.Join(s.origins, ", "))
	}
	return ""
}

// configure fills in what the session says.
func (s *Sandbox) configure(config *connectConfig) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ses, err := s.state.openSession(s.now(), config.Token)
	if err != nil {
		return err
	}
	request := ses.request
	existing := s.state.links[request.ExistingLinkID]
	if config.Mode == modeRelink && existing == nil {
		return refusal{http.StatusUnprocessableEntity, "link_session_error.no_existing_link",
			"This session has no existing_link_id. Open it with link() instead of relink()."}
	}
	if config.Resume {
		config.Mode = ses.visit.mode
	}
	features := request.ConnectFeatures
	config.Features = connectFeatures{
		IssueReporter:   features.IssueReporter,
		MoneyID:         features.EnableMoneyID,
		RejectDuplicate: features.DuplicateInstitutionRejected,
		WarnOfDuplicate: features.DuplicateInstitutionWarning,
		Manually:        features.ConnectManually,
		OneAccount:      features.PermitOnlyOneAccount,
	}
	config.ReturnOrigin = originOf(request.RedirectURI)
	config.Reconnecting = existing != nil
	config.Email = request.CustomerUser.Email.Address
	if preset, ok := s.state.preset(ses); ok {
		shown := s.state.show(ses, preset)
		config.Preset = &shown
	} else {
		for _, in := range offered(request.Settings) {
			config.Institutions = append(config.Institutions, s.state.show(ses, in))
		}
	}
	config.Manual = s.state.show(ses, manual)
	config.Products = productsAsked(request.Settings)
	return nil
}

// preset is the institution of a session that leaves no choice.
func (st *state) preset(ses *session) (institution, bool) {
	if existing := st.links[ses.request.ExistingLinkID]; existing != nil {
		in := institutionByID(existing.InstitutionID)
		in.name = existing.InstitutionName
		return in, true
	}
	return institutionByID(ses.request.InstitutionID), ses.request.InstitutionID != ""
}

func (st *state) show(ses *session, in institution) connectInstitution {
	user := ses.request.CustomerUser.ID
	return connectInstitution{
		ID: in.id, Name: in.name, Domain: in.domain, Color: in.color, SignIn: in.signIn, Lacks: in.lacks,
		Linked:     st.linked(ses, in),
		Remembered: ses.request.ConnectFeatures.EnableMoneyID && slices.Contains(st.remembered[user], in.id),
	}
}

// linked reports whether the session's end user has a link at the institution, other than the one that the session
// is to connect again.
func (st *state) linked(ses *session, in institution) bool {
	return in.id != manualID && slices.ContainsFunc(st.linkOrder, func(l *Link) bool {
		return l.CustomerUserID == ses.request.CustomerUser.ID && l.InstitutionID == in.id && l.LinkID != ses.request.ExistingLinkID
	})
}

var productTexts = []struct {
	id                gen.Product
	label, data, what string
}{
	{gen.ProductAccounts, "Accounts and balances", "Account", "Names and kinds of your accounts, and what is in them."},
	{gen.ProductAccountNumbers, "Account and routing numbers", "Account number", "The numbers that payments are sent to."},
	{gen.ProductIdentity, "Identity", "Identity", "Name, address, phone number and email, as your bank has them."},
	{gen.ProductTransactions, "Transactions", "Transaction", "What was paid, to whom and when."},
	{gen.ProductInvestments, "Investments", "Investment", "What you hold, and what it is worth."},
	{gen.ProductEnrichment, "Transaction insights", "Transaction", "Categories and merchants of your transactions."},
}

// productsAsked is what the end user is asked for. The accounts are part of every link.
func productsAsked(settings gen.LinkSessionSettingOverrides) []connectProduct {
	asked := askedFor(settings)
	var all []connectProduct
	for _, text := range productTexts {
		how, ok := asked[text.id]
		if !ok && text.id != gen.ProductAccounts {
			continue
		}
		p := connectProduct{text.id, text.label, text.what, how.RequirePermission || text.id == gen.ProductAccounts}
		if reason := strings.TrimRight(strings.TrimSpace(how.Reason), "."); reason != "" {
			p.Sentence = text.data + " data is used to " + reason + "."
		}
		all = append(all, p)
	}
	return all
}

// applicationName is what the page calls the application: the launcher's __applicationName, or its host.
func applicationName(given, origin string) string {
	if given = strings.TrimSpace(given); given != "" && len(given) <= 60 {
		return given
	}
	_, host, _ := strings.Cut(origin, "://")
	return host
}

func serveAsset(name, contentType string) http.Handler {
	data, err := connectFiles.ReadFile("connect/" + name)
	if err != nil {
		panic(err) // it is embedded
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-cache")
		w.Write(data)
	})
}

// writePage writes a page that can load and do what policy says, and nothing else. Its URL holds secrets, so it is
// neither stored nor sent on as a referrer.
func writePage(w http.ResponseWriter, status int, name, policy string, data any) {
	var page bytes.Buffer
	if err := connectPages.ExecuteTemplate(&page, name, data); err != nil {
		writeRefusal(w, refusal{http.StatusInternalServerError, "sandbox_error", "A bug in the sandbox: " + err.Error()})
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; img-src data:; "+policy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write(page.Bytes())
}
