package connect

import (
	"bytes"
	"embed"
	"html/template"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/sandbox/internal/httpapi"
	"github.com/moneykit/moneykit-go/sandbox/internal/institution"
	"github.com/moneykit/moneykit-go/sandbox/internal/origin"
)

//go:embed assets
var assets embed.FS

var pages = template.Must(template.ParseFS(assets, "assets/*.html"))

// A mode is how the launcher opened Connect.
type mode string

const (
	modeLink     mode = "link"     // /start
	modeRelink   mode = "relink"   // /relink
	modeContinue mode = "continue" // /continue, back from an institution's own page
)

// config is what the page's script starts with.
type config struct {
	Mode         mode               `json:"mode"`   // link or relink
	Resume       bool               `json:"resume"` // back from an institution's own page, with RedirectURL
	Token        string             `json:"token"`
	Origin       string             `json:"origin"`
	ReturnOrigin string             `json:"return_origin"` // of the session's redirect_uri
	RedirectURL  string             `json:"redirect_url"`
	Application  string             `json:"application"`
	Device       string             `json:"device"`
	StepTimers   bool               `json:"step_timers"`
	Reconnecting bool               `json:"reconnecting"`
	Email        string             `json:"email"`
	Features     features           `json:"features"`
	Institutions []shownInstitution `json:"institutions"`
	Preset       *shownInstitution  `json:"preset"` // instead of the choice
	Manual       shownInstitution   `json:"manual"`
	Products     []shownProduct     `json:"products"`
	Error        *exitError         `json:"error"` // the page shows nothing else
}

type features struct {
	IssueReporter   bool `json:"issue_reporter"`
	MoneyID         bool `json:"money_id"`
	RejectDuplicate bool `json:"reject_duplicate"`
	WarnOfDuplicate bool `json:"warn_of_duplicate"`
	Manually        bool `json:"manually"`
	OneAccount      bool `json:"one_account"`
}

type shownInstitution struct {
	ID         string             `json:"id"`
	Name       string             `json:"name"`
	Domain     string             `json:"domain"`
	Color      string             `json:"color"`
	SignIn     institution.SignIn `json:"sign_in"`
	Lacks      []gen.Product      `json:"lacks"`
	Linked     bool               `json:"linked"`     // by this end user, before
	Remembered bool               `json:"remembered"` // with a Money ID
}

type shownProduct struct {
	ID       gen.Product `json:"id"`
	Label    string      `json:"label"`
	Sentence string      `json:"sentence"` // what it is used for, or else what it is
	Required bool        `json:"required"`
}

// exitError has the form that the launcher's exit callback gets.
type exitError struct {
	ErrorID          string `json:"error_id"`
	DisplayedMessage string `json:"displayed_message"`
	RequestID        string `json:"request_id"`
}

// servePage serves the page. What is wrong with the session is shown on the page, from where the application gets the
// error when the end user closes it. An origin that must not get any message has a page of its own.
func (h *Handler) servePage(m mode) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		opener := query.Get("origin")
		if problem := h.originProblem(opener); problem != "" {
			// This page is for a developer and can do nothing, so it may be framed anywhere.
			writePage(w, http.StatusBadRequest, "unusable.html", "style-src 'self'", problem)
			return
		}
		c := config{
			Mode:        m,
			Resume:      m == modeContinue,
			Token:       query.Get("linkSessionToken"),
			Origin:      opener,
			RedirectURL: query.Get("redirectURL"),
			Application: applicationName(query.Get("applicationName"), opener),
			Device:      query.Get("device"),
			StepTimers:  query.Get("stepTimers") == "true",
		}
		status := http.StatusOK
		if err := h.configure(&c); err != nil {
			e := httpapi.AsError(err)
			status = e.Status
			c.Error = &exitError{ErrorID: e.Code, DisplayedMessage: e.Message, RequestID: w.Header().Get("X-Request-Id")}
		}
		writePage(w, status, "connect.html",
			"script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'none'; frame-ancestors "+opener, c)
	})
}

