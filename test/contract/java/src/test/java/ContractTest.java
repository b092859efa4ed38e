import static org.junit.jupiter.api.Assertions.*;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.databind.*;
import com.fasterxml.jackson.databind.deser.std.StdDeserializer;
import com.fasterxml.jackson.databind.module.SimpleModule;
import com.moneykit.*;
import com.moneykit.api.LinkSessionApi;
import com.moneykit.model.*;
import java.io.IOException;
import java.net.URI;
import java.net.http.*;
import java.nio.file.*;
import java.time.OffsetDateTime;
import java.util.*;
import org.junit.jupiter.api.Test;

/** The contract as a Java team meets it, through OpenAPI Generator and java.net.http. */
class ContractTest {
  static final String URL = System.getenv("MONEYKIT_URL");
  static final HttpClient HTTP = HttpClient.newHttpClient();
  static final ObjectMapper JSON = new ObjectMapper();
  static final LinkSessionApi moneykit = connect();

  // docs:begin timestamp
  /** Reads a timestamp of the contract. Without a zone it is UTC, where Jackson would refuse it. */
  static class UTC extends StdDeserializer<OffsetDateTime> {
    UTC() {
      super(OffsetDateTime.class);
    }

    @Override
    public OffsetDateTime deserialize(JsonParser parser, DeserializationContext context) throws IOException {
      var at = parser.getText();
      return OffsetDateTime.parse(at.matches("(?i).*(Z|[+-]\\d\\d:\\d\\d)") ? at : at + "Z");
    }
  }
  // docs:end

  static LinkSessionApi connect() {
    try {
      // docs:begin client
      var form = "grant_type=client_credentials&client_id=" + System.getenv("MONEYKIT_CLIENT_ID")
          + "&client_secret=" + System.getenv("MONEYKIT_CLIENT_SECRET");
      var post = HttpRequest.newBuilder(URI.create(URL + "/auth/token"))
          .header("Content-Type", "application/x-www-form-urlencoded")
          .POST(HttpRequest.BodyPublishers.ofString(form)).build();
      var answer = HTTP.send(post, HttpResponse.BodyHandlers.ofString()).body();
      var token = JSON.readTree(answer).required("access_token").asText();

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
      // docs:end
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

  /** Creates a session and plays its end user; returns the exchangeable token. */
  static String completed(CreateLinkSessionRequest request) throws Exception {
    var session = moneykit.createLinkSession(request);
    var answer = sandbox("complete", Map.of("link_session_token", session.getLinkSessionToken()));
    return JSON.readTree(answer).required("exchangeable_token").asText();
  }

  static LinkCommon exchange(String token) throws ApiException {
    return moneykit.exchangeToken(new ExchangeTokenRequest().exchangeableToken(token)).getLink();
  }

  static LinkCommon scripted(String file) throws Exception {
    var body = Files.readString(Path.of("../wire", file));
    sandbox("fail", Map.of("operation", "exchange_token", "status", 201, "body", body));
    return exchange("any");
  }

  static ApiException refused(int status, String code, org.junit.jupiter.api.function.Executable call) throws Exception {
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
    refused(400, "link_session_error.invalid_token_exchange", () -> exchange(token));
  }

  @Test
  void everyFieldIsSent() throws Exception {
    var link = exchange(completed(request("user-42")));
    var again = exchange(completed(EveryField.request(link.getLinkId())));
    assertEquals(List.of("smoke_test", "user_type:admin"), again.getLinkTags());
  }

  @Test
  void aWrongTokenIsRefused() throws Exception {
    var client = new ApiClient();
    client.updateBaseUri(URL);
    client.setRequestInterceptor(request -> request
        .setHeader("Authorization", "Bearer wrong").setHeader("MoneyKit-Version", "2023-02-18"));
    refused(401, "api_error.auth.unauthorized", () -> new LinkSessionApi(client).createLinkSession(request("user-42")));
  }

  @Test
  void anInvalidRequestNamesItsFaults() throws Exception {
    var e = refused(422, "api_error.request.validation_failed",
        () -> moneykit.createLinkSession(request("").linkTags(List.of("fine", "-"))));
    var faults = ApiClient.createDefaultObjectMapper().readValue(e.getResponseBody(), HTTPValidationError.class);
    var locations = faults.getValidationErrors().stream()
        .map(fault -> fault.getLocation().stream().map(ValidationErrorLocationInner::getActualInstance).toList()).toList();
    assertEquals(List.of(List.of("body", "customer_user", "id"), List.of("body", "link_tags", 1)), locations);
  }

  @Test
  void theRateLimitSaysHowLongToWait() throws Exception {
    for (int n = 0; n < 20; n++) moneykit.createLinkSession(request("hasty"));
    var e = refused(429, "api_error.rate_limit_exceeded", () -> moneykit.createLinkSession(request("hasty")));
    assertTrue(e.getResponseHeaders().firstValueAsLong("Retry-After").orElseThrow() > 0);
  }

  @Test
  void valuesThatNobodyKnewDoNotLoseTheLink() throws Exception {
    var link = scripted("unknown-link.json");
    assertEquals(Provider.UNKNOWN_DEFAULT_OPEN_API, link.getProvider());
    assertEquals(PublicLinkState.UNKNOWN_DEFAULT_OPEN_API, link.getState());
    assertEquals(List.of(Product.ACCOUNTS, Product.UNKNOWN_DEFAULT_OPEN_API), link.getAvailableProducts());
    assertNull(link.getErrorCode()); // a nullable enum reads what it does not know as null
    var accounts = link.getProducts().getAccounts();
    for (var at : List.of(link.getLastSyncedAt(), accounts.getRefreshedAt(), accounts.getLastAttemptedAt()))
      assertEquals(OffsetDateTime.parse("2023-02-16T09:14:11Z"), at);
  }

  @Test
  void nullIsTakenForAbsent() throws Exception {
    var link = scripted("null-link.json");
    assertNull(link.getProvider());
    assertNull(link.getLastSyncedAt());
    assertNull(link.getLinkTags());
    assertNull(link.getProducts().getIdentity());
    assertNull(link.getProducts().getAccountNumbers().getSettings().getPrefetch());
  }
}
