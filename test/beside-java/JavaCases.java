import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * What Java's own consumer does in cases where applications rely on it. Each case reads a topic of its own, named
 * PREFIX-CASE, of two partitions with ten records each. Prints a line for each case: its name, a tab, the outcome.
 * Arguments: bootstrap servers, group protocol, prefix.
 */
public final class JavaCases {
  private static String servers;
  private static String protocol;
  private static String prefix;

  private interface Case {
    String run(String topic) throws Exception;
  }

  /** A listener that does nothing unless a case says otherwise. */
  private static class Listener implements ConsumerRebalanceListener {
    Consumer<Collection<TopicPartition>> assigned = partitions -> {};
    Consumer<Collection<TopicPartition>> revoked = partitions -> {};

    @Override public void onPartitionsAssigned(Collection<TopicPartition> partitions) { assigned.accept(partitions); }
    @Override public void onPartitionsRevoked(Collection<TopicPartition> partitions) { revoked.accept(partitions); }
  }

  public static void main(String[] args) {
    servers = args[0];
    protocol = args[1];
    prefix = args[2];
    Map<String, Case> cases = new LinkedHashMap<>();
    cases.put("assign-again", JavaCases::assignAgain);
    cases.put("seek-in-onAssigned", JavaCases::seekInAssigned);
    cases.put("position-in-onAssigned", JavaCases::positionInAssigned);
    cases.put("onRevoked-at-close", JavaCases::revokedAtClose);
    cases.put("commit-in-onRevoked-at-close", JavaCases::commitInRevokedAtClose);
    cases.put("unsubscribe-after-poll", JavaCases::unsubscribeAfterPoll);
    cases.put("onAssigned-throws", JavaCases::assignedThrows);
    cases.put("onRevoked-throws", JavaCases::revokedThrows);
    cases.put("poll-close", JavaCases::pollClose);
    cases.put("poll-throw-close", JavaCases::pollThrowClose);
    cases.put("commit-after-poll", JavaCases::commitAfterPoll);
    cases.put("out-of-range-none", JavaCases::outOfRange);
    cases.put("no-offset-none", JavaCases::noOffset);
    cases.put("metadata-of-a-commit", JavaCases::metadata);
    cases.put("null-metadata", JavaCases::nullMetadata);
    cases.put("subscribe-nothing", JavaCases::subscribeNothing);
    cases.put("listener-of-the-subscription", JavaCases::listeners);
    cases.put("onLost-default", JavaCases::lostDefault);
    cases.put("two-readers", JavaCases::twoReaders);
    cases.put("seek-while-paused", JavaCases::seekWhilePaused);
    cases.put("assign-after-unsubscribe", JavaCases::assignAfterUnsubscribe);
    cases.put("commit-after-unsubscribe", JavaCases::commitAfterUnsubscribe);
    cases.put("leader-epoch-of-a-time", JavaCases::offsetsForTimes);
    cases.put("close-in-onAssigned", JavaCases::closeInAssigned);
    cases.forEach((name, each) -> {
      String outcome;
      try {
        outcome = each.run(prefix + "-" + name);
      } catch (Throwable error) {
        outcome = "threw " + error.getClass().getSimpleName() + ": " + error.getMessage();
      }
      System.out.println(name + "\t" + outcome.replaceAll("\\s+", " "));
    });
    System.exit(0); // a consumer that a case has given up must not keep the process
  }

  private static KafkaConsumer<String, String> consumer(String group, Object... options) {
    Properties properties = new Properties();
    properties.put("bootstrap.servers", servers);
    properties.put("key.deserializer", StringDeserializer.class);
    properties.put("value.deserializer", StringDeserializer.class);
    properties.put("auto.offset.reset", "earliest");
    properties.put("enable.auto.commit", group == null ? "false" : "true");
    properties.put("auto.commit.interval.ms", "600000"); // what is committed is committed by the case
    if (group != null) {
      properties.put("group.id", group);
      properties.put("group.protocol", protocol);
      if (protocol.equals("classic")) properties.put("heartbeat.interval.ms", "300");
    }
    for (int i = 0; i < options.length; i += 2) properties.put(options[i], options[i + 1]);
    return new KafkaConsumer<>(properties);
  }

  /** Polls until so many records were given, or for ten seconds. */
  private static int take(KafkaConsumer<String, String> consumer, int count) {
    int taken = 0;
    for (long end = System.nanoTime() + 10_000_000_000L; taken < count && System.nanoTime() < end; ) {
      taken += consumer.poll(Duration.ofMillis(100)).count();
    }
    return taken;
  }

