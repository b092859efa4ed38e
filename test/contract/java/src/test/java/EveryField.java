import com.moneykit.model.*;
import java.time.OffsetDateTime;
import java.util.List;

/** A request with every field of the contract, that of wire/every-field.json. */
final class EveryField {
  static CreateLinkSessionRequest request(String existingLinkId) {
    var verified = OffsetDateTime.parse("2023-02-16T09:14:11Z");
    return new CreateLinkSessionRequest()
        .customerUser(new LinkSessionCustomerUser()
            .id("user-42")
            .email(new LinkSessionCustomerUserEmail().address("jane@example.com").customerVerifiedAt(verified))
            .phone(new LinkSessionCustomerUserPhone()
                .number("+15551234567").country(Country.US).customerVerifiedAt(verified)))
        .redirectUri("https://yourdomain.com/oauth.html")
        .settings(new LinkSessionSettingOverrides()
            .linkPermissions(new LinkPermissions().requested(List.of(
                new RequestedLinkPermission().scope(LinkPermissionScope.ACCOUNTS).reason("show your balance").required(true))))
            .providers(List.of(Provider.MONEYKIT, Provider.MX))
            .products(new ProductsSettings()
                .accountNumbers(product("pay you"))
                .identity(product("know you"))
                .investments(product("advise you"))
                .transactions(new TransactionsProductSettings()
                    .required(true).requirePermission(true).reason("budget with you").prefetch(true)))
            .countries(List.of(Country.US, Country.CA)))
        .existingLinkId(existingLinkId)
        .institutionId("chase")
        .webhook("https://yourdomain.com/moneykit_webhook")
        .linkTags(List.of("smoke_test", "user_type:admin"))
        .connectFeatures(new MoneyKitConnectFeatures()
            .issueReporter(true)
            .enableMoneyId(true)
            .duplicateInstitutionWarning(true)
            .duplicateInstitutionRejected(true)
            .connectManually(true)
            .permitOnlyOneAccount(true)
            .permitOnlyDepositoryAccounts(true))
        .customSandboxData(new CustomSandboxData()
            .accounts(List.of(new CustomSandboxAccount()
                .accountType("depository.checking").name("Checking")
                .accountNumber("1234567890").routingNumber("021000021")))
            .owners(List.of(new Owner()
                .names(List.of("Jane Doe"))
                .addresses(List.of(new Address().street("1 Main Street").city("Springfield").region("IL")
                    .postalCode("62701").country("US").primary(true)))
                .phoneNumbers(List.of(
                    new PhoneNumber().number("+15551234567").type(PhoneNumberType.MOBILE).primary(true)))
                .emails(List.of(new Email().address("jane@example.com").primary(true))))));
  }

  private static ProductSettings product(String reason) {
    return new ProductSettings().required(true).requirePermission(true).reason(reason).prefetch(true);
  }
}
