package connect

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/sandbox/internal/aba"
	"github.com/moneykit/moneykit-go/sandbox/internal/httpapi"
	"github.com/moneykit/moneykit-go/sandbox/internal/institution"
	"github.com/moneykit/moneykit-go/sandbox/internal/origin"
)

// A visit is what an end user has done in Connect during a session.
type visit struct {
	mode     mode
	at       institution.Institution
	signedIn bool
	accounts []institution.Account // that were offered

	state, code string // of the way to an institution's own page and back
	application string // what that page calls the application
}

// stepRequest is what the page's script sends; each step uses some of it.
type stepRequest struct {
	LinkSessionToken string        `json:"link_session_token"`
	Mode             mode          `json:"mode"`
	Application      string        `json:"application"`
	InstitutionID    string        `json:"institution_id"`
	Username         string        `json:"username"`
	Password         string        `json:"password"`
	Code             string        `json:"code"`
	AccountType      string        `json:"account_type"`
	AccountNumber    string        `json:"account_number"`
	RoutingNumber    string        `json:"routing_number"`
	RedirectURL      string        `json:"redirect_url"`
	AccountIDs       []string      `json:"account_ids"`
	Declined         []gen.Product `json:"declined"`
	Remember         bool          `json:"remember"`
	Message          string        `json:"message"`
}

const (
	// sandboxCode is the only code that is accepted, and wrongPassword the only password that is not.
	sandboxCode   = "123456"
	wrongPassword = "wrong"
)

// serveStep serves one step. Whoever has the link session token may take it, as at MoneyKit.
func (h *Handler) serveStep(do func(*Session, stepRequest) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body stepRequest
		err := httpapi.ReadJSON(r, &body)
		var result any
		if err == nil {
			result, err = h.step(do, body)
		}
		if err != nil {
			httpapi.WriteError(w, err)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		httpapi.WriteJSON(w, http.StatusOK, result)
	})
}

func (h *Handler) step(do func(*Session, stepRequest) (any, error), body stepRequest) (any, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	ses, err := h.backend.Session(body.LinkSessionToken)
	if err != nil {
		return nil, err
	}
	return do(ses, body)
}

func userError(code, message string) error {
	return &httpapi.Error{Status: http.StatusUnprocessableEntity, Code: code, Message: message}
}

// choose starts the visit of the institution that a step is for, if the session allows it.
func (h *Handler) choose(ses *Session, body stepRequest) error {
	in, ok := h.preset(ses)
	if !ok {
		all := institution.Offered(ses.Request.Settings)
		if ses.Request.ConnectFeatures.ConnectManually {
			all = append(all, institution.Manual)
		}
		i := slices.IndexFunc(all, func(in institution.Institution) bool { return in.ID == body.InstitutionID })
		if i < 0 {
			return userError("institution_error", "This institution is not offered here.")
		}
		in = all[i]
	}
	if linked, _ := h.linkedBefore(ses, in); linked && ses.Request.ConnectFeatures.DuplicateInstitutionRejected {
		return userError("link_session_error.duplicate_institution", "You have already linked "+in.Name+".")
	}
	ses.visit = visit{at: in, mode: modeLink}
	if body.Mode == modeRelink && ses.Request.ExistingLinkID != "" {
		ses.visit.mode = modeRelink
	}
	return nil
}

// enter ends the sign-in at an institution.
func (h *Handler) enter(ses *Session) (any, error) {
	v := &ses.visit
	if !v.at.IsManual() {
		v.accounts = h.accountsAt(v.at, ses)
	}
	if len(v.accounts) == 0 {
		return nil, userError("no_accounts", "There is no account at "+v.at.Name+" that can be linked here.")
	}
	v.signedIn = true
	return map[string]any{"institution": h.show(ses, v.at), "accounts": v.accounts, "mode": v.mode}, nil
}

func (h *Handler) signIn(ses *Session, body stepRequest) (any, error) {
	if err := h.choose(ses, body); err != nil {
		return nil, err
	}
	in := ses.visit.at
	switch {
	case in.SignIn == institution.ByOAuth || in.IsManual():
		return nil, userError("institution_error", in.Name+" does not take a password here.")
	case strings.TrimSpace(body.Username) == "" || body.Password == "":
		return nil, userError("invalid_credentials", "Enter your user name and your password.")
	case in.SignIn == institution.Down:
		return nil, &httpapi.Error{Status: http.StatusBadGateway, Code: "institution_error",
			Message: in.Name + " is not available at the moment. This is on their side; please try again later."}
	case body.Password == wrongPassword:
		return nil, userError("invalid_credentials", "The user name or the password is not right.")
	case in.SignIn == institution.ByCode && body.Code == "":
		return map[string]string{"question": "Enter the 6-digit code that " + in.Name + " sent to your phone ending in 42."}, nil
	case in.SignIn == institution.ByCode && strings.TrimSpace(body.Code) != sandboxCode:
		return nil, userError("user_input_incorrect", "This is not the code that we sent.")
	}
	return h.enter(ses)
}

var accountDigits = regexp.MustCompile(`^[0-9]{4,17}$`)

func (h *Handler) enterManually(ses *Session, body stepRequest) (any, error) {
	body.InstitutionID = institution.Manual.ID
	if err := h.choose(ses, body); err != nil {
		return nil, err
	}
	names := map[string]string{"depository.checking": "Checking", "depository.savings": "Savings"}
	switch {
	case !ses.visit.at.IsManual():
		return nil, userError("institution_error", "Accounts cannot be entered by hand here.")
	case names[body.AccountType] == "":
		return nil, userError("user_input_incorrect", "Choose checking or savings.")
	case !aba.Valid(body.RoutingNumber):
		return nil, userError("user_input_incorrect", "A routing number has 9 digits; check it against your statement.")
	case !accountDigits.MatchString(body.AccountNumber):
		return nil, userError("user_input_incorrect", "An account number has 4 to 17 digits.")
	}
	account := institution.NewAccount(body.AccountType, names[body.AccountType], institution.LastFour(body.AccountNumber))
	account.ID = "acc_" + institution.Manual.ID + "_1"
	ses.visit.accounts = []institution.Account{account}
	return h.enter(ses)
}