// originProblem returns what is wrong with the origin of the page that opens Connect. It must be registered, since
// that page gets the exchangeable token.
func (h *Handler) originProblem(opener string) string {
	switch u, err := url.Parse(opener); {
	case opener == "":
		return "The origin parameter is missing. MoneyKit's launcher sets it to window.location.origin."
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || origin.Of(opener) != opener:
		return "The origin parameter must be the origin of your page as window.location.origin has it: scheme://host[:port], in lower case and with nothing after it."
	case net.ParseIP(u.Hostname()).To4() == nil && strings.Contains(u.Host, "["):
		return "Open your page at http://localhost or http://127.0.0.1: a Content-Security-Policy cannot name an IPv6 address, so Connect cannot be framed there."
	}
	if err := h.backend.CheckOrigin(opener); err != nil {
		return httpapi.AsError(err).Message
	}
	return ""
}

// configure fills in what the session says.
func (h *Handler) configure(c *config) error {
	ses, err := h.backend.Session(c.Token)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	request := ses.Request
	_, c.Reconnecting = h.backend.Link(request.ExistingLinkID)
	if c.Mode == modeRelink && !c.Reconnecting {
		return &httpapi.Error{Status: http.StatusUnprocessableEntity, Code: "link_session_error.no_existing_link",
			Message: "This session has no existing_link_id. Open it with link() instead of relink()."}
	}
	if c.Resume {
		c.Mode = ses.visit.mode
	}
	f := request.ConnectFeatures
	c.Features = features{
		IssueReporter:   f.IssueReporter,
		MoneyID:         f.EnableMoneyID,
		RejectDuplicate: f.DuplicateInstitutionRejected,
		WarnOfDuplicate: f.DuplicateInstitutionWarning,
		Manually:        f.ConnectManually,
		OneAccount:      f.PermitOnlyOneAccount,
	}
	c.ReturnOrigin = origin.Of(request.RedirectURI)
	c.Email = request.CustomerUser.Email.Address
	if preset, ok := h.preset(ses); ok {
		shown := h.show(ses, preset)
		c.Preset = &shown
	} else {
		for _, in := range institution.Offered(request.Settings) {
			c.Institutions = append(c.Institutions, h.show(ses, in))
		}
	}
	c.Manual = h.show(ses, institution.Manual)
	c.Products = productsToConsent(request.Settings)
	return nil
}

func (h *Handler) show(ses *Session, in institution.Institution) shownInstitution {
	linked, remembered := h.linkedBefore(ses, in)
	return shownInstitution{
		ID: in.ID, Name: in.Name, Domain: in.Domain, Color: in.Color, SignIn: in.SignIn, Lacks: in.Lacks,
		Linked: linked, Remembered: remembered,
	}
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
}

// productsToConsent returns what the end user is asked for. The accounts are part of every link.
func productsToConsent(settings gen.LinkSessionSettingOverrides) []shownProduct {
	requested := institution.Requested(settings)
	var all []shownProduct
	for _, text := range productTexts {
		how, ok := requested[text.id]
		if !ok && text.id != gen.ProductAccounts {
			continue
		}
		p := shownProduct{text.id, text.label, text.what, how.Required || how.RequirePermission || text.id == gen.ProductAccounts}
		if reason := strings.TrimRight(how.Reason, " .!?…"); reason != "" {
			p.Sentence = text.data + " data is used to " + strings.TrimSpace(reason) + "."
		}
		all = append(all, p)
	}
	return all
}

// applicationName returns what the page calls the application: the launcher's __applicationName, or its host.
func applicationName(given, origin string) string {
	if given = strings.TrimSpace(given); given != "" && len(given) <= 60 {
		return given
	}
	_, host, _ := strings.Cut(origin, "://")
	return host
}

func serveAsset(name, contentType string) http.Handler {
	data, err := assets.ReadFile("assets/" + name)
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

// writePage writes a page that can load and do what policy says, and nothing else. Its URL contains secrets, so it is
// neither stored nor sent as a referrer.
func writePage(w http.ResponseWriter, status int, name, policy string, data any) {
	var page bytes.Buffer
	if err := pages.ExecuteTemplate(&page, name, data); err != nil {
		httpapi.WriteError(w, err)
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
