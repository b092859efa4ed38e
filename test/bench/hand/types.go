package hand

import "time"

// A CreateLinkSessionRequest asks for a session.
type CreateLinkSessionRequest struct {
	CustomerUser      CustomerUser     `json:"customer_user"`
	RedirectURI       string           `json:"redirect_uri"`
	Settings          *settings        `json:"settings,omitempty"`
	ExistingLinkID    string           `json:"existing_link_id,omitempty"`
	InstitutionID     string           `json:"institution_id,omitempty"`
	Webhook           string           `json:"webhook,omitempty"`
	LinkTags          []string         `json:"link_tags,omitempty"`
	ConnectFeatures   *connectFeatures `json:"connect_features,omitempty"`
	CustomSandboxData *sandboxData     `json:"custom_sandbox_data,omitempty"`
}

// A CustomerUser is the end user who links an account.
type CustomerUser struct {
	ID    string `json:"id"`
	Email *email `json:"email,omitempty"`
	Phone *phone `json:"phone,omitempty"`
}

type email struct {
	Address            string     `json:"address"`
	CustomerVerifiedAt *time.Time `json:"customer_verified_at,omitempty"`
}

type phone struct {
	Number             string     `json:"number"`
	Country            string     `json:"country,omitempty"`
	CustomerVerifiedAt *time.Time `json:"customer_verified_at,omitempty"`
}

type settings struct {
	Providers []string          `json:"providers,omitempty"`
	Countries []string          `json:"countries,omitempty"`
	Products  *productsSettings `json:"products,omitempty"`
}

type productsSettings struct {
	AccountNumbers *productSettings `json:"account_numbers,omitempty"`
	Identity       *productSettings `json:"identity,omitempty"`
	Investments    *productSettings `json:"investments,omitempty"`
	Transactions   *productSettings `json:"transactions,omitempty"`
}

type productSettings struct {
	Required          bool   `json:"required,omitempty"`
	RequirePermission bool   `json:"require_permission,omitempty"`
	Prefetch          bool   `json:"prefetch,omitempty"`
	Reason            string `json:"reason,omitempty"`
}

type connectFeatures struct {
	IssueReporter                bool `json:"issue_reporter,omitempty"`
	EnableMoneyID                bool `json:"enable_money_id,omitempty"`
	DuplicateInstitutionWarning  bool `json:"duplicate_institution_warning,omitempty"`
	DuplicateInstitutionRejected bool `json:"duplicate_institution_rejected,omitempty"`
	ConnectManually              bool `json:"connect_manually,omitempty"`
	PermitOnlyOneAccount         bool `json:"permit_only_one_account,omitempty"`
	PermitOnlyDepositoryAccounts bool `json:"permit_only_depository_accounts,omitempty"`
}

type sandboxData struct {
	Accounts []sandboxAccount `json:"accounts"`
}

type sandboxAccount struct {
	AccountType   string `json:"account_type"`
	Name          string `json:"name"`
	AccountNumber string `json:"account_number"`
	RoutingNumber string `json:"routing_number,omitempty"`
}

// A CreateLinkSessionResponse is a session.
type CreateLinkSessionResponse struct {
	LinkSessionToken string `json:"link_session_token"`
}

// An ExchangeTokenRequest holds what Connect returned.
type ExchangeTokenRequest struct {
	ExchangeableToken string `json:"exchangeable_token"`
}

// An ExchangeTokenResponse is the link.
type ExchangeTokenResponse struct {
	LinkID string `json:"link_id"`
	Link   link   `json:"link"`
}

type link struct {
	LinkID            string   `json:"link_id"`
	InstitutionID     string   `json:"institution_id"`
	InstitutionName   string   `json:"institution_name"`
	InstitutionAvatar string   `json:"institution_avatar"`
	State             string   `json:"state"`
	ErrorCode         string   `json:"error_code"`
	LastSyncedAt      Time     `json:"last_synced_at"`
	Provider          string   `json:"provider"`
	LinkTags          []string `json:"link_tags"`
	Tags              []string `json:"tags"`
	Webhook           string   `json:"webhook"`
	Products          products `json:"products"`
	AvailableProducts []string `json:"available_products"`
}

type products struct {
	Accounts       product `json:"accounts"`
	AccountNumbers product `json:"account_numbers"`
	Identity       product `json:"identity"`
	Transactions   product `json:"transactions"`
	Investments    product `json:"investments"`
	Enrichment     product `json:"enrichment"`
}

type product struct {
	RefreshedAt     Time            `json:"refreshed_at"`
	LastAttemptedAt Time            `json:"last_attempted_at"`
	ErrorCode       string          `json:"error_code"`
	ErrorMessage    string          `json:"error_message"`
	Unavailable     string          `json:"unavailable"`
	Settings        productSettings `json:"settings"`
	HasHistory      bool            `json:"has_history"`
}

// Time is a time with or without a zone.
type Time struct{ time.Time }

// UnmarshalJSON accepts RFC 3339, the same without a zone as UTC, and null.
func (t *Time) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	if err := t.Time.UnmarshalJSON(data); err == nil {
		return nil
	}
	parsed, err := time.Parse(`"2006-01-02T15:04:05.999999999"`, string(data))
	t.Time = parsed
	return err
}
