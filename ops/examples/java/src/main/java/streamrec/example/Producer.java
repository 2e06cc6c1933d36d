package streamrec.example;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.UUID;
import java.util.concurrent.Future;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.generic.GenericRecordBuilder;
import org.apache.avro.message.BinaryMessageEncoder;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** Sends one of each event. Arguments: the bootstrap servers, if they are not at 127.0.0.1:9092. */
public final class Producer {
  private static final Path SCHEMAS = Path.of("..", "..", "..", "avro");

  /** What goes to a topic, and the field whose value is the record's key. */
  private record Event(String topic, String schema, String keyField, Map<String, ?> fields) {}

  private static List<Event> events() {
    long now = System.currentTimeMillis(); // times are milliseconds since the epoch
    return List.of(
        new Event("job-postings", "JobPosting", "job_id", Map.of(
            "job_id", "job-1", "title", "Zeppelin rigger", "city", "Köln", "skills", List.of("knots"),
            "salary_min", 40_000.5, "posted_at", now)),
        new Event("member-profiles", "MemberProfile", "member_id", Map.of(
            "member_id", "member-1", "headline", "Rigger", "desired_titles", List.of("Zeppelin rigger"),
            "open_to_remote", false, "updated_at", now)),
        new Event("job-views", "JobView", "member_id", Map.of(
            "event_id", id(), "member_id", "member-2", "job_id", "job-1", "occurred_at", now, "position", 0,
            "surface", "home")),
        new Event("job-saves", "JobSave", "member_id", Map.of(
            "event_id", id(), "member_id", "member-3", "job_id", "job-1", "occurred_at", now)),
        new Event("job-likes", "JobLike", "member_id", Map.of(
            "event_id", id(), "member_id", "member-4", "job_id", "job-1", "occurred_at", now)),
        new Event("job-applications", "JobApplication", "member_id", Map.of(
            "event_id", id(), "member_id", "member-5", "job_id", "job-1", "occurred_at", now)),
        new Event("job-dismissals", "JobDismissal", "member_id", Map.of(
            "event_id", id(), "member_id", "mémbér-6", "job_id", "job-1", "occurred_at", now,
            "reason", "too high")),
        new Event("connections", "Connection", "member_id", Map.of(
            "event_id", id(), "member_id", "member-7", "other_member_id", "member-1", "occurred_at", now)),
        new Event("impressions-seen", "ImpressionSeen", "member_id", Map.of(
            "event_id", id(), "member_id", "member-8", "request_id", "request-1", "positions", List.of(0, 1, 2),
            "occurred_at", now)));
  }

  /** An id of its own for each event: one that comes again is counted once, so that what failed may be sent again. */
  private static String id() {
    return UUID.randomUUID().toString();
  }

  /** Avro's single-object encoding, which is what Avro's own "message" encoder writes. */
  private static ProducerRecord<String, byte[]> record(Event event) throws IOException {
    Schema schema = new Schema.Parser().parse(SCHEMAS.resolve(event.schema() + ".avsc").toFile());
    GenericRecordBuilder builder = new GenericRecordBuilder(schema);
    event.fields().forEach(builder::set); // the others take the default that the schema gives them
    ByteBuffer value = new BinaryMessageEncoder<GenericRecord>(GenericData.get(), schema).encode(builder.build());
    byte[] bytes = new byte[value.remaining()];
    value.get(bytes);
    return new ProducerRecord<>(event.topic(), (String) event.fields().get(event.keyField()), bytes);
  }

  public static void main(String[] arguments) throws Exception {
    String servers = arguments.length > 0 ? arguments[0] : "127.0.0.1:9092";
    Properties properties = new Properties();
    properties.put(ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, servers);
    // The default partitioner is the right one: murmur2 of the key.
    try (var producer = new KafkaProducer<>(properties, new StringSerializer(), new ByteArraySerializer())) {
      List<Future<?>> sent = new ArrayList<>();
      for (Event event : events()) {
        sent.add(producer.send(record(event)));
      }
      for (Future<?> confirmation : sent) {
        confirmation.get(); // throws if Kafka did not take it
      }
      System.out.println("sent " + sent.size() + " events to " + servers);
    }
  }

  private Producer() {}
}
