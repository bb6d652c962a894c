// consume BOOTSTRAP TOPIC RECORDS GROUP: the rdkafka crate, a poll loop.
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use std::env::args;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

fn main() {
    let arguments: Vec<String> = args().skip(1).collect();
    if arguments.len() == 1 {
        println!("{}", rdkafka::util::get_rdkafka_version().1); // consume --version
        return;
    }
    let target: u64 = arguments[2].parse().expect("how many records");
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &arguments[0])
        .set("group.id", &arguments[3])
        .set("auto.offset.reset", "earliest")
        .set("fetch.min.bytes", "1")
        .set("fetch.max.bytes", "52428800")
        .set("max.partition.fetch.bytes", "1048576")
        .set("fetch.queue.backoff.ms", "10") // by default it stalls for a second at every full queue
        .create()
        .expect("a consumer");
    consumer.subscribe(&[&arguments[1]]).expect("a subscription");
    let (mut records, mut bytes, mut last_bytes, mut offsets) = (0u64, 0u64, 0u64, 0u32);
    let (mut first, mut first_at) = (Instant::now(), 0.0);
    while records < target {
        let Some(polled) = consumer.poll(Duration::from_millis(500)) else { continue };
        let message = polled.expect("a message");
        if records == 0 {
            first = Instant::now();
            first_at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64() * 1e3;
        }
        records += 1;
        if let Some(value) = message.payload() {
            bytes += value.len() as u64;
            last_bytes += u64::from(value.last().copied().unwrap_or(0));
        }
        bytes += message.key().map_or(0, |key| key.len() as u64);
        offsets = offsets.wrapping_add(message.offset() as u32);
    }
    let seconds = first.elapsed().as_secs_f64();
    let started_at: f64 = std::env::var("STARTED_AT").ok().and_then(|text| text.parse().ok()).unwrap_or(first_at);
    println!(
        "{{\"records\":{records},\"bytes\":{bytes},\"lastBytes\":{last_bytes},\"offsets\":{offsets},\"seconds\":{seconds:.6},\"startMs\":{:.1}}}",
        first_at - started_at
    );
    std::process::exit(0); // as the other programs: what closing costs is not the question
}
