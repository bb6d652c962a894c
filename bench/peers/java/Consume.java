import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** Consume BOOTSTRAP TOPIC RECORDS GROUP: Kafka's own consumer, a poll loop that looks at every record as the other programs do. */
public class Consume {
    public static void main(String[] args) {
        String topic = args[1];
        long target = Long.parseLong(args[2]);
        Properties properties = new Properties();
        properties.put("bootstrap.servers", args[0]);
        properties.put("group.id", args[3]);
        properties.put("auto.offset.reset", "earliest");
        properties.put("key.deserializer", ByteArrayDeserializer.class.getName());
        properties.put("value.deserializer", ByteArrayDeserializer.class.getName());
        KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(properties);
        consumer.subscribe(List.of(topic));
        boolean isTimed = "1".equals(System.getenv("LATENCY"));
        double[] latencies = new double[isTimed ? (int) target : 0];
        long records = 0, bytes = 0, lastBytes = 0, offsets = 0, first = 0, firstAt = 0;
        while (records < target) {
            for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(500))) {
                if (records == 0) {
                    first = System.nanoTime();
                    firstAt = System.currentTimeMillis();
                }
                byte[] value = record.value();
                if (isTimed) latencies[(int) records] = (System.nanoTime() - ByteBuffer.wrap(value).getLong()) / 1e6;
                records++;
                bytes += value.length + (record.key() == null ? 0 : record.key().length);
                lastBytes += value[value.length - 1] & 0xff;
                offsets += record.offset();
            }
        }
        double seconds = (System.nanoTime() - first) / 1e9;
        String startedAt = System.getenv("STARTED_AT");
        double startMs = startedAt == null ? -1 : firstAt - Double.parseDouble(startedAt);
        String more = "";
        if (isTimed) {
            int skipped = Integer.parseInt(System.getenv("LATENCY_SKIP"));
            double[] sorted = Arrays.copyOfRange(latencies, skipped, latencies.length);
            Arrays.sort(sorted);
            int n = sorted.length;
            more = ",\"latencies\":{\"p50\":" + sorted[n / 2] + ",\"p99\":" + sorted[(int) (n * 0.99)] + ",\"p999\":"
                + sorted[(int) (n * 0.999)] + ",\"max\":" + sorted[n - 1] + "}";
        }
        System.out.printf("{\"records\":%d,\"bytes\":%d,\"lastBytes\":%d,\"offsets\":%d,\"seconds\":%s,\"startMs\":%s%s}%n",
            records, bytes, lastBytes, offsets & 0xffffffffL, Double.toString(seconds), Double.toString(startMs), more);
        System.out.flush();
        Runtime.getRuntime().halt(0); // as the other programs: what closing costs is not the question
    }
}