  private static long committed(String group, TopicPartition partition) {
    try (KafkaConsumer<String, String> other = consumer(group)) {
      OffsetAndMetadata found = other.committed(Set.of(partition)).get(partition);
      return found == null ? -1 : found.offset();
    }
  }

  private static long committedOfAll(String topic) {
    long sum = 0;
    for (int p = 0; p < 2; p++) sum += Math.max(0, committed(topic, new TopicPartition(topic, p)));
    return sum;
  }

  private static String assignAgain(String topic) {
    TopicPartition first = new TopicPartition(topic, 0);
    try (KafkaConsumer<String, String> consumer = consumer(null, "auto.offset.reset", "latest", "max.poll.records", 5)) {
      consumer.assign(List.of(first));
      consumer.seek(first, 0);
      take(consumer, 5);
      consumer.pause(List.of(first));
      consumer.assign(List.of(first, new TopicPartition(topic, 1)));
      return "position " + consumer.position(first) + ", paused " + consumer.paused().contains(first);
    }
  }

  private static String seekInAssigned(String topic) {
    try (KafkaConsumer<String, String> consumer = consumer(topic)) {
      Listener listener = new Listener();
      listener.assigned = partitions -> partitions.forEach(each -> consumer.seek(each, 7));
      consumer.subscribe(List.of(topic), listener);
      return take(consumer, 6) + " records";
    }
  }

  private static String positionInAssigned(String topic) {
    try (KafkaConsumer<String, String> consumer = consumer(topic)) {
      List<Long> positions = new ArrayList<>();
      Listener listener = new Listener();
      listener.assigned = partitions -> partitions.forEach(each -> positions.add(consumer.position(each)));
      consumer.subscribe(List.of(topic), listener);
      take(consumer, 20);
      return "positions " + positions;
    }
  }

  private static String revokedAtClose(String topic) {
    List<String> said = new ArrayList<>();
    KafkaConsumer<String, String> consumer = consumer(topic);
    Listener listener = new Listener();
    listener.revoked = partitions -> {
      long positions = 0;
      for (TopicPartition each : partitions) positions += consumer.position(each);
      said.add("assignment " + consumer.assignment().size() + ", positions " + positions
          + ", beginnings " + consumer.beginningOffsets(partitions).size());
    };
    consumer.subscribe(List.of(topic), listener);
    take(consumer, 20);
    consumer.close();
    return String.join("; ", said);
  }

  private static String commitInRevokedAtClose(String topic) {
    KafkaConsumer<String, String> consumer = consumer(topic, "enable.auto.commit", "false");
    Listener listener = new Listener();
    listener.revoked = partitions -> consumer.commitSync();
    consumer.subscribe(List.of(topic), listener);
    take(consumer, 20);
    consumer.close();
    return "committed " + committedOfAll(topic);
  }

  private static String unsubscribeAfterPoll(String topic) {
    AtomicInteger revoked = new AtomicInteger();
    try (KafkaConsumer<String, String> consumer = consumer(topic);
        KafkaConsumer<String, String> other = consumer(topic)) {
      Listener listener = new Listener();
      listener.revoked = partitions -> revoked.addAndGet(partitions.size());
      consumer.subscribe(List.of(topic), listener);
      take(consumer, 20);
      consumer.unsubscribe();
      other.subscribe(List.of(topic));
      for (int i = 0; i < 100 && other.assignment().size() < 2; i++) other.poll(Duration.ofMillis(100));
      return "revoked " + revoked + ", the other member has " + other.assignment().size();
    }
  }

  private static String assignedThrows(String topic) {
    AtomicInteger calls = new AtomicInteger();
    AtomicInteger errors = new AtomicInteger();
    int taken = 0;
    try (KafkaConsumer<String, String> consumer = consumer(topic)) {
      Listener listener = new Listener();
      listener.assigned = partitions -> {
        if (calls.incrementAndGet() <= 2) throw new IllegalStateException("no store");
      };
      consumer.subscribe(List.of(topic), listener);
      String atFirstRecord = "none";
      for (long end = System.nanoTime() + 10_000_000_000L; taken < 20 && System.nanoTime() < end; ) {
        try {
          int count = consumer.poll(Duration.ofMillis(100)).count();
          if (count > 0 && taken == 0) atFirstRecord = calls + " calls, " + errors + " errors";
          taken += count;
        } catch (RuntimeException error) {
          errors.incrementAndGet();
        }
      }
      return taken + " records, the first one after " + atFirstRecord;
    }
  }

