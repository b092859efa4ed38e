package sandbox

import (
	"crypto/rand"
	"slices"
	"time"

	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/sandbox/internal/connect"
	"github.com/moneykit/moneykit-go/sandbox/internal/institution"
)

// A Link is a link in the sandbox: what the contract has of it, and what it was made from.
type Link struct {
	gen.LinkCommon
	// CustomerUserID is the customer_user.id of the end user.
	CustomerUserID string `json:"customer_user_id"`
	// Countries are the countries that were offered.
	Countries []gen.Country `json:"countries"`
	// CustomSandboxData are the accounts and owners that the session had; zero if it had none.
	CustomSandboxData gen.CustomSandboxData `json:"custom_sandbox_data,omitzero"`

	remembered bool // with a Money ID
}

// Links returns the links of the sandbox, oldest first. Those in the state awaiting_token_exchange were not handed to
// the application yet. See [WithMaxLinks] for how many are kept.
func (s *Sandbox) Links() []Link {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Link, len(s.state.links))
	for i, link := range s.state.links {
		all[i] = link.clone()
	}
	return all
}

// newLink returns the link of a session before its exchange.
func newLink(request gen.CreateLinkSessionRequest, choice connect.Choice) *Link {
	in := choice.Institution
	l := &Link{
		LinkCommon: gen.LinkCommon{
			LinkID:            "mk_" + rand.Text(),
			InstitutionID:     in.ID,
			InstitutionName:   in.Name,
			InstitutionAvatar: in.Avatar(),
			State:             gen.PublicLinkStateAwaitingTokenExchange,
			Provider:          in.Provider(request.Settings),
		},
		CustomerUserID: request.CustomerUser.ID,
		Countries:      institution.Countries(request.Settings),
		remembered:     choice.Remember,
	}
	l.setAvailableProducts()
	return l
}

// connect connects the link, or connects it again, with what the session asked for: webhook and tags replace the
// link's, and products are added, except those that the end user declined or the institution does not offer. The
// settings of a product that the link has already stay. Every product is fetched at once, whatever prefetch says.
func (l *Link) connect(now time.Time, request gen.CreateLinkSessionRequest, choice connect.Choice) {
	at := gen.Timestamp{Time: now.Truncate(time.Second)}
	l.State = gen.PublicLinkStateConnected
	l.ErrorCode = ""
	l.LastSyncedAt = at
	l.Webhook = request.Webhook
	l.LinkTags, l.Tags = request.LinkTags, request.LinkTags
	l.remembered = l.remembered || choice.Remember
	if request.CustomSandboxData.Accounts != nil {
		l.CustomSandboxData = request.CustomSandboxData
	}
	requested := institution.Requested(request.Settings)
	if _, ok := requested[gen.ProductAccounts]; !ok {
		requested[gen.ProductAccounts] = gen.ProductSettings{} // they are part of every link
	}
	for product, settings := range requested {
		if !slices.Contains(choice.Declined, product) && institution.ByID(l.InstitutionID).Offers(product) {
			l.fetch(product, settings, at)
		}
	}
	l.setAvailableProducts()
}

// fetch adds a product, or fetches it again with the settings that it has.
func (l *Link) fetch(product gen.Product, settings gen.ProductSettings, at gen.Timestamp) {
	if product == gen.ProductTransactions {
		t := &l.Products.Transactions
		if l.has(product) {
			settings = gen.ProductSettings(t.Settings)
		}
		*t = gen.TransactionsLinkProduct{RefreshedAt: at, LastAttemptedAt: at, HasHistory: true, Settings: gen.TransactionsProductSettings(settings)}
		return
	}
	p := l.product(product)
	if l.has(product) {
		settings = p.Settings
	}
	*p = gen.LinkProductResponse{RefreshedAt: at, LastAttemptedAt: at, Settings: settings}
}

// product returns the link's part for a product, except for transactions.
func (l *Link) product(product gen.Product) *gen.LinkProductResponse {
	switch product {
	case gen.ProductAccountNumbers:
		return &l.Products.AccountNumbers
	case gen.ProductIdentity:
		return &l.Products.Identity
	case gen.ProductInvestments:
		return &l.Products.Investments
	}
	return &l.Products.Accounts
}

func (l *Link) has(product gen.Product) bool {
	if product == gen.ProductTransactions {
		return !l.Products.Transactions.RefreshedAt.IsZero()
	}
	return !l.product(product).RefreshedAt.IsZero()
}

// addable are the products that a session can ask for in settings.products. Accounts are part of every link.
var addable = []gen.Product{gen.ProductAccountNumbers, gen.ProductIdentity, gen.ProductTransactions, gen.ProductInvestments}

// setAvailableProducts lists the products that can still be added to the link.
func (l *Link) setAvailableProducts() {
	in := institution.ByID(l.InstitutionID)
	l.AvailableProducts = slices.DeleteFunc(slices.Clone(addable), func(p gen.Product) bool { return l.has(p) || !in.Offers(p) })
}

// clone returns a copy that shares nothing with l.
func (l *Link) clone() Link {
	c := *l
	c.AvailableProducts = slices.Clone(l.AvailableProducts)
	c.LinkTags = slices.Clone(l.LinkTags)
	c.Tags = slices.Clone(l.Tags)
	c.Countries = slices.Clone(l.Countries)
	c.CustomSandboxData.Accounts = slices.Clone(l.CustomSandboxData.Accounts)
	c.CustomSandboxData.Owners = slices.Clone(l.CustomSandboxData.Owners)
	for i := range c.CustomSandboxData.Owners {
		owner := &c.CustomSandboxData.Owners[i]
		owner.Names = slices.Clone(owner.Names)
		owner.Addresses = slices.Clone(owner.Addresses)
		owner.PhoneNumbers = slices.Clone(owner.PhoneNumbers)
		owner.Emails = slices.Clone(owner.Emails)
	}
	return c
}
