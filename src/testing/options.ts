import { ConfigError } from '../errors.ts';
import type { SaslOptions } from './authentication.ts';
import { systemClock, type Clock } from './clock.ts';
import type { ServerAssignor } from './groups/target-assignment.ts';
import type { VersionOptions } from './versions.ts';

export interface NewTopicOptions {
  /** Default 1. */
  partitions?: number;
  /** Default: the cluster's. */
  replicationFactor?: number;
  /** Kafka's topic properties. Heeded: `message.timestamp.type`, `max.message.bytes`. */
  configs?: Readonly<Record<string, string>>;
}

export interface BrokerOptions {
  /** Default none. */
  rack?: string;
}

export interface MockClusterOptions {
  /** How many, with node ids from 1 on; or one entry each. Default 1. */
  brokers?: number | readonly BrokerOptions[];
  /** Topics to begin with: partitions, or more about it. */
  topics?: Readonly<Record<string, number | NewTopicOptions>>;
  /** Of topics that do not say. Default 3, or as many as there are brokers. */
  replicationFactor?: number;
  /** Create a topic when its metadata is asked for, if the client allows it. Default false: a misspelt name shall be noticed. */
  autoCreateTopics?: boolean;
  /** Partitions of topics that do not say. Default 1. */
  defaultPartitions?: number;
  /** Default `'127.0.0.1'`. */
  host?: string;
  /** Of the first broker; the others get the ones after it. Default 0: any that are free. */
  port?: number;
  /** The same seed gives the same ids, and the same faults to the same requests. Default 1. */
  seed?: number;
  /** Where time comes from. Default the machine's clock. */
  clock?: Clock;
  /** Which versions of which APIs the brokers have. Default: the newest. */
  versions?: VersionOptions;
  /** Clients have to log in. Default: nobody has to. */
  sasl?: SaslOptions;
  /** Send clients to a replica in their own rack (KIP-392). Default false. */
  rackAwareFetch?: boolean;
  groups?: GroupOptions;
}

export interface GroupOptions {
  /** `group.initial.rebalance.delay.ms`: how long a new group waits for more members. Default 0; Kafka's is 3000. */
  initialRebalanceDelayMs?: number;
  /** Of classic members. Default 1; Kafka's is 6000. */
  minSessionTimeoutMs?: number;
  /** Default 1800000. */
  maxSessionTimeoutMs?: number;
  /** Default: any number. */
  maxSize?: number;
  /** For members of the consumer protocol (KIP-848). */
  consumer?: {
    /** Default 100; Kafka's is 5000. A rebalance takes a few of them. */
    heartbeatIntervalMs?: number;
    /** Default 45000. */
    sessionTimeoutMs?: number;
    /** For groups whose members name none. Default `'uniform'`. */
    assignor?: ServerAssignor;
  };
}

/** The same with every default filled in. */
export interface ClusterSettings {
  readonly brokers: readonly { readonly nodeId: number; readonly rack: string | null; readonly port: number }[];
  readonly replicationFactor: number;
  readonly autoCreateTopics: boolean;
  readonly defaultPartitions: number;
  readonly host: string;
  readonly seed: number;
  readonly clock: Clock;
  readonly versions: VersionOptions | undefined;
  readonly sasl: SaslOptions | null;
  readonly rackAwareFetch: boolean;
  readonly groups: {
    readonly initialRebalanceDelayMs: number;
    readonly minSessionTimeoutMs: number;
    readonly maxSessionTimeoutMs: number;
    readonly maxSize: number;
    readonly consumer: {
      readonly heartbeatIntervalMs: number;
      readonly sessionTimeoutMs: number;
      readonly assignor: ServerAssignor;
    };
  };
}

/** @throws ConfigError for numbers that cannot be */
export function settingsOf(options: MockClusterOptions): ClusterSettings {
  const { brokers = 1, port = 0, groups = {} } = options;
  const list = typeof brokers === 'number' ? Array.from({ length: brokers }, (): BrokerOptions => ({})) : brokers;
  if (list.length < 1) throw new ConfigError('brokers: at least one');
  const replicationFactor = options.replicationFactor ?? Math.min(3, list.length);
  if (replicationFactor < 1 || replicationFactor > list.length) {
    throw new ConfigError(
      `replicationFactor ${replicationFactor}: it takes 1 to ${list.length}, the number of brokers`,
    );
  }
  return {
    brokers: list.map(({ rack = null }, index) => ({ nodeId: index + 1, rack, port: port === 0 ? 0 : port + index })),
    replicationFactor,
    autoCreateTopics: options.autoCreateTopics ?? false,
    defaultPartitions: options.defaultPartitions ?? 1,
    host: options.host ?? '127.0.0.1',
    seed: options.seed ?? 1,
    clock: options.clock ?? systemClock,
    versions: options.versions,
    sasl: options.sasl ?? null,
    rackAwareFetch: options.rackAwareFetch ?? false,
    groups: {
      initialRebalanceDelayMs: groups.initialRebalanceDelayMs ?? 0,
      minSessionTimeoutMs: groups.minSessionTimeoutMs ?? 1,
      maxSessionTimeoutMs: groups.maxSessionTimeoutMs ?? 1_800_000,
      maxSize: groups.maxSize ?? Infinity,
      consumer: {
        heartbeatIntervalMs: groups.consumer?.heartbeatIntervalMs ?? 100,
        sessionTimeoutMs: groups.consumer?.sessionTimeoutMs ?? 45_000,
        assignor: groups.consumer?.assignor ?? 'uniform',
      },
    },
  };
}
