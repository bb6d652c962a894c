import type { Membership } from '../commit/committer.ts';
import type { KafkaError } from '../errors.ts';
import type { Cluster } from '../network/cluster.ts';
import type { Coordinator } from '../network/coordinator.ts';
import type { EngineEvent } from './port.ts';
import type { Settings } from './validate.ts';

/** What the engine's parts have in common: where they send, what time it is, and whom they tell. */
export interface EngineContext {
  readonly settings: Settings;
  readonly cluster: Cluster;
  readonly coordinator: Coordinator;
  /** Whom OffsetFetch asks for (v9); `null` for nobody: outside of a group, and in the classic protocol. */
  readonly identity: Membership | null;
  /** The coordinator has refused a commit, or offsets that were asked for, for who asks. */
  fenced(errorCode: number, membership: Membership): void;
  /** A request to the group goes out. Returns what `groupAnswered` takes. */
  groupAsked(): number;
  /** The group has answered, and its machine has acted on that. */
  groupAnswered(asked: number): void;
  /** Monotonic milliseconds; the time of all machines and deadlines. */
  now(): number;
  emit(event: EngineEvent): void;
  /** After every answer: asks all machines what is to be done next. */
  step(): void;
  /** The same once the application has had a chance at what there is. */
  stepSoon(): void;
  /** Ask for the metadata of all topics that matter, and of these. */
  refreshMetadata(topics: readonly string[]): void;
  /** Nothing goes on after this; the application hears of it at its next read. */
  fail(error: KafkaError): void;
  readonly isClosed: boolean;
}
