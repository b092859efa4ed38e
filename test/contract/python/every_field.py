from datetime import UTC, datetime

from moneykit.models import (
    Address,
    Country,
    CreateLinkSessionRequest,
    CustomSandboxData,
    Email,
    LinkPermissions,
    RequestedLinkPermission,
    LinkSessionCustomerUser,
    LinkSessionCustomerUserEmail,
    LinkSessionCustomerUserPhone,
    LinkSessionSettingOverrides,
    MoneyKitConnectFeatures,
    PhoneNumber,
    PhoneNumberType,
    LinkPermissionScope,
    ProductSettings,
    ProductsSettings,
    Provider,
    CustomSandboxAccount,
    Owner,
    TransactionsProductSettings,
)


def every_field(existing_link_id: str) -> CreateLinkSessionRequest:
    """A request with every field of the contract, that of wire/every-field.json."""
    verified = datetime(2023, 2, 16, 9, 14, 11, tzinfo=UTC)
    requested = {"required": True, "require_permission": True, "prefetch": True}
    return CreateLinkSessionRequest(
        customer_user=LinkSessionCustomerUser(
            id="user-42",
            email=LinkSessionCustomerUserEmail("jane@example.com", customer_verified_at=verified),
            phone=LinkSessionCustomerUserPhone("+15551234567", country=Country.US, customer_verified_at=verified),
        ),
        redirect_uri="https://yourdomain.com/oauth.html",
        settings=LinkSessionSettingOverrides(
            link_permissions=LinkPermissions(
                requested=[RequestedLinkPermission(scope=LinkPermissionScope.ACCOUNTS, reason="show your balance", required=True)]
            ),
            providers=[Provider.MONEYKIT, Provider.MX],
            products=ProductsSettings(
                account_numbers=ProductSettings(reason="pay you", **requested),
                identity=ProductSettings(reason="know you", **requested),
                investments=ProductSettings(reason="advise you", **requested),
                transactions=TransactionsProductSettings(reason="budget with you", **requested),
            ),
            countries=[Country.US, Country.CA],
        ),
        existing_link_id=existing_link_id,
        institution_id="chase",
        webhook="https://yourdomain.com/moneykit_webhook",
        link_tags=["smoke_test", "user_type:admin"],
        connect_features=MoneyKitConnectFeatures(
            issue_reporter=True,
            enable_money_id=True,
            duplicate_institution_warning=True,
            duplicate_institution_rejected=True,
            connect_manually=True,
            permit_only_one_account=True,
            permit_only_depository_accounts=True,
        ),
        custom_sandbox_data=CustomSandboxData(
            accounts=[CustomSandboxAccount("depository.checking", "Checking", "1234567890", routing_number="021000021")],
            owners=[
                Owner(
                    names=["Jane Doe"],
                    addresses=[Address("1 Main Street", "Springfield", "IL", "62701", "US", primary=True)],
                    phone_numbers=[PhoneNumber("+15551234567", PhoneNumberType.MOBILE, primary=True)],
                    emails=[Email("jane@example.com", primary=True)],
                )
            ],
        ),
    )
