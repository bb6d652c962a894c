// What Java's and librdkafka's configurations have beside the options of `ConsumerOptions` under the same name.
// https://kafka.apache.org/documentation/#consumerconfigs
// https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md

/** Another spelling of an option. */
export const ALIASES: ReadonlyMap<string, string> = new Map([
  ['metadata.broker.list', 'bootstrap.servers'],
  ['fetch.wait.max.ms', 'fetch.max.wait.ms'],
  ['fetch.message.max.bytes', 'max.partition.fetch.bytes'],
  ['socket.timeout.ms', 'request.timeout.ms'],
  ['topic.metadata.refresh.interval.ms', 'metadata.max.age.ms'],
  ['auto.commit.enable', 'enable.auto.commit'],
]);

/** Another spelling of a value. */
export const VALUE_ALIASES: ReadonlyMap<string, ReadonlyMap<string, string>> = new Map([
  [
    'auto.offset.reset',
    new Map([
      ['smallest', 'earliest'],
      ['beginning', 'earliest'],
      ['largest', 'latest'],
      ['end', 'latest'],
      ['error', 'none'],
    ]),
  ],
  [
    'partition.assignment.strategy',
    new Map([
      ['org.apache.kafka.clients.consumer.RangeAssignor', 'range'],
      ['org.apache.kafka.clients.consumer.RoundRobinAssignor', 'roundrobin'],
      ['org.apache.kafka.clients.consumer.StickyAssignor', 'sticky'],
      ['org.apache.kafka.clients.consumer.CooperativeStickyAssignor', 'cooperative-sticky'],
    ]),
  ],
]);

/** Accepted with the values that say what is so here anyway, in lower case; anything else is refused. */
export const FIXED: ReadonlyMap<string, readonly string[]> = new Map([
  ['security.protocol', ['plaintext']],
  ['client.dns.lookup', ['use_all_dns_ips']],
  ['enable.partition.eof', ['true', 'false']], // the event `partitionEnd` is there for whoever listens
  ['api.version.request', ['true']],
]);

/** Known by name, and nothing here that would do it. By prefix where it ends with a dot. */
export const UNSUPPORTED: readonly (readonly [name: string, why: string])[] = [
  ['ssl.', 'samsa cannot do TLS yet'],
  ['enable.ssl.certificate.verification', 'samsa cannot do TLS yet'],
  ['sasl.', 'samsa cannot do SASL yet'],
  ['enable.sasl.oauthbearer.unsecure.jwt', 'samsa cannot do SASL yet'],
  ['interceptor.classes', 'samsa runs no Java classes'],
  ['metric.reporters', 'samsa runs no Java classes'],
  ['config.providers', 'samsa runs no Java classes'],
  ['security.providers', 'samsa runs no Java classes'],
  ['send.buffer.bytes', "samsa leaves socket buffers to the operating system's own sizing"],
  ['receive.buffer.bytes', "samsa leaves socket buffers to the operating system's own sizing"],
  ['socket.', "samsa leaves sockets to the operating system's own settings"],
  ['connections.max.idle.ms', 'samsa keeps the connections that it uses'],
  ['queued.', 'samsa bounds what it buffers by fetch.max.bytes and max.partition.fetch.bytes'],
  ['debug', 'set the logger option instead'],
  ['log_level', 'set the logger option instead'],
  ['log.', 'set the logger option instead'],
];
