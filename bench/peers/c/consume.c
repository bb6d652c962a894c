// consume BOOTSTRAP TOPIC RECORDS GROUP: librdkafka's consumer in C, a thousand messages a call.
// cc -O2 consume.c -o consume -lrdkafka
#include <librdkafka/rdkafka.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { MESSAGES = 1000 };

static double seconds_of(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec + now.tv_nsec / 1e9;
}

static int ascending(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

/** Of a value's first eight bytes: nanoseconds of CLOCK_MONOTONIC, big-endian. */
static double stamp_of(const void *payload) {
  uint64_t nanoseconds = 0;
  for (int i = 0; i < 8; i++) nanoseconds = nanoseconds << 8 | ((const unsigned char *)payload)[i];
  return nanoseconds / 1e9;
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value) {
  char error[512];
  if (rd_kafka_conf_set(conf, name, value, error, sizeof error) == RD_KAFKA_CONF_OK) return;
  fprintf(stderr, "%s\n", error);
  exit(1);
}

int main(int count, char **arguments) {
  if (count == 2) { // consume --version
    puts(rd_kafka_version_str());
    return 0;
  }
  if (count != 5) return 2;
  const int64_t target = atoll(arguments[3]);
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  set(conf, "bootstrap.servers", arguments[1]);
  set(conf, "group.id", arguments[4]);
  set(conf, "auto.offset.reset", "earliest");
  set(conf, "fetch.min.bytes", "1");
  set(conf, "fetch.max.bytes", "52428800");
  set(conf, "max.partition.fetch.bytes", "1048576");
  set(conf, "check.crcs", getenv("CHECK_CRCS") ? "true" : "false"); // its default
  char error[512];
  rd_kafka_t *client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof error);
  if (client == NULL) {
    fprintf(stderr, "%s\n", error);
    return 1;
  }
  rd_kafka_poll_set_consumer(client);
  rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(topics, arguments[2], RD_KAFKA_PARTITION_UA);
  rd_kafka_subscribe(client, topics);
  rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(client);
  rd_kafka_message_t *messages[MESSAGES];
  const char *timed = getenv("LATENCY");
  double *latencies = timed == NULL ? NULL : malloc(target * sizeof(double));
  int64_t records = 0, bytes = 0, last_bytes = 0;
  uint32_t offsets = 0;
  double first = 0, first_at = 0;
  while (records < target) {
    const ssize_t got = rd_kafka_consume_batch_queue(queue, 500, messages, latencies == NULL ? MESSAGES : 1);
    for (ssize_t i = 0; i < got; i++) {
      const rd_kafka_message_t *message = messages[i];
      if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (records++ == 0) {
          first = seconds_of(CLOCK_MONOTONIC);
          first_at = seconds_of(CLOCK_REALTIME);
        }
        if (latencies != NULL)
          latencies[records - 1] = (seconds_of(CLOCK_MONOTONIC) - stamp_of(message->payload)) * 1e3;
        bytes += message->len + message->key_len;
        if (message->len > 0) last_bytes += ((const unsigned char *)message->payload)[message->len - 1];
        offsets += (uint32_t)message->offset;
      }
      rd_kafka_message_destroy(messages[i]);
    }
  }
  const double took = seconds_of(CLOCK_MONOTONIC) - first;
  const char *started_at = getenv("STARTED_AT");
  const double start_ms = started_at == NULL ? -1 : first_at * 1e3 - atof(started_at);
  printf("{\"records\":%lld,\"bytes\":%lld,\"lastBytes\":%lld,\"offsets\":%u,\"seconds\":%.6f,\"startMs\":%.1f",
         (long long)records, (long long)bytes, (long long)last_bytes, offsets, took, start_ms);
  if (latencies != NULL) {
    const int64_t skipped = atoll(getenv("LATENCY_SKIP")), n = target - skipped;
    double *sorted = latencies + skipped;
    qsort(sorted, n, sizeof(double), ascending);
    printf(",\"latencies\":{\"p50\":%f,\"p99\":%f,\"p999\":%f,\"max\":%f}", sorted[n / 2], sorted[(int64_t)(n * 0.99)],
           sorted[(int64_t)(n * 0.999)], sorted[n - 1]);
  }
  puts("}");
  fflush(stdout);
  _exit(0); // as the other programs: what closing costs is not the question
}
