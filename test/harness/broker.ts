/** The Kafka release that the harness runs when nobody asks for another one. */
export const DEFAULT_KAFKA_VERSION = process.env['SAMSA_KAFKA_VERSION'] ?? '4.2.0';

export interface BrokerOptions {
  /** Kafka's release, such as `4.2.0`. Default: `SAMSA_KAFKA_VERSION`, else 4.2.0. */
  version?: string;
  /** Port on the host. Default: a free one. */
  port?: number;
  /** Lines of server.properties, stronger than the harness's own. */
  properties?: Record<string, string>;
}

/** One broker that a test owns, whatever runs it: it may be stopped, killed and frozen without hurting another test. */
export interface TestBroker {
  readonly kind: 'jvm' | 'docker';
  /** `host:port`; the same for the broker's whole life, restarts included. */
  readonly bootstrapServers: string;
  /** The container's id, for tools that run beside it; null where there is no container. */
  readonly containerId: string | null;
  /** Ends the broker for good and removes its data. Legal in every state, also twice. */
  stop(): Promise<void>;
  /** Ends the broker's process and waits until it is gone; its data stays for `restart`. Default SIGKILL. */
  kill(signal?: 'SIGKILL' | 'SIGTERM'): Promise<void>;
  /** Freezes the broker: its connections stay open and nothing answers. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Starts the broker again on the same port and data; one that still runs is ended with SIGTERM before. */
  restart(): Promise<void>;
  /** The last lines that the broker wrote. Default 40. */
  logTail(lines?: number): Promise<string>;
}

/** What makes a single broker quick and small: the same for every way to run it. */
export const SINGLE_BROKER_PROPERTIES: Readonly<Record<string, string>> = {
  'offsets.topic.replication.factor': '1',
  'offsets.topic.num.partitions': '4',
  'transaction.state.log.replication.factor': '1',
  'transaction.state.log.num.partitions': '4',
  'transaction.state.log.min.isr': '1',
  'share.coordinator.state.topic.replication.factor': '1',
  'share.coordinator.state.topic.num.partitions': '4',
  'share.coordinator.state.topic.min.isr': '1',
  // Records with the fixed, old timestamps of a test would be deleted half a minute after the broker's start.
  'log.retention.ms': '-1',
  // Else the first member of every group waits three seconds for others.
  'group.initial.rebalance.delay.ms': '0',
  // Lets a test see a session run out without waiting Kafka's six seconds.
  'group.min.session.timeout.ms': '1000',
  // The same for the consumer protocol (KIP-848), whose times are the broker's: a rebalance takes a few heartbeats.
  'group.consumer.min.heartbeat.interval.ms': '100',
  'group.consumer.heartbeat.interval.ms': '300',
  'group.consumer.min.session.timeout.ms': '1000',
  'group.consumer.session.timeout.ms': '4000',
  'group.consumer.migration.policy': 'bidirectional',
  // A killed broker is let in again only when the session of the one before it has run out: nine seconds else.
  'broker.session.timeout.ms': '3000',
  'broker.heartbeat.interval.ms': '500',
};
