package sandbox

import (
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/moneykit/moneykit-go/gen"
)

// A visit is what an end user has done in Connect during a session.
type visit struct {
	at       institution
	signedIn bool
	accounts []account // that were offered
	declined []gen.Product

	mode connectMode

	state, code string // of the way to an institution's own page and back
	application string // what that page calls the application
}

// stepRequest is what the page's script sends; each step uses some of it.
type stepRequest struct {
	LinkSessionToken string        `json:"link_session_token"`
	Mode             connectMode   `json:"mode"`
	Application      string        `json:"application"`
	InstitutionID    string        `json:"institution_id"`
	Username         string        `json:"username"`
	Password         string        `json:"password"`
	Answer           string        `json:"answer"`
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
	// sandboxCode is the code that institutions with an extra question accept, and wrongPassword the one password
	// that is refused.
	sandboxCode   = "123456"
	wrongPassword = "wrong"
)

// serveStep serves one step. The link session token is what entitles to it, as it does at MoneyKit.
func (s *Sandbox) serveStep(do func(*session, stepRequest) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body stepRequest
		if !readControl(w, r, &body) {
			return
		}
		s.mu.Lock()
		ses, err := s.state.openSession(s.now(), body.LinkSessionToken)
		var answer any
		if err == nil {
			answer, err = do(ses, body)
		}
		s.mu.Unlock()
		if err != nil {
			refused := refusal{http.StatusInternalServerError, "system_error", err.Error()}
			errors.As(err, &refused)
			writeRefusal(w, refused)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		writeJSON(w, http.StatusOK, answer)
	})
}

func userError(code, message string) error {
	return refusal{http.StatusUnprocessableEntity, code, message}
}

// goTo makes the institution that a step is for the visit's, if the session allows it.
func (st *state) goTo(ses *session, body stepRequest) error {
	in, ok := st.preset(ses)
	if !ok {
		all := offered(ses.request.Settings)
		if ses.request.ConnectFeatures.ConnectManually {
			all = append(all, manual)
		}
		i := slices.IndexFunc(all, func(in institution) bool { return in.id == body.InstitutionID })
		if i < 0 {
			return userError("institution_error", "This institution is not offered here.")
		}
		in = all[i]
	}
	if ses.request.ConnectFeatures.DuplicateInstitutionRejected && st.linked(ses, in) {
		return userError("link_session_error.duplicate_institution", "You have already linked "+in.name+".")
	}
	ses.visit = visit{at: in, mode: modeLink}
	if body.Mode == modeRelink && ses.request.ExistingLinkID != "" {
		ses.visit.mode = modeRelink
	}
	return nil
}

// enter ends the way into an institution.
func (st *state) enter(ses *session) (any, error) {
	v := &ses.visit
	if v.at.id != manualID {
		v.accounts = v.at.accountsFor(ses.request, st.links[ses.request.ExistingLinkID])
	}
	if len(v.accounts) == 0 {
		return nil, userError("no_accounts", "There is no account at "+v.at.name+" that can be linked here.")
	}
	v.signedIn = true
	return map[string]any{"institution": st.show(ses, v.at), "accounts": v.accounts, "mode": v.mode}, nil
}

func (s *Sandbox) stepSignIn(ses *session, body stepRequest) (any, error) {
	if err := s.state.goTo(ses, body); err != nil {
		return nil, err
	}
	in := ses.visit.at
	switch {
	case in.signIn == byOAuth || in.id == manualID:
		return nil, userError("institution_error", in.name+" does not take a password here.")
	case strings.TrimSpace(body.Username) == "" || body.Password == "":
		return nil, userError("invalid_credentials", "Enter your user name and your password.")
	case in.signIn == outOfOrder:
		return nil, refusal{http.StatusBadGateway, "institution_error",
			in.name + " is not answering at the moment. This is on their side; please try again later."}
	case body.Password == wrongPassword:
		return nil, userError("invalid_credentials", "The user name or the password is not right.")
	case in.signIn == byQuestion && body.Answer == "":
		return map[string]string{"question": "Enter the 6-digit code that " + in.name + " sent to your phone ending in 42."}, nil
	case in.signIn == byQuestion && strings.TrimSpace(body.Answer) != sandboxCode:
		return nil, userError("user_input_incorrect", "This is not the code that we sent.")
	}
	return s.state.enter(ses)
}

var (
	accountDigits = regexp.MustCompile(`^[0-9]{4,17}$`)
	routingDigits = regexp.MustCompile(`^[0-9]{9}$`)
)

func (s *Sandbox) stepManual(ses *session, body stepRequest) (any, error) {
	body.InstitutionID = manualID
	if err := s.state.goTo(ses, body); err != nil {
		return nil, err
	}
	names := map[string]string{"depository.checking": "Checking", "depository.savings": "Savings"}
	switch {
	case ses.visit.at.id != manualID:
		return nil, userError("institution_error", "Accounts cannot be entered by hand here.")
	case names[body.AccountType] == "":
		return nil, userError("user_input_incorrect", "Choose checking or savings.")
	case !validRouting(body.RoutingNumber):
		return nil, userError("user_input_incorrect", "A routing number has 9 digits; check it against your statement.")
	case !accountDigits.MatchString(body.AccountNumber):
		return nil, userError("user_input_incorrect", "An account number has 4 to 17 digits.")
	}
	a := newAccount(body.AccountType, names[body.AccountType], lastFour(body.AccountNumber))
	a.ID = "acc_" + manualID + "_1"
	ses.visit.accounts = []account{a}
	return s.state.enter(ses)
}

