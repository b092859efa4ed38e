package sandbox

import (
	"crypto/rand"
	"net/http"
	"slices"
	"time"

	"github.com/moneykit/moneykit-go/gen"
)

const (
	// sessionLifetime is how long an end user has for a link session, and exchangeLifetime how long the
	// application then has for the exchange.
	sessionLifetime  = 30 * time.Minute
	exchangeLifetime = 30 * time.Minute
	// forgetAfter is when a session is forgotten, by which time it and its exchangeable token have long expired.
	forgetAfter = 2 * (sessionLifetime + exchangeLifetime)
)

// A Link is a link that the sandbox holds: what the contract shows of it, and what it was made from.
type Link struct {
	gen.LinkCommon
	// CustomerUserID is the customer_user.id of the end user.
	CustomerUserID string `json:"customer_user_id"`
	// Countries are the countries that were offered.
	Countries []gen.Country `json:"countries"`
	// CustomSandboxData is the accounts and owners that were sent for the link; zero if none were.
	CustomSandboxData gen.CustomSandboxData `json:"custom_sandbox_data,omitzero"`
}

// A session goes from open to completed (it has an exchangeable token) to exchanged.
type session struct {
	token        string
	request      gen.CreateLinkSessionRequest
	expires      time.Time // of token
	forget       time.Time
	exchangeable string // set when the end user has finished
	exchangeBy   time.Time
	exchanged    bool
	link         *Link // set when the end user has finished
	visit        visit // what the end user has done in Connect
}

// state is all that the sandbox remembers of sessions and links. Sandbox.mu guards it.
type state struct {
	sessions       []*session // oldest first
	byToken        map[string]*session
	byExchangeable map[string]*session
	links          map[string]*Link
	linkOrder      []*Link
	remembered     map[string][]string // customer_user.id to institution ids, of those with a Money ID
}

func newState() state {
	return state{byToken: map[string]*session{}, byExchangeable: map[string]*session{}, links: map[string]*Link{}, remembered: map[string][]string{}}
}

// open starts a session and returns its token.
func (st *state) open(now time.Time, request gen.CreateLinkSessionRequest) string {
	old := 0
	for ; old < len(st.sessions) && now.After(st.sessions[old].forget); old++ {
		delete(st.byToken, st.sessions[old].token)
		delete(st.byExchangeable, st.sessions[old].exchangeable)
	}
	st.sessions = slices.Delete(st.sessions, 0, old)
	ses := &session{
		token:   "sandbox_session_" + rand.Text(),
		request: request,
		expires: now.Add(sessionLifetime),
		forget:  now.Add(forgetAfter),
	}
	st.sessions = append(st.sessions, ses)
	st.byToken[ses.token] = ses
	return ses.token
}

// openSession is the session that an end user can still complete.
func (st *state) openSession(now time.Time, token string) (*session, error) {
	ses := st.byToken[token]
	switch {
	case ses == nil:
		return nil, refusal{http.StatusNotFound, "link_session_error.unknown_session", "There is no session with this link_session_token."}
	case ses.exchangeable != "":
		return nil, refusal{http.StatusConflict, "link_session_error.session_used", "This link session was completed before."}
	case !now.Before(ses.expires):
		return nil, refusal{http.StatusGone, "link_session_error.session_expired", "This link session has expired."}
	}
	return ses, nil
}

// complete ends a session as an end user does who picks an institution and consents to everything. The new link
// waits for its exchange; one that exists stays as it is until then.
func (st *state) complete(now time.Time, token string, picked institution) (exchangeable string, err error) {
	ses, err := st.openSession(now, token)
	if err != nil {
		return "", err
	}
	if id := ses.request.ExistingLinkID; id != "" {
		ses.link = st.links[id]
	} else {
		ses.link = newLink(ses.request, picked)
		st.links[ses.link.LinkID] = ses.link
		st.linkOrder = append(st.linkOrder, ses.link)
	}
	ses.exchangeable = "sandbox_exchangeable_" + rand.Text()
	ses.exchangeBy = now.Add(exchangeLifetime)
	st.byExchangeable[ses.exchangeable] = ses
	return ses.exchangeable, nil
}

// exchange hands out the link for an exchangeable token, once.
func (st *state) exchange(now time.Time, exchangeable string) (gen.LinkCommon, error) {
	ses := st.byExchangeable[exchangeable]
	invalid := func(what string) (gen.LinkCommon, error) {
		return gen.LinkCommon{}, refusal{http.StatusBadRequest, "link_session_error.invalid_token_exchange", "The exchangeable token " + what + "."}
	}
	switch {
	case ses == nil:
		return invalid("is unknown")
	case ses.exchanged:
		return invalid("was exchanged before")
	case !now.Before(ses.exchangeBy):
		return invalid("has expired")
	}
	ses.exchanged = true
	ses.link.apply(now, ses.request, ses.visit.declined)
	return ses.link.clone().LinkCommon, nil
}

