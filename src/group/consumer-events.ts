/**
 * What the driver tells the machine of a KIP-848 member (events) and what the machine asks of it (actions). Plain data both ways.
 *
 * Rules for the driver:
 * - Perform the actions in their order.
 * - `sendHeartbeat` and `findCoordinator` carry an `id`; the answer or failure carries the same. Answer each once; the machine
 *   ignores answers to requests that it has given up, so late ones do no harm.
 * - Heartbeats go to the coordinator, over its own connection, in the order in which they come.
 * - Every `revoke` is answered by one `revoked`, also a lost one, when the application has finished with the partitions.
 */
import type { KafkaError } from '../errors.ts';
import type {
  ConsumerGroupHeartbeatRequest,
  ConsumerGroupHeartbeatResponse,
} from '../protocol/api/consumer-group-heartbeat.ts';
import type { LogLevel, TopicPartition } from './events.ts';

export interface ConsumerGroupOptions {
  groupId: string;
  /** A UUID of this process, kept for its life: the member id is the client's to make (KIP-1082). */
  memberId: string;
  /** Static membership; `null` for a dynamic member. */
  groupInstanceId: string | null;
  /** How long the broker waits for this member to give something up: `maxPollIntervalMs`. */
  rebalanceTimeoutMs: number;
  /** Name of the broker's assignor (`groupRemoteAssignor`); `null` leaves the choice to the broker. */
  serverAssignor: string | null;
  /** `client.rack`, `''` for none. */
  clientRack: string;
  /** First and greatest wait after an error; ±20 % jitter. */
  retryBackoffMs: number;
  retryBackoffMaxMs: number;
  /** A number in [0, 1), for jitter. */
  random: () => number;
  /** What metadata knows at the moment; undefined for an id that it does not know. */
  topicName: (topicId: string) => string | undefined;
}

/** What is subscribed to: names, a pattern that the broker matches whole names with (RE2J), or both. */
export interface ConsumerSubscription {
  topics: readonly string[];
  /** `null` for none. From ConsumerGroupHeartbeat v1 on. */
  regex: string | null;
}

export type ConsumerGroupEvent =
  /** What to consume, at the start or changed; the same again does nothing. */
  | { type: 'subscribed'; subscription: ConsumerSubscription }
  /** Nothing to consume any more: revoke, leave, back to `unsubscribed`. A later `subscribed` starts anew. */
  | { type: 'unsubscribed' }
  /** `coordinator` is for the log only, such as `'2 (kafka-2:9092)'`. */
  | { type: 'coordinatorFound'; id: number; coordinator: string }
  /** `errorCode` is FindCoordinator's, `null` where no broker answered it; then `error.retriable` decides. */
  | { type: 'coordinatorFailed'; id: number; errorCode: number | null; error: KafkaError }
  /** The connection to the coordinator broke or timed out: all requests on it count as failed. */
  | { type: 'coordinatorLost'; error: KafkaError }
  | { type: 'heartbeatAnswered'; id: number; response: ConsumerGroupHeartbeatResponse }
  /** No answer: a retriable error means a new look-up of the coordinator, any other one is fatal. */
  | { type: 'heartbeatFailed'; id: number; error: KafkaError }
  /** After every metadata refresh: `topicName` may know more now. */
  | { type: 'metadataChanged' }
  /** The application has finished with what `revoke` named: drained, committed, listener returned. */
  | { type: 'revoked' }
  /**
   * An OffsetCommit or OffsetFetch of this member was refused with a code that concerns its membership. What is true the next
   * heartbeat says, which goes out at once.
   */
  | { type: 'commitFenced'; errorCode: number; generation: number; memberId: string }
  /** The application has not polled for `maxPollIntervalMs`: leave, the partitions are lost. */
  | { type: 'pollExpired' }
  /** The application has polled; ends what `pollExpired` began. Cheap and legal at any time. */
  | { type: 'polled' }
  /** The consumer has failed for a reason that is not the group's: leave, the partitions are lost. */
  | { type: 'failed'; error: KafkaError }
  /** For good: revoke, leave, `left`. Legal in any state, also twice. */
  | { type: 'close' };

export type ConsumerGroupAction =
  | { type: 'findCoordinator'; id: number }
  | { type: 'sendHeartbeat'; id: number; request: ConsumerGroupHeartbeatRequest }
  /** The coordinator is elsewhere or silent: close the connection to it, forget its address. */
  | { type: 'coordinatorUnknown' }
  /** Refresh metadata now, with these topics asked for by id; then `metadataChanged`, whatever came of it. */
  | { type: 'resolveTopics'; topicIds: readonly string[] }
  /**
   * Stop delivery of these, drop what is buffered, let handlers end; not lost: commit, `onRevoked`; lost: no commit, `onLost`.
   * Then `revoked`. May come a second time with `lost: true` before `revoked`: the member was thrown out meanwhile, nothing
   * can be committed any more. It then names the same partitions and, behind them, whatever else was owned; still one
   * `revoked`.
   */
  | { type: 'revoke'; partitions: readonly TopicPartition[]; lost: boolean; generation: number; memberId: string }
  /** `partitions` is all that is owned from now on, `added` what of it was not before. */
  | {
      type: 'assign';
      partitions: readonly TopicPartition[];
      added: readonly TopicPartition[];
      generation: number;
      memberId: string;
    }
  /** The broker has raised the member epoch: what commits must carry from now on. Nothing else has changed. */
  | { type: 'epochChanged'; generation: number; memberId: string }
  /** The broker refuses this member what a person has to permit first. It is asked again with back-off, and says so again; `null` once it no longer does. */
  | { type: 'obstacle'; error: KafkaError | null }
  /** A broker said what belongs to no healthy group. It is tried again with back-off; told once until that has worked. */
  | { type: 'trouble'; error: KafkaError }
  /** Fatal: the error is the application's; the machine stays `fatal`. */
  | { type: 'fail'; error: KafkaError }
  /** Closed; nothing follows. */
  | { type: 'left' }
  | { type: 'log'; level: LogLevel; message: string };
