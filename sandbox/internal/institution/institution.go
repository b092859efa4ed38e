// Package institution has the institutions of the sandbox, none of which exists, and what a link session asks of them.
package institution

import (
	"encoding/base64"
	"fmt"
	"html"
	"slices"
	"strings"

	"github.com/moneykit/moneykit-go/gen"
)

// An Institution is where an end user's accounts are.
type Institution struct {
	ID, Name, Domain, Color string
	Countries               []gen.Country
	Providers               []gen.Provider // nil for all of them
	Lacks                   []gen.Product  // what it does not offer
	SignIn                  SignIn
	accounts                []Account
}

// SignIn is how an end user signs in to an institution.
type SignIn string

// The ways to sign in.
const (
	ByPassword SignIn = "password"
	ByOAuth    SignIn = "oauth"    // on a page of its own, and back through the session's redirect_uri
	ByCode     SignIn = "question" // a password, and then a code
	Down       SignIn = "down"     // a password, and then an error
)

// An Account is what an end user selects in Connect, in the form that the launcher's success callback gets.
type Account struct {
	ID   string  `json:"account_id"`
	Type string  `json:"account_type"`
	Name string  `json:"name"`
	Mask *string `json:"account_mask"`
}

const (
	defaultID = "sandbox_bank"
	manualID  = "manual"
)

var (
	us, gb, ca = gen.CountryUS, gen.CountryGB, gen.CountryCA

	everyday = []Account{
		NewAccount("depository.checking", "Everyday Checking", "4821"),
		NewAccount("depository.savings", "Rainy Day Savings", "9034"),
		NewAccount("credit_card", "Cash Back Card", "1177"),
	}
	members = []Account{
		NewAccount("depository.checking", "Share Draft Checking", "2260"),
		NewAccount("depository.savings", "Share Savings", "2278"),
		NewAccount("loan.mortgage", "Home Loan", "6402"),
	}
	british = []Account{
		NewAccount("depository.checking", "Current Account", "5518"),
		NewAccount("depository.savings", "Instant Saver", "5526"),
	}
	noInvestments = []gen.Product{gen.ProductInvestments}

	catalog = []Institution{
		{defaultID, "Sandbox Bank", "sandboxbank.example", "#0b5cd5", []gen.Country{us, gb, ca}, nil, nil, ByPassword, everyday},
		{"alder_creek", "Alder Creek Bank", "aldercreek.example", "#1c6b45", []gen.Country{us}, nil, nil, ByPassword, everyday},
		{"bluefin_federal", "Bluefin Federal", "bluefinfederal.example", "#123f8c", []gen.Country{us}, nil, nil, ByOAuth, everyday},
		{"cobalt_savings", "Cobalt Savings", "cobaltsavings.example", "#3a46b8", []gen.Country{us}, nil, noInvestments, ByCode, everyday},
		{"driftwood_cu", "Driftwood Credit Union", "driftwoodcu.example", "#8a4b20", []gen.Country{us}, nil, noInvestments, Down, members},
		{"everhill", "Everhill Bank", "everhill.example", "#a8243f", []gen.Country{us, ca}, nil, nil, ByPassword, everyday},
		{"gullwing_invest", "Gullwing Invest", "gullwing.example", "#1d1f2b", []gen.Country{us}, []gen.Provider{gen.ProviderMoneykit, gen.ProviderPlaid, gen.ProviderYodlee}, nil, ByPassword, []Account{
			NewAccount("investment", "Brokerage", "7310"),
			NewAccount("investment", "Retirement", "7328"),
			NewAccount("depository.cash", "Cash Management", "7336"),
		}},
		{"hollybrook", "Hollybrook Mutual", "hollybrook.example", "#5a6b12", []gen.Country{us}, []gen.Provider{gen.ProviderMoneykit, gen.ProviderMx, gen.ProviderFinicity}, noInvestments, ByPassword, members},
		{"inkwell_card", "Inkwell Card", "inkwellcard.example", "#472a7a", []gen.Country{us}, nil, []gen.Product{gen.ProductInvestments, gen.ProductAccountNumbers}, ByPassword, []Account{
			NewAccount("credit_card", "Inkwell Blue", "3005"),
			NewAccount("credit_card", "Inkwell Reserve", "3013"),
		}},
		{"lanternfish", "Lanternfish Money", "lanternfish.example", "#00686f", []gen.Country{us, gb, ca}, nil, noInvestments, ByCode, everyday},
		{"northgate", "Northgate Community Bank", "northgate.example", "#2f4858", []gen.Country{us}, []gen.Provider{gen.ProviderMoneykit, gen.ProviderFinicity, gen.ProviderAkoya}, nil, ByPassword, everyday},
		{"quillstone", "Quillstone Bank", "quillstone.example", "#9a3412", []gen.Country{us}, nil, nil, ByPassword, everyday},
		{"fernmoor", "Fernmoor Building Society", "fernmoor.example", "#2c6e2f", []gen.Country{gb}, nil, noInvestments, ByPassword, british},
		{"juniper_street", "Juniper Street Bank", "juniperstreet.example", "#7a2958", []gen.Country{gb}, nil, noInvestments, ByOAuth, british},
		{"maple_harbour", "Maple Harbour Trust", "mapleharbour.example", "#b3261e", []gen.Country{ca}, nil, nil, ByPassword, everyday},
	}
)