  private static String revokedThrows(String topic) {
    AtomicInteger errors = new AtomicInteger();
    try (KafkaConsumer<String, String> consumer = consumer(topic);
        KafkaConsumer<String, String> other = consumer(topic)) {
      Listener listener = new Listener();
      AtomicInteger calls = new AtomicInteger();
      listener.revoked = partitions -> {
        if (calls.incrementAndGet() == 1) throw new IllegalStateException("no store");
      };
      consumer.subscribe(List.of(topic), listener);
      take(consumer, 20);
      other.subscribe(List.of(topic));
      Thread poller = new Thread(() -> {
        for (int i = 0; i < 100 && other.assignment().size() < 1; i++) other.poll(Duration.ofMillis(100));
      });
      poller.start();
      while (poller.isAlive()) {
        try {
          consumer.poll(Duration.ofMillis(100));
        } catch (RuntimeException error) {
          errors.incrementAndGet();
        }
      }
      return errors + " errors, the other member has " + other.assignment().size();
    }
  }

  private static String pollClose(String topic) {
    try (KafkaConsumer<String, String> consumer = consumer(topic)) {
      consumer.subscribe(List.of(topic));
      take(consumer, 20);
    }
    return committedOfAll(topic) == 20 ? "committed all" : "committed not all";
  }

  private static String pollThrowClose(String topic) {
    int handled = 0;
    try (KafkaConsumer<String, String> consumer = consumer(topic)) {
      consumer.subscribe(List.of(topic));
      ConsumerRecords<String, String> records = ConsumerRecords.empty();
      for (int i = 0; i < 100 && records.isEmpty(); i++) records = consumer.poll(Duration.ofMillis(100));
      for (var record : records) {
        if (++handled == 3) throw new IllegalStateException("the handler has failed");
      }
    } catch (IllegalStateException expected) {
      // as an application does that closes in `finally`
    }
    return committedOfAll(topic) > 2 ? "committed more than was handled" : "committed no more than was handled";
  }

  private static String commitAfterPoll(String topic) {
    try (KafkaConsumer<String, String> consumer = consumer(topic, "enable.auto.commit", "false")) {
      consumer.subscribe(List.of(topic));
      take(consumer, 20);
      consumer.commitSync();
    }
    return "committed " + committedOfAll(topic);
  }

  private static String outOfRange(String topic) {
    TopicPartition partition = new TopicPartition(topic, 0);
    int errors = 0;
    try (KafkaConsumer<String, String> consumer = consumer(null, "auto.offset.reset", "none")) {
      consumer.assign(List.of(partition));
      consumer.seek(partition, 100);
      for (int i = 0; i < 100 && errors < 3; i++) {
        try {
          consumer.poll(Duration.ofMillis(200));
        } catch (org.apache.kafka.clients.consumer.OffsetOutOfRangeException error) {
          errors++;
        }
      }
      consumer.seek(partition, 0);
      return errors + " errors, then " + take(consumer, 10) + " records";
    }
  }

  private static String noOffset(String topic) {
    TopicPartition partition = new TopicPartition(topic, 0);
    int errors = 0;
    try (KafkaConsumer<String, String> consumer = consumer(topic, "auto.offset.reset", "none")) {
      consumer.assign(List.of(partition));
      for (int i = 0; i < 100 && errors < 2; i++) {
        try {
          consumer.poll(Duration.ofMillis(200));
        } catch (org.apache.kafka.clients.consumer.NoOffsetForPartitionException error) {
          errors++;
        }
      }
      consumer.seek(partition, 0);
      return errors + " errors, then " + take(consumer, 10) + " records";
    }
  }

  private static String metadata(String topic) {
    TopicPartition partition = new TopicPartition(topic, 0);
    try (KafkaConsumer<String, String> consumer = consumer(topic)) {
      consumer.assign(List.of(partition));
      take(consumer, 10);
      consumer.commitSync(Map.of(partition, new OffsetAndMetadata(2, "state of 2")));
      consumer.commitSync();
      OffsetAndMetadata found = consumer.committed(Set.of(partition)).get(partition);
      return "offset " + found.offset() + ", metadata '" + found.metadata() + "'";
    }
  }

  private static String nullMetadata(String topic) {
    TopicPartition partition = new TopicPartition(topic, 0);
    try (KafkaConsumer<String, String> consumer = consumer(topic)) {
      consumer.assign(List.of(partition));
      consumer.commitSync(Map.of(partition, new OffsetAndMetadata(2, null)));
      OffsetAndMetadata found = consumer.committed(Set.of(partition)).get(partition);
      return "offset " + found.offset() + ", metadata '" + found.metadata() + "'";
    }
  }

  private static String subscribeNothing(String topic) {
    try (KafkaConsumer<String, String> consumer = consumer(topic)) {
      consumer.subscribe(List.of(topic));
      consumer.subscribe(List.of());
      return "subscription " + consumer.subscription();
    }
  }

