package sandbox

import (
	"fmt"
	"slices"
	"strings"

	"github.com/moneykit/moneykit-go/gen"
)

// An institution is where an end user's accounts are. None of them exists.
type institution struct {
	id, name, domain, color string
	countries               []gen.Country
	providers               []gen.Provider // nil: all of them
	lacks                   []gen.Product  // what it does not offer
	signIn                  signIn
	accounts                []account
}

// signIn is how an institution lets an end user in.
type signIn string

const (
	byPassword signIn = "password"
	byOAuth    signIn = "oauth"    // on a page of its own, and back through the session's redirect_uri
	byQuestion signIn = "question" // a password, and then a code
	outOfOrder signIn = "down"     // it takes a password, and fails
)

// An account is what an end user selects in Connect, in the form that the launcher's success callback gets.
type account struct {
	ID   string  `json:"account_id"`
	Type string  `json:"account_type"`
	Name string  `json:"name"`
	Mask *string `json:"account_mask"`
}

const (
	ownBankID = "sandbox_bank" // the one that is picked when nobody picks
	manualID  = "manual"       // where accounts are that were entered by hand
)

var (
	us, gb, ca = gen.CountryUS, gen.CountryGB, gen.CountryCA

	everyday = []account{
		newAccount("depository.checking", "Everyday Checking", "4821"),
		newAccount("depository.savings", "Rainy Day Savings", "9034"),
		newAccount("credit_card", "Cash Back Card", "1177"),
	}
	members = []account{
		newAccount("depository.checking", "Share Draft Checking", "2260"),
		newAccount("depository.savings", "Share Savings", "2278"),
		newAccount("loan.mortgage", "Home Loan", "6402"),
	}
	british = []account{
		newAccount("depository.checking", "Current Account", "5518"),
		newAccount("depository.savings", "Instant Saver", "5526"),
	}
	noInvestments = []gen.Product{gen.ProductInvestments}

	catalog = []institution{
		{ownBankID, "Sandbox Bank", "sandboxbank.example", "#0b5cd5", []gen.Country{us, gb, ca}, nil, nil, byPassword, everyday},
		{"alder_creek", "Alder Creek Bank", "aldercreek.example", "#1c6b45", []gen.Country{us}, nil, nil, byPassword, everyday},
		{"bluefin_federal", "Bluefin Federal", "bluefinfederal.example", "#123f8c", []gen.Country{us}, nil, nil, byOAuth, everyday},
		{"cobalt_savings", "Cobalt Savings", "cobaltsavings.example", "#3a46b8", []gen.Country{us}, nil, noInvestments, byQuestion, everyday},
		{"driftwood_cu", "Driftwood Credit Union", "driftwoodcu.example", "#8a4b20", []gen.Country{us}, nil, noInvestments, outOfOrder, members},
		{"everhill", "Everhill Bank", "everhill.example", "#a8243f", []gen.Country{us, ca}, nil, nil, byPassword, everyday},
		{"gullwing_invest", "Gullwing Invest", "gullwing.example", "#1d1f2b", []gen.Country{us}, []gen.Provider{gen.ProviderMoneykit, gen.ProviderPlaid, gen.ProviderYodlee}, nil, byPassword, []account{
			newAccount("investment", "Brokerage", "7310"),
			newAccount("investment", "Retirement", "7328"),
			newAccount("depository.cash", "Cash Management", "7336"),
		}},
		{"hollybrook", "Hollybrook Mutual", "hollybrook.example", "#5a6b12", []gen.Country{us}, []gen.Provider{gen.ProviderMoneykit, gen.ProviderMx, gen.ProviderFinicity}, noInvestments, byPassword, members},
		{"inkwell_card", "Inkwell Card", "inkwellcard.example", "#472a7a", []gen.Country{us}, nil, []gen.Product{gen.ProductInvestments, gen.ProductAccountNumbers}, byPassword, []account{
			newAccount("credit_card", "Inkwell Blue", "3005"),
			newAccount("credit_card", "Inkwell Reserve", "3013"),
		}},
		{"lanternfish", "Lanternfish Money", "lanternfish.example", "#00686f", []gen.Country{us, gb, ca}, nil, noInvestments, byQuestion, everyday},
		{"northgate", "Northgate Community Bank", "northgate.example", "#2f4858", []gen.Country{us}, []gen.Provider{gen.ProviderMoneykit, gen.ProviderFinicity, gen.ProviderAkoya}, nil, byPassword, everyday},
		{"quillstone", "Quillstone Bank", "quillstone.example", "#9a3412", []gen.Country{us}, nil, nil, byPassword, everyday},
		{"fernmoor", "Fernmoor Building Society", "fernmoor.example", "#2c6e2f", []gen.Country{gb}, nil, noInvestments, byPassword, british},
		{"juniper_street", "Juniper Street Bank", "juniperstreet.example", "#7a2958", []gen.Country{gb}, nil, noInvestments, byOAuth, british},
		{"maple_harbour", "Maple Harbour Trust", "mapleharbour.example", "#b3261e", []gen.Country{ca}, nil, nil, byPassword, everyday},
	}
	manual = institution{id: manualID, name: "Account entered by hand", color: "#475467", lacks: []gen.Product{
		gen.ProductTransactions, gen.ProductInvestments, gen.ProductEnrichment}}
)

