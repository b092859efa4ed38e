package sandbox

import "github.com/moneykit/moneykit-go/gen"

// An institution is where an end user's accounts are.
type institution struct {
	id, name string
}

// institutionByID returns the institution that a session asks for, and the sandbox's own bank if it asks for none.
// Any id will do, so that tests can use the ids of real institutions.
func institutionByID(id string) institution {
	if id == "" {
		return institution{"sandbox_bank", "Sandbox Bank"}
	}
	return institution{id, "Sandbox Bank (" + id + ")"}
}

// availableProducts is what every institution of the sandbox offers.
func availableProducts() []gen.Product {
	return []gen.Product{gen.ProductAccounts, gen.ProductAccountNumbers, gen.ProductIdentity,
		gen.ProductTransactions, gen.ProductInvestments, gen.ProductEnrichment}
}
