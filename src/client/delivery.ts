import type { OffsetToCommit } from '../commit/committer.ts';
import type { KafkaError } from '../errors.ts';
import { partitionKey, type FetchedRecords, type TopicPartition } from '../fetch/partition.ts';
import type { KafkaRecord } from '../protocol/record.ts';
import type { DeliveryOptions } from './delivery-options.ts';
import { PartitionDelivery } from './partition-delivery.ts';
import type { RecordBatch } from './record-batch.ts';
import type { Worker } from './worker.ts';

/**
 * What was fetched and not yet handed out, over all partitions, and what the application has in hand. Partitions that have
 * something take turns of `turn` records.
 */
export class Delivery<K, V> {
  #options: DeliveryOptions;
  #turn: number;
  #partitions = new Map<string, PartitionDelivery<K, V>>();
  #line: PartitionDelivery<K, V>[] = [];
  #current: PartitionDelivery<K, V> | null = null;
  #leftOfTurn = 0;
  /** The first `#inHandCount` of these; as an array that keeps its length, or each record would cost a new one. */
  #inHand: PartitionDelivery<K, V>[] = [];
  #inHandCount = 0;
  /** What was handed out is finished unit by unit, in any order; else by asking for more. */
  #isTracking = false;
  /** Who works on what is handed out, beside loops: `forEach` or `run`. */
  #worker: Worker<K, V> | null = null;
  /** Over all partitions. */
  #running = 0;
  /** What the broker refuses, by what that is about, until it is thrown to a read. */
  #refusals = new Map<string, KafkaError>();
  /** Something was fetched of them since their end was told of: no wait has to look at all the others. */
  #unended = new Set<PartitionDelivery<K, V>>();
  /** Nothing is handed out, whatever there is. */
  #isHeldBack = false;
  #onAvailable: () => void;
  /** The last read has found nothing to hand out, and nothing has come since. */
  #isDry = false;

  /** @param onAvailable there is something to hand out where there was nothing */
  constructor(options: DeliveryOptions, turn: number, onAvailable: () => void) {
    this.#options = options;
    this.#turn = turn;
    this.#onAvailable = onAvailable;
    options.opened.isStarved = () => this.#worker !== null || this.#isDry;
  }

  /** Decompressed, and not handed out yet. */
  get openedBytes(): number {
    return this.#options.opened.bytes;
  }

  get partitions(): Iterable<PartitionDelivery<K, V>> {
    return this.#partitions.values();
  }

  get(topic: string, partition: number): PartitionDelivery<K, V> | undefined {
    return this.#partitions.get(partitionKey(topic, partition));
  }

