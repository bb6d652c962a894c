import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Several transactional producers at once, a third of whose transactions are aborted. A value says what becomes of it:
 * {@code commit/PRODUCER/N} or {@code abort/PRODUCER/N}, with N counting up in each partition. Prints, for each partition, how
 * many were committed.
 */
public final class Transactions {
  public static void main(String[] args) throws Exception {
    String servers = args[0];
    String topic = args[1];
    int partitions = Integer.parseInt(args[2]);
    int producers = Integer.parseInt(args[3]);
    int transactions = Integer.parseInt(args[4]);
    long[] committed = new long[partitions];
    List<Thread> threads = new ArrayList<>();
    for (int p = 0; p < producers; p++) {
      int id = p;
      Thread thread = new Thread(() -> produce(servers, topic, partitions, id, transactions, committed));
      thread.start();
      threads.add(thread);
    }
    for (Thread thread : threads) thread.join();
    for (long count : committed) System.out.println(count);
  }

  private static void produce(String servers, String topic, int partitions, int id, int transactions, long[] committed) {
    Random random = new Random(id);
    String padding = "x".repeat(200);
    Map<String, Object> config = Map.of(
        "bootstrap.servers", servers, "transactional.id", topic + "-" + id, "batch.size", 2000, "linger.ms", 1,
        "key.serializer", StringSerializer.class, "value.serializer", StringSerializer.class);
    long[] next = new long[partitions];
    try (KafkaProducer<String, String> producer = new KafkaProducer<>(config)) {
      producer.initTransactions();
      for (int t = 0; t < transactions; t++) {
        boolean commits = random.nextInt(3) > 0;
        producer.beginTransaction();
        int records = 1 + random.nextInt(60);
        long[] mine = new long[partitions];
        for (int r = 0; r < records; r++) {
          int partition = random.nextInt(partitions);
          String value = (commits ? "commit/" : "abort/") + id + "/" + next[partition]++ + "/" + padding;
          producer.send(new ProducerRecord<>(topic, partition, null, value));
          mine[partition]++;
        }
        producer.flush(); // else what is aborted would never leave
        if (commits) producer.commitTransaction();
        else producer.abortTransaction();
        synchronized (committed) {
          for (int partition = 0; commits && partition < partitions; partition++) committed[partition] += mine[partition];
        }
      }
    }
  }
}