// authorize begins the way to an institution's own page.
func (h *Handler) authorize(ses *Session, body stepRequest) (any, error) {
	if err := h.choose(ses, body); err != nil {
		return nil, err
	}
	if ses.visit.at.SignIn != institution.ByOAuth {
		return nil, userError("institution_error", ses.visit.at.Name+" has no sign-in page of its own.")
	}
	ses.visit.state = rand.Text()
	ses.visit.application = applicationName(body.Application, origin.Of(ses.Request.RedirectURI))
	return map[string]string{"url": "/connect/bank?state=" + ses.visit.state}, nil
}

// resume ends it, with the URL that the end user came back to.
func (h *Handler) resume(ses *Session, body stepRequest) (any, error) {
	returned, err := url.Parse(body.RedirectURL)
	if err != nil {
		return nil, userError("user_oauth_denied", "The address that you came back to cannot be read.")
	}
	query := returned.Query()
	v := &ses.visit
	switch {
	case addressOf(body.RedirectURL) != addressOf(ses.Request.RedirectURI):
		return nil, userError("user_oauth_denied", "You came back to another address than this session's redirect_uri.")
	case v.state == "" || query.Get("state") != v.state:
		return nil, userError("user_oauth_denied", "You came back from another sign-in than this session's.")
	case query.Get("error") != "":
		return nil, userError("user_oauth_denied", "You did not give access at "+v.at.Name+", so nothing was linked.")
	case v.code == "" || query.Get("code") != v.code:
		return nil, userError("user_oauth_denied", v.at.Name+" did not confirm your sign-in.")
	}
	return h.enter(ses)
}

// addressOf is a URL's origin and path, as a browser writes them.
func addressOf(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		return ""
	}
	return origin.Of(rawURL) + "/" + strings.TrimPrefix(u.EscapedPath(), "/")
}

// linkedInstitution is what the launcher's success callback gets.
type linkedInstitution struct {
	Avatar           string                `json:"avatar"`
	AvatarDark       *string               `json:"avatar_dark"`
	Color            string                `json:"color"`
	ColorDark        *string               `json:"color_dark"`
	Country          gen.Country           `json:"country"`
	Domain           string                `json:"domain"`
	ID               string                `json:"id"`
	Logo             *string               `json:"logo"`
	LogoDark         *string               `json:"logo_dark"`
	Name             string                `json:"name"`
	SearchGroup      string                `json:"search_group"`
	IsFeatured       *bool                 `json:"is_featured"`
	Providers        []gen.Provider        `json:"providers"`
	SelectedAccounts []institution.Account `json:"selectedAccounts"`
	TrackedScreens   []struct{}            `json:"trackedScreens"` // the script fills them in
}

// finish ends the session with what the end user selected and consented to.
func (h *Handler) finish(ses *Session, body stepRequest) (any, error) {
	v := &ses.visit
	if !v.signedIn {
		return nil, userError("user_error", "Sign in first.")
	}
	selected := slices.DeleteFunc(slices.Clone(v.accounts), func(a institution.Account) bool { return !slices.Contains(body.AccountIDs, a.ID) })
	switch {
	case len(selected) == 0:
		return nil, userError("no_accounts", "Select at least one account.")
	case len(selected) > 1 && ses.Request.ConnectFeatures.PermitOnlyOneAccount:
		return nil, userError("user_error", "Select one account only.")
	}
	for _, p := range productsToConsent(ses.Request.Settings) {
		if p.Required && slices.Contains(body.Declined, p.ID) {
			return nil, userError("user_error", p.Label+" cannot be left out.")
		}
	}
	countries := institution.Countries(ses.Request.Settings)
	if existing, ok := h.backend.Link(ses.Request.ExistingLinkID); ok {
		countries = existing.Countries
	}
	choice := Choice{Institution: v.at, Declined: body.Declined, Remember: body.Remember}
	result := map[string]any{}
	if v.mode == modeRelink {
		// The launcher's relink callback gets no exchangeable token.
		linkID, err := h.backend.Reconnect(ses.Token, choice)
		if err != nil {
			return nil, err
		}
		result["link_id"] = linkID
	} else {
		linkID, exchangeable, err := h.backend.Complete(ses.Token, choice)
		if err != nil {
			return nil, err
		}
		result["link_id"], result["exchangeable_token"] = linkID, exchangeable
	}
	in := linkedInstitution{
		Avatar: v.at.Avatar(), Color: v.at.Color, Country: countries[0], Domain: v.at.Domain, ID: v.at.ID, Name: v.at.Name,
		SearchGroup: "primary", Providers: v.at.Providers, SelectedAccounts: selected, TrackedScreens: []struct{}{},
	}
	if i := slices.IndexFunc(countries, func(c gen.Country) bool { return slices.Contains(v.at.Countries, c) }); i >= 0 {
		in.Country = countries[i]
	}
	result["institution"] = in
	return result, nil
}

// report takes a report of a problem, which the record of requests then contains.
func (h *Handler) report(_ *Session, body stepRequest) (any, error) {
	if strings.TrimSpace(body.Message) == "" {
		return nil, userError("user_input_incorrect", "Say what went wrong.")
	}
	return map[string]bool{"received": true}, nil
}
