import java.time.Duration;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** Consume BOOTSTRAP TOPIC RECORDS GROUP: reads so many records with Kafka's own consumer and touches every value. */
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
        long records = 0, bytes = 0, lastBytes = 0, first = 0;
        while (records < target) {
            for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(500))) {
                if (records == 0) first = System.nanoTime();
                byte[] value = record.value();
                records++;
                bytes += value.length;
                lastBytes += value[value.length - 1] & 0xff;
            }
        }
        double seconds = (System.nanoTime() - first) / 1e9;
        System.out.printf("{\"records\":%d,\"bytes\":%d,\"lastBytes\":%d,\"seconds\":%s}%n",
            records, bytes, lastBytes, Double.toString(seconds));
        System.out.flush();
        Runtime.getRuntime().halt(0); // as the other programs: what closing costs is not the question
    }
}
