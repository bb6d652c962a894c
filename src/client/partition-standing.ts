import { PartitionLedger } from '../commit/ledger.ts';
import type { KafkaError } from '../errors.ts';
import type { TopicPartition } from '../fetch/partition.ts';

/** Where an assigned partition stands on the application's side, for all who have to know. */
export class PartitionStanding implements TopicPartition {
  readonly topic: string;
  readonly partition: number;
  readonly ledger = new PartitionLedger();
  /** Raised by every assignment and every seek: what was handed out in an older one counts no more. */
  epoch: number;
  /** The same for what is fetched; also raised where the same records are fetched again. */
  fetchEpoch: number;
  /** The next offset to hand out; −1 while it is being looked up. */
  position = -1;
  /** Leader epoch of the last batch that was handed out. */
  leaderEpoch = -1;
  highWatermark = -1;
  /** Where the partition ended when it was last fetched, by isolation level. */
  endOffset = -1;
  isPaused = false;
  /** Assigned, with its `onAssigned` still to return: nothing is handed out yet. */
  isStarting = false;
  /** Being revoked: nothing is handed out any more. */
  isBlocked = false;
  /** The application holds records of it that it has not finished. */
  isInHand = false;
  /** Handlers that work on records of it. */
  running = 0;
  /** Nothing is handed out for now: its handlers are busy, or one has failed. Not the application's `pause`. */
  isHeld = false;
  /** Where somebody reads this partition alone: there may be something new. It is in no line then. */
  onReady: (() => void) | null = null;
  /** What `ledger.end` takes for the record that was handed out last. */
  lastTicket = -1;
  /** Waits in the delivery's line of those that have something to hand out. */
  isQueued = false;
  /** Has a place in the line, where it may have left since. */
  isInLine = false;
  /** `partitionEnd` was said and no record has come since. */
  isEndReported = false;
  /** Thrown when all that was fetched before it is handed out, at every read until a seek. */
  failure: KafkaError | null = null;
  /** What the broker refuses of it at the moment, and is asked again; null for nothing. */
  refusal: KafkaError | null = null;

  constructor(topic: string, partition: number, epoch: number) {
    this.topic = topic;
    this.partition = partition;
    this.epoch = epoch;
    this.fetchEpoch = epoch;
  }

  /** What it has may be handed out now. */
  get isReadable(): boolean {
    return !this.isPaused && !this.isBlocked && !this.isStarting && !this.isHeld;
  }

  protected jumpTo(offset: number): void {
    this.position = offset;
    this.leaderEpoch = -1;
    if (this.ledger.isTracking || !this.isInHand) this.ledger.jump(offset);
  }

  /** After a seek. */
  protected standAt(epoch: number, position: number): void {
    this.epoch = epoch;
    this.fetchEpoch = epoch;
    this.position = position;
    this.leaderEpoch = -1;
    this.highWatermark = -1;
    this.endOffset = -1;
    this.isHeld = false;
    this.isEndReported = false;
    this.failure = null;
    this.refusal = null;
    // The application says where it stands: that is what is committed next, also when that is back (as in Java).
    this.ledger.restart(position);
  }
}