  assign(topic: string, partition: number, epoch: number): PartitionDelivery<K, V> {
    const delivery: PartitionDelivery<K, V> = new PartitionDelivery<K, V>(topic, partition, epoch, this.#options, () =>
      this.#enter(delivery),
    );
    if (this.#isTracking) delivery.ledger.track();
    this.#partitions.set(partitionKey(topic, partition), delivery);
    return delivery;
  }

  /** Handlers work on what was handed out, and may be at records before others that are finished. */
  get isHandling(): boolean {
    return this.#worker !== null;
  }

  /** Nobody works on records, or some of those who do have come back for more. */
  get isIdle(): boolean {
    return this.#worker?.isIdle ?? true;
  }

  setWorker(worker: Worker<K, V> | null): void {
    this.#worker = worker;
  }

  /** One more, or one less, works on records of it: a revocation and `close()` wait until nobody does. */
  beginWork(delivery: PartitionDelivery<K, V>): void {
    delivery.running++;
    this.#running++;
  }

  /** Legal also when the waiting for it was given up. */
  endWork(delivery: PartitionDelivery<K, V>): void {
    if (delivery.running === 0) return;
    delivery.running--;
    this.#running--;
  }

  /** Hands nothing of it out for now, without a `pause` of the application. */
  setHeld(delivery: PartitionDelivery<K, V>, isHeld: boolean): void {
    if (delivery.isHeld === isHeld) return;
    delivery.isHeld = isHeld;
    if (isHeld) this.#leave(delivery);
    else if (delivery.hasSomething) this.#enter(delivery);
  }

  /** The group may have given all of it to others: what is there waits until it has answered. */
  get isHeldBack(): boolean {
    return this.#isHeldBack;
  }

  setHeldBack(isHeldBack: boolean): void {
    if (this.#isHeldBack === isHeldBack) return;
    this.#isHeldBack = isHeldBack;
    if (isHeldBack) {
      if (this.#current?.hasSomething === true) this.#putFirst(this.#current);
      this.#current = null;
      return;
    }
    for (const { onReady } of this.partitions) onReady?.();
    this.#worker?.onResumed?.();
    this.#onAvailable();
  }

  setTracking(isTracking: boolean): void {
    this.#isTracking = isTracking;
    for (const { ledger } of this.partitions) {
      if (isTracking) ledger.track();
      else ledger.untrack();
    }
  }

  /** Hands nothing of these out any more and drops what is buffered; what is in hand may still be finished. */
  block(partitions: readonly TopicPartition[]): void {
    const blocked = [...this.#known(partitions)].filter(({ isBlocked }) => !isBlocked);
    for (const delivery of blocked) {
      delivery.isBlocked = true;
      delivery.drop();
      delivery.isQueued = false;
      if (this.#current === delivery) this.#current = null;
    }
    if (blocked.length > 0) this.#worker?.onBlocked(blocked);
  }

  remove(partitions: readonly TopicPartition[]): void {
    this.block(partitions);
    const removed = new Set(this.#known(partitions));
    this.#letGo((each) => removed.has(each));
    for (const delivery of removed) {
      while (delivery.running > 0) this.endWork(delivery);
      this.#partitions.delete(partitionKey(delivery.topic, delivery.partition));
      this.#unended.delete(delivery);
    }
  }

  /** Reading of it begins, now that its listener has returned. */
  begin(delivery: PartitionDelivery<K, V>): void {
    delivery.isStarting = false;
    if (delivery.hasSomething) this.#enter(delivery);
  }

  /** The group does not wait any longer for what works on these. Returns those of them that something does work on. */
  giveUp(deliveries: readonly PartitionDelivery<K, V>[]): readonly PartitionDelivery<K, V>[] {
    return this.#worker?.onGivenUp?.(deliveries) ?? deliveries;
  }

  seek(delivery: PartitionDelivery<K, V>, epoch: number, position: number): void {
    this.#leave(delivery);
    this.#letGo((each) => each === delivery);
    delivery.restart(epoch, position);
  }

  pause(delivery: PartitionDelivery<K, V>): void {
    delivery.isPaused = true;
    this.#leave(delivery);
  }

  resume(delivery: PartitionDelivery<K, V>): void {
    delivery.isPaused = false;
    this.#enter(delivery);
    this.#worker?.onResumed?.();
  }

  add(delivery: PartitionDelivery<K, V>, records: FetchedRecords): void {
    delivery.add(records);
    if (!delivery.isEndReported) this.#unended.add(delivery);
    if (delivery.hasSomething || delivery.isAtEnd) this.#enter(delivery);
  }

  fail(delivery: PartitionDelivery<K, V>, error: KafkaError): void {
    delivery.failure = error;
    this.#enter(delivery);
  }

  /** The next read throws it, once. @param error null takes back what was not thrown yet */
  refuse(what: string, error: KafkaError | null): void {
    if (error === null) this.#refusals.delete(what);
    else {
      this.#refusals.set(what, error);
      this.#onAvailable();
    }
  }

  /** Those whose end was reached, each once until more of it comes: what `partitionEnd` is told of. */
  takeEnded(): PartitionDelivery<K, V>[] {
    const ended: PartitionDelivery<K, V>[] = [];
    for (const delivery of this.#unended) {
      if (!delivery.isAtEnd || delivery.isPaused || delivery.isBlocked) continue;
      this.#unended.delete(delivery);
      delivery.isEndReported = true;
      ended.push(delivery);
    }
    return ended;
  }

  isAnyInHand(partitions: readonly TopicPartition[]): boolean {
    for (const delivery of this.#known(partitions)) if (delivery.isInHand || delivery.running > 0) return true;
    return false;
  }

  get hasInHand(): boolean {
    return this.#inHandCount > 0 || this.#running > 0;
  }

  /** The application asks for more, so it is done with what it has. */
  finishInHand(): void {
    for (let i = 0; i < this.#inHandCount; i++) this.#inHand[i]?.finish();
    this.#inHandCount = 0;
  }

  /** The application has let go of what it has without finishing it. */
  abandonInHand(): void {
    for (const delivery of this.#inHand.slice(0, this.#inHandCount)) delivery.letGo();
    this.#inHandCount = 0;
  }

  /** The same, and it comes again, before anything else. */
  rewindInHand(): void {
    const inHand = this.#inHand.slice(0, this.#inHandCount);
    this.#inHandCount = 0;
    for (const delivery of inHand) {
      delivery.rewind();
      if (delivery.hasSomething) this.#putFirst(delivery);
    }
  }

  /** What `current` has failed with was not thrown on: it is at the next read, before anybody else's turn. */
  keepFailure(): void {
    const failed = this.#current;
    failed?.keepFailure();
    if (failed !== null) this.#putFirst(failed);
  }

  /** Nobody waits any more for what works on records. */
  abandonWork(): void {
    for (const delivery of this.#partitions.values()) while (delivery.running > 0) this.endWork(delivery);
    this.#worker?.onAbandoned();
  }

  /** The next record, or null where there is none now. @throws what the partition whose turn it is failed with */
  nextRecord(): KafkaRecord<K, V> | null {
    const record = this.takeRecord();
    if (record !== null && this.#current !== null) this.#hold(this.#current);
    return record;
  }

  /** The partition of the record that was taken last, or whose failure was thrown. */
  get current(): PartitionDelivery<K, V> | null {
    return this.#current;
  }

  /** The same for those who say by themselves when it is finished. */
  takeRecord(): KafkaRecord<K, V> | null {
    for (;;) {
      if (this.#current === null || this.#leftOfTurn <= 0) {
        if (!this.#nextTurn()) return null;
        continue;
      }
      const current = this.#current;
      let record: KafkaRecord<K, V> | undefined;
      try {
        record = current.nextRecord();
      } catch (error) {
        this.#leftOfTurn = 0; // its turn is over: an application that reads on gets the other partitions' records
        throw error;
      }
      if (record !== undefined) {
        this.#leftOfTurn--;
        return record;
      }
      this.#current = null;
    }
  }

  /** The next batch of at most `maxRecords`, or null where there is none now. @throws as `nextRecord` */
  nextBatch(maxRecords: number): RecordBatch<K, V> | null {
    while (this.#nextTurn()) {
      const delivery = this.#current;
      this.#leftOfTurn = 0;
      const batch = delivery?.nextBatch(maxRecords);
      if (delivery !== null && batch !== undefined) {
        this.#hold(delivery);
        return batch;
      }
    }
    return null;
  }

  /** Finished and not yet committed. */
  uncommitted(partitions: Iterable<PartitionDelivery<K, V>> = this.partitions): OffsetToCommit[] {
    const offsets: OffsetToCommit[] = [];
    for (const { topic, partition, ledger } of partitions) {
      if (ledger.isDirty)
        offsets.push({
          topic,
          partition,
          offset: ledger.finished,
          leaderEpoch: ledger.leaderEpoch,
          metadata: ledger.metadata,
        });
    }
    return offsets;
  }

  *#known(partitions: readonly TopicPartition[]): Iterable<PartitionDelivery<K, V>> {
    for (const { topic, partition } of partitions) {
      const delivery = this.get(topic, partition);
      if (delivery !== undefined) yield delivery;
    }
  }

  /** Whoever still has something goes to the end of the line; the first in line is next. */
  #nextTurn(): boolean {
    if (this.#isHeldBack) return false;
    const last = this.#current;
    this.#current = null;
    if (last?.hasSomething === true) this.#enter(last);
    // Not in the middle of a poll, which would lose what it has taken so far.
    if (this.#refusals.size > 0 && this.#inHandCount === 0) this.#throwRefusal();
    for (let next = this.#line.shift(); next !== undefined; next = this.#line.shift()) {
      next.isInLine = false;
      if (!next.isQueued) continue; // it has left
      next.isQueued = false;
      // One with nothing but an end or a failure stays in view for `partitionEnd` and for the next read.
      if (!next.hasSomething) continue;
      this.#current = next;
      this.#leftOfTurn = this.#turn;
      this.#isDry = false;
      return true;
    }
    this.#isDry = true;
    // Those whose batches are open are paused: one more is opened, for the application would wait for nothing.
    if (this.#worker !== null || this.#inHandCount > 0) return false;
    return this.#options.opened.exceed() && this.#nextTurn();
  }

  #throwRefusal(): void {
    for (const [what, error] of this.#refusals) {
      this.#refusals.delete(what);
      throw error;
    }
  }

  #hold(delivery: PartitionDelivery<K, V>): void {
    if (delivery.isInHand) return;
    delivery.isInHand = true;
    this.#inHand[this.#inHandCount++] = delivery;
  }

  #letGo(isGone: (delivery: PartitionDelivery<K, V>) => boolean): void {
    this.#inHand = this.#inHand.slice(0, this.#inHandCount).filter((each) => !isGone(each));
    this.#inHandCount = this.#inHand.length;
  }

  #enter(delivery: PartitionDelivery<K, V>): void {
    if (!delivery.isReadable) return;
    if (delivery.onReady !== null) {
      delivery.onReady();
      return;
    }
    if (!delivery.isQueued && delivery !== this.#current) {
      delivery.isQueued = true;
      if (!delivery.isInLine) this.#line.push(delivery);
      delivery.isInLine = true;
    }
    this.#onAvailable();
  }

  #putFirst(delivery: PartitionDelivery<K, V>): void {
    this.#leave(delivery);
    this.#enter(delivery);
    if (!delivery.isQueued) return; // paused, or read by somebody alone
    this.#line = [delivery, ...this.#line.filter((each) => each !== delivery)];
  }

  #leave(delivery: PartitionDelivery<K, V>): void {
    if (this.#current === delivery) this.#current = null;
    delivery.isQueued = false; // its place in the line is passed over: to take it out would cost a walk through all
  }
}
