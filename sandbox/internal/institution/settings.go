package institution

import (
	"slices"

	"github.com/moneykit/moneykit-go/gen"
)

// Requested returns the products that a session asks for, in either way. Where both ways name a product, the newer one
// counts.
func Requested(settings gen.LinkSessionSettingOverrides) map[gen.Product]gen.ProductSettings {
	requested := map[gen.Product]gen.ProductSettings{}
	for _, permission := range settings.LinkPermissions.Requested {
		requested[gen.Product(permission.Scope)] = gen.ProductSettings{
			Reason: permission.Reason, Required: permission.Required, RequirePermission: permission.Required,
		}
	}
	products := settings.Products
	if p := products.AccountNumbers; p != nil {
		requested[gen.ProductAccountNumbers] = *p
	}
	if p := products.Identity; p != nil {
		requested[gen.ProductIdentity] = *p
	}
	if p := products.Investments; p != nil {
		requested[gen.ProductInvestments] = *p
	}
	if p := products.Transactions; p != nil {
		requested[gen.ProductTransactions] = gen.ProductSettings(*p)
	}
	return requested
}

// Countries returns the countries of a session, the preferred one first.
func Countries(settings gen.LinkSessionSettingOverrides) []gen.Country {
	if len(settings.Countries) == 0 {
		return []gen.Country{gen.CountryUS}
	}
	return settings.Countries
}

// Offered lists the institutions that Connect offers in a session: those in its countries, the preferred one first,
// that one of its providers serves and that have every product that it requires.
func Offered(settings gen.LinkSessionSettingOverrides) []Institution {
	countries := Countries(settings)
	requested := Requested(settings)
	rank := func(in Institution) int {
		return slices.IndexFunc(countries, func(c gen.Country) bool { return slices.Contains(in.Countries, c) })
	}
	var all []Institution
	for _, in := range catalog {
		served := len(settings.Providers) == 0 || in.Providers == nil ||
			slices.ContainsFunc(settings.Providers, func(p gen.Provider) bool { return slices.Contains(in.Providers, p) })
		complete := !slices.ContainsFunc(in.Lacks, func(p gen.Product) bool { return requested[p].Required })
		if rank(in) >= 0 && served && complete {
			all = append(all, in)
		}
	}
	slices.SortStableFunc(all, func(a, b Institution) int { return rank(a) - rank(b) })
	return all
}
