import static org.junit.jupiter.api.Assertions.*;

import com.fasterxml.jackson.databind.*;
import com.fasterxml.jackson.databind.module.SimpleModule;
import com.moneykit.*;
import com.moneykit.api.LinkSessionApi;
import com.moneykit.model.*;
import java.net.URI;
import java.net.http.*;
import java.nio.file.*;
import java.time.OffsetDateTime;
import java.util.*;
import org.junit.jupiter.api.Test;

/** The contract in Java, through OpenAPI Generator and java.net.http. */
class ContractTest {
  static final String URL = System.getenv("MONEYKIT_URL");
  static final HttpClient HTTP = HttpClient.newHttpClient();
  static final ObjectMapper JSON = new ObjectMapper();
  static final LinkSessionApi moneykit = connect();

  static LinkSessionApi connect() {
    try {
      var form = "grant_type=client_credentials&client_id=" + System.getenv("MONEYKIT_CLIENT_ID")
          + "&client_secret=" + System.getenv("MONEYKIT_CLIENT_SECRET");
      var post = HttpRequest.newBuilder(URI.create(URL + "/auth/token"))
          .header("Content-Type", "application/x-www-form-urlencoded")
          .POST(HttpRequest.BodyPublishers.ofString(form)).build();
      var response = HTTP.send(post, HttpResponse.BodyHandlers.ofString()).body();
      var token = JSON.readTree(response).required("access_token").asText();

      var client = new ApiClient();
      client.updateBaseUri(URL);
      client.setObjectMapper(client.getObjectMapper()
          .registerModule(new SimpleModule().addDeserializer(OffsetDateTime.class, new UTC())));
      client.setRequestInterceptor(request -> request
          .setHeader("Authorization", "Bearer " + token).setHeader("MoneyKit-Version", "2023-02-18"));
      var moneykit = new LinkSessionApi(client);

      var session = moneykit.createLinkSession(new CreateLinkSessionRequest()
          .customerUser(new LinkSessionCustomerUser().id("user-42"))
          .redirectUri("https://yourdomain.com/oauth.html"));
      System.out.println(session.getLinkSessionToken()); // goes to MoneyKit Connect, which returns an exchangeable token
      return moneykit;
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }

  static CreateLinkSessionRequest request(String userId) {
    return new CreateLinkSessionRequest()
        .customerUser(new LinkSessionCustomerUser().id(userId))
        .redirectUri("https://yourdomain.com/oauth.html");
  }

  static String sandbox(String path, Map<String, ?> body) throws Exception {
    var post = HttpRequest.newBuilder(URI.create(URL + "/sandbox/" + path))
        .header("Content-Type", "application/json")
        .POST(HttpRequest.BodyPublishers.ofString(JSON.writeValueAsString(body))).build();
    return HTTP.send(post, HttpResponse.BodyHandlers.ofString()).body();
  }

  /** Creates a session and completes it as its end user would; returns the exchangeable token. */
  static String completed(CreateLinkSessionRequest request) throws Exception {
    var session = moneykit.createLinkSession(request);
    var response = sandbox("complete", Map.of("link_session_token", session.getLinkSessionToken()));
    return JSON.readTree(response).required("exchangeable_token").asText();
  }

  static LinkCommon exchange(String token) throws ApiException {
    return moneykit.exchangeToken(new ExchangeTokenRequest().exchangeableToken(token)).getLink();
  }

  static LinkCommon prepared(String file) throws Exception {
    var body = Files.readString(Path.of("../wire", file));
    sandbox("fail", Map.of("operation", "exchange_token", "status", 201, "body", body));
    return exchange("any");
  }

  static ApiException failure(int status, String code, org.junit.jupiter.api.function.Executable call) throws Exception {
    var e = assertThrows(ApiException.class, call);
    assertEquals(status, e.getCode());
    assertEquals(code, JSON.readTree(e.getResponseBody()).required("error_code").asText());
    return e;
  }

  @Test
  void aSessionBecomesALinkOnce() throws Exception {
    var token = completed(request("user-42"));
    var link = exchange(token);
    assertEquals(PublicLinkState.CONNECTED, link.getState());
    assertEquals(Provider.MONEYKIT, link.getProvider());
    failure(400, "link_session_error.invalid_token_exchange", () -> exchange(token));
  }

  @Test
  void everyFieldIsSent() throws Exception {
    var link = exchange(completed(request("user-42")));
    var again = exchange(completed(EveryField.request(link.getLinkId())));
    assertEquals(List.of("smoke_test", "user_type:admin"), again.getLinkTags());
  }

  @Test
  void aWrongTokenIsRejected() throws Exception {
    var client = new ApiClient();
    client.updateBaseUri(URL);
    client.setRequestInterceptor(request -> request
        .setHeader("Authorization", "Bearer wrong").setHeader("MoneyKit-Version", "2023-02-18"));
    failure(401, "api_error.auth.unauthorized", () -> new LinkSessionApi(client).createLinkSession(request("user-42")));
  }

  @Test
  void anInvalidRequestNamesTheFields() throws Exception {
    var e = failure(422, "api_error.request.validation_failed",
        () -> moneykit.createLinkSession(request("").linkTags(List.of("fine", "-"))));
    var problems = ApiClient.createDefaultObjectMapper().readValue(e.getResponseBody(), HTTPValidationError.class);
    var locations = problems.getValidationErrors().stream()
        .map(problem -> problem.getLocation().stream().map(ValidationErrorLocationInner::getActualInstance).toList()).toList();
    assertEquals(List.of(List.of("body", "customer_user", "id"), List.of("body", "link_tags", 1)), locations);
  }

  @Test
  void theRateLimitSaysHowLongToWait() throws Exception {
    for (int n = 0; n < 20; n++) moneykit.createLinkSession(request("hasty"));
    var e = failure(429, "api_error.rate_limit_exceeded", () -> moneykit.createLinkSession(request("hasty")));
    assertTrue(e.getResponseHeaders().firstValueAsLong("Retry-After").orElseThrow() > 0);
  }

  @Test
  void unknownValuesDoNotLoseTheLink() throws Exception {
    var link = prepared("unknown-link.json");
    assertEquals(Provider.UNKNOWN_DEFAULT_OPEN_API, link.getProvider());
    assertEquals(PublicLinkState.UNKNOWN_DEFAULT_OPEN_API, link.getState());
    assertEquals(List.of(Product.ACCOUNTS, Product.UNKNOWN_DEFAULT_OPEN_API), link.getAvailableProducts());
    assertNull(link.getErrorCode()); // a nullable enum reads what it does not know as null
    var accounts = link.getProducts().getAccounts();
    for (var at : List.of(link.getLastSyncedAt(), accounts.getRefreshedAt(), accounts.getLastAttemptedAt()))
      assertEquals(OffsetDateTime.parse("2023-02-16T09:14:11Z"), at);
  }

  @Test
  void nullReadsAsAbsent() throws Exception {
    var link = prepared("null-link.json");
    assertNull(link.getProvider());
    assertNull(link.getLastSyncedAt());
    assertNull(link.getLinkTags());
    assertNull(link.getProducts().getIdentity());
    assertNull(link.getProducts().getAccountNumbers().getSettings().getPrefetch());
  }

  /** Decodes an event as the client decodes a response. */
  static Object event(String file) throws Exception {
    var mapper = ApiClient.createDefaultObjectMapper()
        .registerModule(new SimpleModule().addDeserializer(OffsetDateTime.class, new UTC()));
    return mapper.readValue(Path.of("../wire/events", file + ".json").toFile(), LinkWebhookEvent.class).getActualInstance();
  }

  static void common(String name, String linkId, List<String> tags, OffsetDateTime at, String wantName) {
    assertEquals(wantName, name);
    assertEquals("mk_eqkWN34UEoa2NxyALG8pcV", linkId);
    assertEquals(List.of("smoke_test", "user_type:admin"), tags);
    assertEquals(OffsetDateTime.parse("2023-02-16T09:14:11Z"), at);
  }

  @Test
  void events() throws Exception {
    var changed = (LinkStateChangedWebhook) event("link-state-changed");
    common(changed.getWebhookEvent().getValue(), changed.getLinkId(), changed.getLinkTags(), changed.getWebhookTimestamp(),
        "link.state_changed");
    assertEquals(PublicLinkState.CONNECTED, changed.getState());
    assertNull(changed.getError());

    var refresh = (LinkProductRefreshWebhook) event("link-product-refresh");
    common(refresh.getWebhookEvent().getValue(), refresh.getLinkId(), refresh.getLinkTags(), refresh.getWebhookTimestamp(),
        "link.product_refresh");
    assertEquals(Product.ACCOUNTS, refresh.getProduct());
    assertEquals(LinkProductState.COMPLETED, refresh.getState());

    var transactions = (TransactionUpdatesAvailableWebhook) event("transactions-updates-available");
    common(transactions.getWebhookEvent().getValue(), transactions.getLinkId(), transactions.getLinkTags(),
        transactions.getWebhookTimestamp(), "transactions.updates_available");
    assertEquals(true, transactions.getHasHistory());
  }

  @Test
  void unknownAndNullInEvents() throws Exception {
    var unknown = (LinkStateChangedWebhook) event("unknown-values");
    assertEquals(PublicLinkState.UNKNOWN_DEFAULT_OPEN_API, unknown.getState());
    assertNull(unknown.getError());
    // An event of another name has no class: an exception that a handler can catch.
    assertThrows(java.io.IOException.class, () -> event("unknown-event"));
    var empty = (TransactionUpdatesAvailableWebhook) event("null-fields");
    assertNull(empty.getLinkTags());
    assertNull(empty.getHasHistory());
    assertNull(empty.getWebhookMajorVersion());
  }
}