// newLink is the link that a session makes at an institution, up to what apply adds.
func newLink(request gen.CreateLinkSessionRequest, at institution) *Link {
	return &Link{
		LinkCommon: gen.LinkCommon{
			LinkID:            "mk_" + rand.Text(),
			InstitutionID:     at.id,
			InstitutionName:   at.name,
			State:             gen.PublicLinkStateAwaitingTokenExchange,
			Provider:          at.provider(request.Settings),
			AvailableProducts: at.products(),
		},
		CustomerUserID: request.CustomerUser.ID,
		Countries:      countriesOf(request.Settings),
	}
}

// apply connects the link, or connects it again, with what the session asked for: its webhook and tags replace the
// link's, and its products are added, but for those that the end user declined or the institution does not offer.
// The sandbox fetches every product at once, whatever prefetch says.
func (l *Link) apply(now time.Time, request gen.CreateLinkSessionRequest, declined []gen.Product) {
	at := gen.Timestamp{Time: now.Truncate(time.Second)}
	l.State = gen.PublicLinkStateConnected
	l.ErrorCode = ""
	l.LastSyncedAt = at
	l.Webhook = request.Webhook
	l.LinkTags, l.Tags = request.LinkTags, request.LinkTags
	if request.CustomSandboxData.Accounts != nil {
		l.CustomSandboxData = request.CustomSandboxData
	}

	fetched := func(settings gen.ProductSettings) gen.LinkProductResponse {
		return gen.LinkProductResponse{RefreshedAt: at, LastAttemptedAt: at, Settings: settings}
	}
	products := &l.Products
	products.Accounts = fetched(products.Accounts.Settings)
	for product, settings := range askedFor(request.Settings) {
		if slices.Contains(declined, product) || !slices.Contains(l.AvailableProducts, product) {
			continue
		}
		switch product {
		case gen.ProductAccounts:
			products.Accounts = fetched(settings)
		case gen.ProductAccountNumbers:
			products.AccountNumbers = fetched(settings)
		case gen.ProductIdentity:
			products.Identity = fetched(settings)
		case gen.ProductInvestments:
			products.Investments = fetched(settings)
		case gen.ProductEnrichment:
			products.Enrichment = fetched(settings)
		case gen.ProductTransactions:
			products.Transactions = gen.TransactionsLinkProduct{
				RefreshedAt: at, LastAttemptedAt: at, HasHistory: true,
				Settings: gen.TransactionsProductSettings(settings),
			}
		}
	}
}

// askedFor is what a session asks for, in either way; where both name a product, the newer way counts.
func askedFor(settings gen.LinkSessionSettingOverrides) map[gen.Product]gen.ProductSettings {
	asked := map[gen.Product]gen.ProductSettings{}
	for _, permission := range settings.LinkPermissions.Requested {
		asked[gen.Product(permission.Scope)] = gen.ProductSettings{Reason: permission.Reason, RequirePermission: permission.Required}
	}
	products := settings.Products
	if p := products.AccountNumbers; p != nil {
		asked[gen.ProductAccountNumbers] = *p
	}
	if p := products.Identity; p != nil {
		asked[gen.ProductIdentity] = *p
	}
	if p := products.Investments; p != nil {
		asked[gen.ProductInvestments] = *p
	}
	if p := products.Transactions; p != nil {
		asked[gen.ProductTransactions] = gen.ProductSettings(*p)
	}
	return asked
}

// clone is a copy that shares nothing with l that is changed later or that a caller would change.
func (l *Link) clone() Link {
	c := *l
	c.AvailableProducts = slices.Clone(l.AvailableProducts)
	c.LinkTags = slices.Clone(l.LinkTags)
	c.Tags = slices.Clone(l.Tags)
	c.Countries = slices.Clone(l.Countries)
	c.CustomSandboxData.Accounts = slices.Clone(l.CustomSandboxData.Accounts)
	c.CustomSandboxData.Owners = slices.Clone(l.CustomSandboxData.Owners)
	return c
}

// Complete plays the end user of a link session: one who picks the session's institution, or the sandbox's own
// bank, and consents to everything that is asked for. It returns the exchangeable token that Connect would give the
// front end. It returns an error if the session is unknown, was completed before or has expired.
func (s *Sandbox) Complete(linkSessionToken string) (exchangeableToken string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var asked string
	if ses := s.state.byToken[linkSessionToken]; ses != nil {
		asked = ses.request.InstitutionID
	}
	return s.state.complete(s.now(), linkSessionToken, institutionByID(asked))
}

// Links returns the links that the sandbox holds, oldest first. Those in the state awaiting_token_exchange are from
// an end user who has finished, but were not handed to the application.
func (s *Sandbox) Links() []Link {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Link, len(s.state.linkOrder))
	for i, link := range s.state.linkOrder {
		all[i] = link.clone()
	}
	return all
}
