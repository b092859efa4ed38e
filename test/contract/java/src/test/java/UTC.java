import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.databind.DeserializationContext;
import com.fasterxml.jackson.databind.deser.std.StdDeserializer;
import java.io.IOException;
import java.time.OffsetDateTime;

/** Reads a timestamp of the contract. Without a zone it is UTC, where Jackson would reject it. */
class UTC extends StdDeserializer<OffsetDateTime> {
  UTC() {
    super(OffsetDateTime.class);
  }

  @Override
  public OffsetDateTime deserialize(JsonParser parser, DeserializationContext context) throws IOException {
    var at = parser.getText();
    return OffsetDateTime.parse(at.matches("(?i).*(Z|[+-]\\d\\d:\\d\\d)") ? at : at + "Z");
  }
}