func newAccount(kind, name, mask string) account {
	return account{Type: kind, Name: name, Mask: &mask}
}

// institutionByID returns the institution that a session asks for, and the sandbox's own bank if it asks for none.
// Any id will do, so that tests can use the ids of real institutions: one that is not known is like the sandbox's
// own bank.
func institutionByID(id string) institution {
	if id == "" {
		id = ownBankID
	}
	if id == manualID {
		return manual
	}
	for _, in := range catalog {
		if in.id == id {
			return in
		}
	}
	unknown := catalog[0]
	unknown.id, unknown.name = id, catalog[0].name+" ("+id+")"
	return unknown
}

// products is what the institution offers.
func (in institution) products() []gen.Product {
	return slices.DeleteFunc([]gen.Product{gen.ProductAccounts, gen.ProductAccountNumbers, gen.ProductIdentity,
		gen.ProductTransactions, gen.ProductInvestments, gen.ProductEnrichment}, func(p gen.Product) bool {
		return slices.Contains(in.lacks, p)
	})
}

// provider is the first of the session's providers that serves the institution; without any, MoneyKit itself.
func (in institution) provider(settings gen.LinkSessionSettingOverrides) gen.Provider {
	for _, p := range settings.Providers {
		if in.providers == nil || slices.Contains(in.providers, p) {
			return p
		}
	}
	return gen.ProviderMoneykit
}

// offered lists the institutions that Connect offers in a session: those in its countries, the preferred one first,
// that one of its providers serves and that have every product which it requires.
func offered(settings gen.LinkSessionSettingOverrides) []institution {
	countries := countriesOf(settings)
	asked := askedFor(settings)
	var all []institution
	for _, in := range catalog {
		inCountry := slices.ContainsFunc(in.countries, func(c gen.Country) bool { return slices.Contains(countries, c) })
		served := len(settings.Providers) == 0 || in.providers == nil ||
			slices.ContainsFunc(settings.Providers, func(p gen.Provider) bool { return slices.Contains(in.providers, p) })
		complete := !slices.ContainsFunc(in.lacks, func(p gen.Product) bool { return asked[p].Required })
		if inCountry && served && complete {
			all = append(all, in)
		}
	}
	rank := func(in institution) int {
		return slices.IndexFunc(countries, func(c gen.Country) bool { return slices.Contains(in.countries, c) })
	}
	slices.SortStableFunc(all, func(a, b institution) int { return rank(a) - rank(b) })
	return all
}

func countriesOf(settings gen.LinkSessionSettingOverrides) []gen.Country {
	if len(settings.Countries) == 0 {
		return []gen.Country{gen.CountryUS}
	}
	return settings.Countries
}

// accountsFor is what an end user finds at the institution: the session's custom_sandbox_data, or else that of the
// link that is connected again, or else the institution's own.
func (in institution) accountsFor(request gen.CreateLinkSessionRequest, existing *Link) []account {
	custom := request.CustomSandboxData.Accounts
	if custom == nil && existing != nil {
		custom = existing.CustomSandboxData.Accounts
	}
	all := slices.Clone(in.accounts)
	if custom != nil {
		all = nil
		for _, c := range custom {
			all = append(all, newAccount(c.AccountType, c.Name, lastFour(c.AccountNumber)))
		}
	}
	if request.ConnectFeatures.PermitOnlyDepositoryAccounts {
		all = slices.DeleteFunc(all, func(a account) bool { return !strings.HasPrefix(a.Type, "depository") })
	}
	for i := range all {
		all[i].ID = fmt.Sprintf("acc_%s_%d", in.id, i+1)
	}
	return all
}

func lastFour(number string) string {
	runes := []rune(number)
	return string(runes[max(0, len(runes)-4):])
}
