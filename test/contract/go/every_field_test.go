package contract

import mk "github.com/moneykit/moneykit-go/test/contract/go/generated/moneykit"

// everyField is a request with every field of the contract, that of wire/every-field.json.
func everyField(existingLinkID string) *mk.CreateLinkSessionRequest {
	yes := mk.NewOptNilBool(true)
	verified := mk.NewOptNilString("2023-02-16T09:14:11Z")
	product := func(reason string) mk.OptNilProductSettings {
		return mk.NewOptNilProductSettings(mk.ProductSettings{
			Required: yes, RequirePermission: yes, Reason: mk.NewOptNilString(reason), Prefetch: yes,
		})
	}
	return &mk.CreateLinkSessionRequest{
		CustomerUser: mk.LinkSessionCustomerUser{
			ID: "user-42",
			Email: mk.NewOptNilLinkSessionCustomerUserEmail(mk.LinkSessionCustomerUserEmail{
				Address: "jane@example.com", CustomerVerifiedAt: verified,
			}),
			Phone: mk.NewOptNilLinkSessionCustomerUserPhone(mk.LinkSessionCustomerUserPhone{
				Number: "+15551234567", Country: mk.NewOptNilCountry("US"), CustomerVerifiedAt: verified,
			}),
		},
		RedirectURI: "https://yourdomain.com/oauth.html",
		Settings: mk.NewOptNilLinkSessionSettingOverrides(mk.LinkSessionSettingOverrides{
			LinkPermissions: mk.NewOptNilLinkPermissions(mk.LinkPermissions{
				Requested: mk.NewOptNilRequestedLinkPermissionArray([]mk.RequestedLinkPermission{
					{Scope: "accounts", Reason: "show your balance", Required: true},
				}),
			}),
			Providers: mk.NewOptNilProviderArray([]mk.Provider{"moneykit", "mx"}),
			Products: mk.NewOptNilProductsSettings(mk.ProductsSettings{
				AccountNumbers: product("pay you"),
				Identity:       product("know you"),
				Investments:    product("advise you"),
				Transactions: mk.NewOptNilTransactionsProductSettings(mk.TransactionsProductSettings{
					Required: yes, RequirePermission: yes, Reason: mk.NewOptNilString("budget with you"), Prefetch: yes,
				}),
			}),
			Countries: mk.NewOptNilCountryArray([]mk.Country{"US", "CA"}),
		}),
		ExistingLinkID: mk.NewOptNilString(existingLinkID),
		InstitutionID:  mk.NewOptNilString("chase"),
		Webhook:        mk.NewOptNilString("https://yourdomain.com/moneykit_webhook"),
		LinkTags:       mk.NewOptNilStringArray([]string{"smoke_test", "user_type:admin"}),
		ConnectFeatures: mk.NewOptNilMoneyKitConnectFeatures(mk.MoneyKitConnectFeatures{
			IssueReporter: yes, EnableMoneyID: yes, DuplicateInstitutionWarning: yes, DuplicateInstitutionRejected: yes,
			ConnectManually: yes, PermitOnlyOneAccount: yes, PermitOnlyDepositoryAccounts: yes,
		}),
		CustomSandboxData: mk.NewOptNilCustomSandboxData(mk.CustomSandboxData{
			Accounts: []mk.CustomSandboxAccount{{
				AccountType: "depository.checking", Name: "Checking",
				AccountNumber: "1234567890", RoutingNumber: mk.NewOptNilString("021000021"),
			}},
			Owners: mk.NewOptNilOwnerArray([]mk.Owner{{
				Names: []string{"Jane Doe"},
				Addresses: []mk.Address{{
					Street: mk.NewOptNilString("1 Main Street"), City: mk.NewOptNilString("Springfield"),
					Region: mk.NewOptNilString("IL"), PostalCode: mk.NewOptNilString("62701"),
					Country: mk.NewOptNilString("US"), Primary: yes,
				}},
				PhoneNumbers: []mk.PhoneNumber{{Number: "+15551234567", Type: mk.PhoneNumberTypeMobile, Primary: yes}},
				Emails:       []mk.Email{{Address: "jane@example.com", Primary: yes}},
			}}),
		}),
	}
}
