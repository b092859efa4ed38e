import type { components } from "./generated/moneykit.js";

/** A request with every field of the contract, that of wire/every-field.json. */
export function everyField(existingLinkID: string): components["schemas"]["CreateLinkSessionRequest"] {
  const verified = new Date("2023-02-16T09:14:11Z").toISOString();
  const product = (reason: string) => ({ required: true, require_permission: true, reason, prefetch: true });
  return {
    customer_user: {
      id: "user-42",
      email: { address: "jane@example.com", customer_verified_at: verified },
      phone: { number: "+15551234567", country: "US", customer_verified_at: verified },
    },
    redirect_uri: "https://yourdomain.com/oauth.html",
    settings: {
      link_permissions: { requested: [{ scope: "accounts", reason: "show your balance", required: true }] },
      providers: ["moneykit", "mx"],
      products: {
        account_numbers: product("pay you"),
        identity: product("know you"),
        investments: product("advise you"),
        transactions: product("budget with you"),
      },
      countries: ["US", "CA"],
    },
    existing_link_id: existingLinkID,
    institution_id: "chase",
    webhook: "https://yourdomain.com/moneykit_webhook",
    link_tags: ["smoke_test", "user_type:admin"],
    connect_features: {
      issue_reporter: true,
      enable_money_id: true,
      duplicate_institution_warning: true,
      duplicate_institution_rejected: true,
      connect_manually: true,
      permit_only_one_account: true,
      permit_only_depository_accounts: true,
    },
    custom_sandbox_data: {
      accounts: [
        { account_type: "depository.checking", name: "Checking", account_number: "1234567890", routing_number: "021000021" },
      ],
      owners: [
        {
          names: ["Jane Doe"],
          addresses: [
            { street: "1 Main Street", city: "Springfield", region: "IL", postal_code: "62701", country: "US", primary: true },
          ],
          phone_numbers: [{ number: "+15551234567", type: "mobile", primary: true }],
          emails: [{ address: "jane@example.com", primary: true }],
        },
      ],
    },
  };
}