  private static String listeners(String topic) {
    List<String> said = new ArrayList<>();
    try (KafkaConsumer<String, String> consumer = consumer(topic)) {
      Listener first = new Listener();
      Listener second = new Listener();
      first.assigned = partitions -> said.add("first assigned " + partitions.size());
      first.revoked = partitions -> said.add("first revoked " + partitions.size());
      second.assigned = partitions -> said.add("second assigned " + partitions.size());
      second.revoked = partitions -> said.add("second revoked " + partitions.size());
      consumer.subscribe(List.of(topic), first);
      take(consumer, 20);
      consumer.unsubscribe();
      consumer.subscribe(List.of(topic), second);
      for (int i = 0; i < 100 && said.size() < 3; i++) consumer.poll(Duration.ofMillis(100));
    }
    return String.join(", ", said);
  }

  private static String lostDefault(String topic) throws Exception {
    List<String> said = new ArrayList<>();
    try (KafkaConsumer<String, String> consumer = consumer(topic, "max.poll.interval.ms", 1500)) {
      Listener listener = new Listener();
      listener.assigned = partitions -> said.add("assigned");
      listener.revoked = partitions -> said.add("revoked");
      consumer.subscribe(List.of(topic), listener);
      take(consumer, 20);
      Thread.sleep(4000);
      for (int i = 0; i < 100 && said.size() < 3; i++) consumer.poll(Duration.ofMillis(100));
      return String.join(", ", said.subList(0, Math.min(3, said.size())));
    }
  }

  private static String twoReaders(String topic) throws Exception {
    KafkaConsumer<String, String> consumer = consumer(null);
    consumer.assign(List.of(new TopicPartition(topic, 0)));
    consumer.seekToEnd(List.of(new TopicPartition(topic, 0)));
    Thread first = new Thread(() -> consumer.poll(Duration.ofSeconds(3)));
    first.start();
    Thread.sleep(500);
    try {
      consumer.poll(Duration.ofMillis(100));
      return "taken";
    } catch (java.util.ConcurrentModificationException error) {
      return "refused";
    } finally {
      first.join();
      consumer.close();
    }
  }

  private static String seekWhilePaused(String topic) {
    TopicPartition partition = new TopicPartition(topic, 0);
    try (KafkaConsumer<String, String> consumer = consumer(null)) {
      consumer.assign(List.of(partition));
      consumer.pause(List.of(partition));
      consumer.seek(partition, 4);
      int before = 0;
      for (int i = 0; i < 5; i++) before += consumer.poll(Duration.ofMillis(100)).count();
      consumer.resume(List.of(partition));
      return before + " records, after resume " + take(consumer, 6);
    }
  }

  private static String assignAfterUnsubscribe(String topic) {
    try (KafkaConsumer<String, String> consumer = consumer(topic)) {
      consumer.subscribe(List.of(topic));
      take(consumer, 20);
      consumer.unsubscribe();
      TopicPartition partition = new TopicPartition(topic, 0);
      consumer.assign(List.of(partition));
      consumer.seek(partition, 0);
      int taken = take(consumer, 10);
      return "assignment " + consumer.assignment().size() + ", " + taken + " records";
    }
  }

  private static String commitAfterUnsubscribe(String topic) {
    TopicPartition partition = new TopicPartition(topic, 0);
    try (KafkaConsumer<String, String> consumer = consumer(topic)) {
      consumer.subscribe(List.of(topic));
      take(consumer, 20);
      consumer.unsubscribe();
      consumer.commitSync(Map.of(partition, new OffsetAndMetadata(3)));
    }
    return "committed " + committed(topic, partition);
  }

  private static String offsetsForTimes(String topic) {
    TopicPartition partition = new TopicPartition(topic, 0);
    try (KafkaConsumer<String, String> consumer = consumer(null)) {
      var found = consumer.offsetsForTimes(new HashMap<>(Map.of(partition, 0L))).get(partition);
      return "offset " + found.offset() + ", leader epoch " + found.leaderEpoch().orElse(-1);
    }
  }

  private static String closeInAssigned(String topic) {
    KafkaConsumer<String, String> consumer = consumer(topic);
    List<String> said = new ArrayList<>();
    Listener listener = new Listener();
    listener.assigned = partitions -> {
      long began = System.nanoTime();
      consumer.close();
      said.add((System.nanoTime() - began) < 10_000_000_000L ? "closed soon" : "closed late");
    };
    consumer.subscribe(List.of(topic), listener);
    try {
      for (int i = 0; i < 20 && said.isEmpty(); i++) consumer.poll(Duration.ofMillis(500));
    } catch (RuntimeException closed) {
      // a closed consumer cannot go on polling
    }
    return said.isEmpty() ? "not closed" : said.get(0);
  }
}