// Manual is where accounts are that were entered by hand.
var Manual = Institution{ID: manualID, Name: "Account entered by hand", Color: "#475467", Lacks: []gen.Product{
	gen.ProductTransactions, gen.ProductInvestments}}

// NewAccount returns an account whose number ends in mask.
func NewAccount(kind, name, mask string) Account {
	return Account{Type: kind, Name: name, Mask: &mask}
}

// ByID returns the institution with an id, and the sandbox's own bank if id is empty. An id that is not known, such as
// that of a real institution, is a bank like the sandbox's own.
func ByID(id string) Institution {
	switch id {
	case "":
		id = defaultID
	case manualID:
		return Manual
	}
	for _, in := range catalog {
		if in.ID == id {
			return in
		}
	}
	unknown := catalog[0]
	unknown.ID, unknown.Name = id, catalog[0].Name+" ("+id+")"
	return unknown
}

// IsManual reports whether the institution stands for accounts entered by hand.
func (in Institution) IsManual() bool { return in.ID == manualID }

// Offers reports whether the institution has a product.
func (in Institution) Offers(p gen.Product) bool { return !slices.Contains(in.Lacks, p) }

// Provider returns the first of the session's providers that serves the institution, and MoneyKit itself if there is
// none.
func (in Institution) Provider(settings gen.LinkSessionSettingOverrides) gen.Provider {
	for _, p := range settings.Providers {
		if in.Providers == nil || slices.Contains(in.Providers, p) {
			return p
		}
	}
	return gen.ProviderMoneykit
}

// Avatar returns the institution's logo as a data URL: its initials on its colour.
func (in Institution) Avatar() string {
	var initials strings.Builder
	for _, word := range strings.Fields(in.Name) {
		if initials.Len() < 2 {
			initials.WriteString(string([]rune(word)[:1]))
		}
	}
	svg := fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64"><rect width="64" height="64" rx="14" fill="%s"/>`+
		`<text x="32" y="41" font-family="sans-serif" font-size="26" font-weight="600" fill="#fff" text-anchor="middle">%s</text></svg>`,
		in.Color, html.EscapeString(strings.ToUpper(initials.String())))
	return "data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString([]byte(svg))
}

// Accounts returns what an end user finds at the institution: custom if a session or a link has any, else the
// institution's own.
func (in Institution) Accounts(custom gen.CustomSandboxData, depositoryOnly bool) []Account {
	all := slices.Clone(in.accounts)
	if custom.Accounts != nil {
		all = nil
		for _, c := range custom.Accounts {
			all = append(all, NewAccount(c.AccountType, c.Name, LastFour(c.AccountNumber)))
		}
	}
	if depositoryOnly {
		all = slices.DeleteFunc(all, func(a Account) bool { return !strings.HasPrefix(a.Type, "depository") })
	}
	for i := range all {
		all[i].ID = fmt.Sprintf("acc_%s_%d", in.ID, i+1)
	}
	return all
}

// LastFour returns the last four characters of an account number.
func LastFour(number string) string {
	runes := []rune(number)
	return string(runes[max(0, len(runes)-4):])
}
