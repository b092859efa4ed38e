# A request with every field of the contract, that of wire/every-field.json.
def every_field(existing_link_id)
  verified = Time.utc(2023, 2, 16, 9, 14, 11).iso8601
  requested = { required: true, require_permission: true, prefetch: true }
  MoneyKit::CreateLinkSessionRequest.new(
    customer_user: MoneyKit::LinkSessionCustomerUser.new(
      id: 'user-42',
      email: MoneyKit::LinkSessionCustomerUserEmail.new(address: 'jane@example.com', customer_verified_at: verified),
      phone: MoneyKit::LinkSessionCustomerUserPhone.new(
        number: '+15551234567', country: MoneyKit::Country::US, customer_verified_at: verified
      )
    ),
    redirect_uri: 'https://yourdomain.com/oauth.html',
    settings: MoneyKit::LinkSessionSettingOverrides.new(
      link_permissions: MoneyKit::LinkPermissions.new(
        requested: [
          MoneyKit::RequestedLinkPermission.new(scope: MoneyKit::LinkPermissionScope::ACCOUNTS, reason: 'show your balance', required: true)
        ]
      ),
      providers: [MoneyKit::Provider::MONEYKIT, MoneyKit::Provider::MX],
      products: MoneyKit::ProductsSettings.new(
        account_numbers: MoneyKit::ProductSettings.new(reason: 'pay you', **requested),
        identity: MoneyKit::ProductSettings.new(reason: 'know you', **requested),
        investments: MoneyKit::ProductSettings.new(reason: 'advise you', **requested),
        transactions: MoneyKit::TransactionsProductSettings.new(reason: 'budget with you', **requested)
      ),
      countries: [MoneyKit::Country::US, MoneyKit::Country::CA]
    ),
    existing_link_id: existing_link_id,
    institution_id: 'chase',
    webhook: 'https://yourdomain.com/moneykit_webhook',
    link_tags: ['smoke_test', 'user_type:admin'],
    connect_features: MoneyKit::MoneyKitConnectFeatures.new(
      issue_reporter: true,
      enable_money_id: true,
      duplicate_institution_warning: true,
      duplicate_institution_rejected: true,
      connect_manually: true,
      permit_only_one_account: true,
      permit_only_depository_accounts: true
    ),
    custom_sandbox_data: MoneyKit::CustomSandboxData.new(
      accounts: [
        MoneyKit::CustomSandboxAccount.new(
          account_type: 'depository.checking', name: 'Checking', account_number: '1234567890', routing_number: '021000021'
        )
      ],
      owners: [
        MoneyKit::Owner.new(
          names: ['Jane Doe'],
          addresses: [
            MoneyKit::Address.new(
              street: '1 Main Street', city: 'Springfield', region: 'IL', postal_code: '62701', country: 'US', primary: true
            )
          ],
          phone_numbers: [
            MoneyKit::PhoneNumber.new(number: '+15551234567', type: MoneyKit::PhoneNumberType::MOBILE, primary: true)
          ],
          emails: [MoneyKit::Email.new(address: 'jane@example.com', primary: true)]
        )
      ]
    )
  )
end