// validRouting checks the digits of a US routing number against the one that is their checksum.
func validRouting(number string) bool {
	if !routingDigits.MatchString(number) {
		return false
	}
	sum := 0
	for i, digit := range number {
		sum += int(digit-'0') * [3]int{3, 7, 1}[i%3]
	}
	return sum > 0 && sum%10 == 0
}

// stepAuthorize begins the way to an institution's own page.
func (s *Sandbox) stepAuthorize(ses *session, body stepRequest) (any, error) {
	if err := s.state.goTo(ses, body); err != nil {
		return nil, err
	}
	if ses.visit.at.signIn != byOAuth {
		return nil, userError("institution_error", ses.visit.at.name+" has no sign-in page of its own.")
	}
	ses.visit.state = rand.Text()
	ses.visit.application = applicationName(body.Application, originOf(ses.request.RedirectURI))
	return map[string]string{"url": "/connect/bank?state=" + ses.visit.state}, nil
}

// stepResume ends it, with the URL that the end user came back to.
func (s *Sandbox) stepResume(ses *session, body stepRequest) (any, error) {
	returned, err := url.Parse(body.RedirectURL)
	if err != nil {
		return nil, userError("user_oauth_denied", "The address that you came back to cannot be read.")
	}
	query := returned.Query()
	v := &ses.visit
	switch {
	case addressOf(body.RedirectURL) != addressOf(ses.request.RedirectURI):
		return nil, userError("user_oauth_denied", "You came back to another address than this session's redirect_uri.")
	case v.state == "" || query.Get("state") != v.state:
		return nil, userError("user_oauth_denied", "You came back from another sign-in than this session's.")
	case query.Get("error") != "":
		return nil, userError("user_oauth_denied", "You did not give access at "+v.at.name+", so nothing was linked.")
	case v.code == "" || query.Get("code") != v.code:
		return nil, userError("user_oauth_denied", v.at.name+" did not confirm your sign-in.")
	}
	return s.state.enter(ses)
}

// addressOf is a URL's origin and path, as a browser writes them.
func addressOf(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		return ""
	}
	return originOf(rawURL) + "/" + strings.TrimPrefix(u.EscapedPath(), "/")
}

// linkedInstitution is what the launcher's success callback gets.
type linkedInstitution struct {
	Avatar           *string        `json:"avatar"`
	AvatarDark       *string        `json:"avatar_dark"`
	Color            string         `json:"color"`
	ColorDark        *string        `json:"color_dark"`
	Country          gen.Country    `json:"country"`
	Domain           string         `json:"domain"`
	ID               string         `json:"id"`
	Logo             *string        `json:"logo"`
	LogoDark         *string        `json:"logo_dark"`
	Name             string         `json:"name"`
	SearchGroup      string         `json:"search_group"`
	IsFeatured       *bool          `json:"is_featured"`
	Providers        []gen.Provider `json:"providers"`
	SelectedAccounts []account      `json:"selectedAccounts"`
	TrackedScreens   []struct{}     `json:"trackedScreens"` // the script fills them in
}

// stepFinish ends the session with what the end user selected and consented to.
func (s *Sandbox) stepFinish(ses *session, body stepRequest) (any, error) {
	v := &ses.visit
	if !v.signedIn {
		return nil, userError("user_error", "Sign in first.")
	}
	selected := slices.DeleteFunc(slices.Clone(v.accounts), func(a account) bool { return !slices.Contains(body.AccountIDs, a.ID) })
	switch {
	case len(selected) == 0:
		return nil, userError("no_accounts", "Select at least one account.")
	case len(selected) > 1 && ses.request.ConnectFeatures.PermitOnlyOneAccount:
		return nil, userError("user_error", "Select one account only.")
	}
	for _, p := range productsAsked(ses.request.Settings) {
		if p.Required && slices.Contains(body.Declined, p.ID) {
			return nil, userError("user_error", p.Label+" cannot be left out.")
		}
	}
	v.declined = body.Declined
	if user := ses.request.CustomerUser.ID; body.Remember && !slices.Contains(s.state.remembered[user], v.at.id) {
		s.state.remembered[user] = append(s.state.remembered[user], v.at.id)
	}
	exchangeable, err := s.state.complete(s.now(), body.LinkSessionToken, v.at)
	if err != nil {
		return nil, err
	}
	answer := map[string]any{"link_id": ses.link.LinkID}
	if v.mode == modeRelink {
		// The launcher's relink callback gets no exchangeable token: the link is connected again as of now.
		if _, err := s.state.exchange(s.now(), exchangeable); err != nil {
			return nil, err
		}
	} else {
		answer["exchangeable_token"] = exchangeable
	}
	in := linkedInstitution{
		Color: v.at.color, Country: ses.link.Countries[0], Domain: v.at.domain, ID: v.at.id, Name: v.at.name,
		SearchGroup: "primary", Providers: v.at.providers, SelectedAccounts: selected, TrackedScreens: []struct{}{},
	}
	if i := slices.IndexFunc(ses.link.Countries, func(c gen.Country) bool { return slices.Contains(v.at.countries, c) }); i >= 0 {
		in.Country = ses.link.Countries[i]
	}
	answer["institution"] = in
	return answer, nil
}

// stepReport takes a report of a problem. [Sandbox.Requests] has it, which is all that a sandbox can do with one.
func (s *Sandbox) stepReport(_ *session, body stepRequest) (any, error) {
	if strings.TrimSpace(body.Message) == "" {
		return nil, userError("user_input_incorrect", "Say what went wrong.")
	}
	return map[string]bool{"received": true}, nil
}
