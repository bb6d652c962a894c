/**
 * What the driver tells the group machine (events) and what the machine asks of it (actions). Plain data both ways.
 *
 * Rules for the driver:
 * - Perform the actions in their order.
 * - Every `send…` and `findCoordinator` carries an `id`; its answer or failure carries the same. Answer each once; the machine
 *   ignores answers to requests that it has given up, so late ones do no harm.
 * - All of them but `findCoordinator` go to the coordinator, over its own connection.
 * - Every `revoke` is answered by one `revoked`, also a lost one, when the application has finished with the partitions.
 */
import type { KafkaError } from '../errors.ts';
import type { HeartbeatRequest, HeartbeatResponse } from '../protocol/api/heartbeat.ts';
import type { JoinGroupRequest, JoinGroupResponse } from '../protocol/api/join-group.ts';
import type { LeaveGroupResponse } from '../protocol/api/leave-group.ts';
import type { SyncGroupRequest, SyncGroupResponse } from '../protocol/api/sync-group.ts';
import type { Assignor, PartitionInfo } from './assignors/assignor.ts';

export interface TopicPartition {
  topic: string;
  partition: number;
}

export interface ClassicGroupOptions {
  groupId: string;
  /** Static membership (KIP-345); `null` for a dynamic member. */
  groupInstanceId: string | null;
  sessionTimeoutMs: number;
  /** How long the broker waits for this member in a rebalance: `maxPollIntervalMs`. */
  rebalanceTimeoutMs: number;
  heartbeatIntervalMs: number;
  /** First and greatest wait after an error; ±20 % jitter. */
  retryBackoffMs: number;
  retryBackoffMaxMs: number;
  /** `client.rack`, `''` for none; sent in the subscription (KIP-881). */
  clientRack: string;
  /** In order of preference; at least one. */
  assignors: readonly Assignor[];
  /** A number in [0, 1), for jitter. */
  random: () => number;
}

export type GroupEvent =
  /** The topics to consume, at the start or changed; a change makes the member rejoin, the same set again does nothing. */
  | { type: 'subscribed'; topics: readonly string[] }
  /** Nothing to consume any more: revoke, leave, back to `unjoined`. A later `subscribed` starts anew. */
  | { type: 'unsubscribed' }
  /** `coordinator` is for the log only, such as `'2 (kafka-2:9092)'`. */
  | { type: 'coordinatorFound'; id: number; coordinator: string }
  /** `errorCode` is FindCoordinator's, `null` where no broker answered it; then `error.retriable` decides. */
  | { type: 'coordinatorFailed'; id: number; errorCode: number | null; error: KafkaError }
  /** The connection to the coordinator broke or timed out: all requests on it count as failed. */
  | { type: 'coordinatorLost'; error: KafkaError }
  | { type: 'joinAnswered'; id: number; response: JoinGroupResponse }
  | { type: 'syncAnswered'; id: number; response: SyncGroupResponse }
  | { type: 'heartbeatAnswered'; id: number; response: HeartbeatResponse }
  | { type: 'leaveAnswered'; id: number; response: LeaveGroupResponse }
  /** No answer: a retriable error means a new look-up of the coordinator, any other one is fatal (for Leave: done). */
  | { type: 'joinFailed' | 'syncFailed' | 'heartbeatFailed' | 'leaveFailed'; id: number; error: KafkaError }
  /**
   * After every metadata refresh. Every topic that was asked for is a key; one that the broker says does not exist, or may
   * not be read, maps to an empty array. A topic that is no key was not asked for.
   */
  | { type: 'metadata'; partitions: ReadonlyMap<string, readonly PartitionInfo[]> }
  /** The application has finished with what `revoke` named: drained, committed, listener returned. */
  | { type: 'revoked' }
  /**
   * An OffsetCommit was answered with this code; `generation` and `memberId` are those of the request. Acts on 15, 16, 22, 25,
   * 27 and 82; any other code is the committer's own matter.
   */
  | { type: 'commitFenced'; errorCode: number; generation: number; memberId: string }
  /** The application has not polled for `maxPollIntervalMs`: leave, the partitions are lost. */
  | { type: 'pollExpired' }
  /** The application has polled; ends what `pollExpired` began. Cheap and legal at any time. */
  | { type: 'polled' }
  /** The consumer has failed for a reason that is not the group's: leave, the partitions are lost. */
  | { type: 'failed'; error: KafkaError }
  /** For good: revoke, leave (not a static member), `left`. Legal in any state, also twice. */
  | { type: 'close' };

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** What LeaveGroup says; the driver puts it where the negotiated version has it (v0–2: `memberId`, v3+: `members`). */
export interface Leave {
  groupId: string;
  memberId: string;
  groupInstanceId: string | null;
  /** KIP-800, v5+. */
  reason: string;
}

export type GroupAction =
  | { type: 'findCoordinator'; id: number }
  /** The broker may hold the answer back for the rebalance timeout: the deadline is `timeoutMs` or `requestTimeoutMs`, the longer. */
  | { type: 'sendJoin'; id: number; request: JoinGroupRequest; timeoutMs: number }
  /** The machine waits for the answer for `timeoutMs`, then sends it again elsewhere: a longer deadline does no harm. */
  | { type: 'sendSync'; id: number; request: SyncGroupRequest; timeoutMs: number }
  | { type: 'sendHeartbeat'; id: number; request: HeartbeatRequest }
  | { type: 'sendLeave'; id: number; request: Leave }
  /**
   * Close the connection to the coordinator, keep its address: a JoinGroup or SyncGroup still waits on it, and the broker
   * reads no further request of a connection before it has answered that one.
   */
  | { type: 'dropConnection' }
  /** The coordinator is elsewhere or silent: close the connection to it, forget its address. */
  | { type: 'coordinatorUnknown' }
  /** The leader must know these topics now; keep them in every later refresh as long as `watchedTopics` has them. */
  | { type: 'refreshMetadata'; topics: readonly string[] }
  /**
   * Stop delivery of these (eager: all that is owned; cooperative: a part of it), drop what is buffered, let handlers end; not
   * lost: commit as that member of that generation, `onRevoked`; lost: no commit, `onLost`. Then `revoked`. May come a second
   * time with `lost: true` before `revoked`: the member was thrown out meanwhile, nothing can be committed any more. It then
   * names the same partitions and, behind them, whatever else was owned; still one `revoked`.
   */
  | { type: 'revoke'; partitions: readonly TopicPartition[]; lost: boolean; generation: number; memberId: string }
  /** The member is on its way to a new generation, for the log's cause. Once before each `assign` that `isSettled`, or more. */
  | { type: 'rebalancing'; cause: string }
  /**
   * A generation has begun: `partitions` is all that is owned from now on, `added` what of it was not before. `generation` and
   * `memberId` are what commits must carry. Where the same answer takes something away, its `revoke` comes right before, and
   * the next generation follows: this one is not settled.
   */
  | {
      type: 'assign';
      partitions: readonly TopicPartition[];
      added: readonly TopicPartition[];
      isSettled: boolean;
      generation: number;
      memberId: string;
    }
  /** A broker said what belongs to no healthy group. It is tried again with back-off; told once until that has worked. */
  | { type: 'trouble'; error: KafkaError }
  /** Fatal: the error is the application's; the machine stays `failed`. */
  | { type: 'fail'; error: KafkaError }
  /** Closed; nothing follows. */
  | { type: 'left' }
  | { type: 'log'; level: LogLevel; message: string };
