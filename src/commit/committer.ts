import { backoffMs } from '../backoff.ts';
import { FencedError, KafkaError, RequestTimeoutError } from '../errors.ts';
import { kafkaErrorOf } from '../protocol/error-codes.ts';

export interface OffsetToCommit {
  topic: string;
  partition: number;
  /** The next offset to be consumed. */
  offset: number;
  /** −1 for unknown. */
  leaderEpoch: number;
  /** A string of the application's own, kept with the offset. */
  metadata: string;
}

/** In whose name offsets are committed; generation −1 and an empty member id for a manual assignment. */
export interface Membership {
  memberId: string;
  generation: number;
}

export interface CommitJob {
  readonly id: number;
  readonly offsets: readonly OffsetToCommit[];
  /** Retriable errors are retried until then, by the same clock as `now`. */
  readonly deadline: number;
  /** False for the commits that a rebalance waits for: they cannot wait for the rebalance in turn. */
  readonly mayWaitForRejoin: boolean;
  /** False: the first error is final (the next automatic commit carries newer offsets anyway). */
  readonly isRetried: boolean;
  /**
   * True: these offsets as they are, also where that is back. Default false: where more was acknowledged since the partition was
   * positioned, this much is committed already and is left out.
   */
  readonly mayGoBack?: boolean;
}

export type CommitAction =
  | { type: 'sendCommit'; requestId: number; membership: Membership; offsets: OffsetToCommit[] }
  | { type: 'commitDone'; id: number; committed: OffsetToCommit[]; error: KafkaError | null }
  | { type: 'coordinatorLost' }
  | { type: 'fenced'; errorCode: number; membership: Membership };

export interface CommitAnswer {
  topic: string;
  partition: number;
  errorCode: number;
}

export interface CommitterSettings {
  retryBackoffMs: number;
  retryBackoffMaxMs: number;
  random: () => number;
}

interface Running extends CommitJob {
  left: OffsetToCommit[];
  done: OffsetToCommit[];
  /** What some of its offsets have failed with, while others are still to be sent again. */
  error: KafkaError | null;
  attempts: number;
  retryAt: number;
  /** How often each of its partitions had been positioned when the call came. */
  eras: ReadonlyMap<string, number>;
}

/**
 * Sends commits one after the other, in the order of the calls, so that an older offset never overwrites a newer one.
 * No I/O: `plan(now)` says what to send; the answers come in by `answered` and `failed`. Error codes: semantics §3, §7.
 */
export class Committer {
  #settings: CommitterSettings;
  #queue: Running[] = [];
  #inFlight: { requestId: number; membership: Membership; job: Running } | null = null;
  /** How often a partition was positioned: what was committed before the last time says nothing about what may come after it. */
  #eras = new Map<string, number>();
  /** What was acknowledged last of each partition, and in which era that was asked for. */
  #acknowledged = new Map<string, { readonly era: number; readonly offset: number }>();
  #membership: Membership | null = null;
  /** Thrown out of the group, and not on the way back yet: why nothing can be committed. */
  #expulsion: KafkaError | null = null;
  #lastRequestId = 0;

  constructor(settings: CommitterSettings) {
    this.#settings = settings;
  }

  get isIdle(): boolean {
    return this.#queue.length === 0;
  }

  commit(job: CommitJob): void {
    this.#queue.push({
      ...job,
      left: [...job.offsets],
      done: [],
      error: null,
      attempts: 0,
      retryAt: 0,
      eras: new Map(job.offsets.map((each) => [keyOf(each), this.#eras.get(keyOf(each)) ?? 0])),
    });
  }

  /** Reading begins anew there, by an assignment or a seek. */
  positioned(topic: string, partition: number): void {
    const key = keyOf({ topic, partition });
    this.#eras.set(key, (this.#eras.get(key) ?? 0) + 1);
  }

  /**
   * The member has a new generation, or none for the time of a rebalance.
   *
   * @param isOwned after a rebalance, waiting offsets of partitions that are no longer owned fail
   */
  setMembership(
    membership: Membership | null,
    isOwned: (topic: string, partition: number) => boolean = () => true,
  ): CommitAction[] {
    this.#membership = membership;
    this.#expulsion = null;
    if (membership === null) return [];
    const actions: CommitAction[] = [];
    for (const job of [...this.#queue]) {
      const gone = job.left.filter((offset) => !isOwned(offset.topic, offset.partition));
      if (gone.length === 0) continue;
      job.left = job.left.filter((offset) => isOwned(offset.topic, offset.partition));
      const text = `not committed, the group has given the partitions to another member: ${names(gone)}`;
      job.error ??= new FencedError(text, { code: 22, name: 'ILLEGAL_GENERATION', api: 'OffsetCommit' });
      if (job.left.length === 0) this.#finish(job, null, actions);
    }
    return actions;
  }

  /** The group has gone on without this member: what is queued fails, and what comes until the next `setMembership`. */
  expel(error: KafkaError): CommitAction[] {
    this.#membership = null;
    this.#expulsion = error;
    return this.failAll(error);
  }

  /** Ends what is queued: the group is left for good, or the consumer closes. */
  failAll(error: KafkaError): CommitAction[] {
    const actions: CommitAction[] = [];
    for (const job of [...this.#queue]) this.#finish(job, error, actions);
    return actions;
  }

  deadline(): number {
    let deadline = Infinity;
    for (const job of this.#queue) deadline = Math.min(deadline, job.deadline);
    const head = this.#queue[0];
    if (head !== undefined && this.#inFlight === null && this.#membership !== null)
      deadline = Math.min(deadline, head.retryAt);
    return deadline;
  }

  plan(now: number): CommitAction[] {
    const actions: CommitAction[] = [];
    if (this.#expulsion !== null) return this.failAll(this.#expulsion);
    for (const job of [...this.#queue]) {
      if (now < job.deadline) continue;
      const text = `the offsets were not committed in time: ${names(job.left)}`;
      this.#finish(job, new RequestTimeoutError(text, { api: 'OffsetCommit' }), actions);
    }
    const head = this.#queue[0];
    if (head === undefined || this.#inFlight !== null) return actions;
    this.#leaveOutCommitted(head);
    if (head.left.length === 0) {
      this.#finish(head, null, actions);
      return [...actions, ...this.plan(now)];
    }
    if (head.retryAt > now) return actions;
    if (this.#membership === null) {
      if (this.#mayWait(head)) return actions;
      this.#finish(head, kafkaErrorOf(27, { api: 'OffsetCommit', context: names(head.left) }), actions);
      return [...actions, ...this.plan(now)];
    }
    const requestId = ++this.#lastRequestId;
    this.#inFlight = { requestId, membership: this.#membership, job: head };
    actions.push({ type: 'sendCommit', requestId, membership: this.#membership, offsets: head.left });
    return actions;
  }

  /** No answer came: the connection to the coordinator broke, timed out or could not be made. */
  failed(requestId: number, error: KafkaError, now: number): CommitAction[] {
    const job = this.#take(requestId);
    if (job === null) return [];
    const actions: CommitAction[] = [];
    if (error.retriable && job.isRetried) this.#retry(job, now);
    else this.#finish(job, error, actions);
    return actions;
  }

  answered(requestId: number, answers: readonly CommitAnswer[], now: number): CommitAction[] {
    const request = this.#inFlight;
    if (request?.requestId === requestId) this.#acknowledge(request.job, answers);
    const membership = request?.membership;
    const job = this.#take(requestId);
    if (job === null || membership === undefined) return [];
    const actions: CommitAction[] = [];
    const again: OffsetToCommit[] = [];
    const refused: OffsetToCommit[] = [];
    const codes = new Set<number>();
    for (const offset of job.left) {
      const answer = answers.find((each) => each.topic === offset.topic && each.partition === offset.partition);
      const code = answer?.errorCode ?? -1;
      if (code === 0) job.done.push(offset);
      else if (this.#isRetriable(code, job)) again.push(offset);
      else refused.push(offset);
      if (code !== 0) codes.add(code);
    }
    for (const code of codes) {
      // COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR
      if (code === 15 || code === 16) actions.push({ type: 'coordinatorLost' });
      // ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, REBALANCE_IN_PROGRESS, FENCED_INSTANCE_ID, STALE_MEMBER_EPOCH: the group machine decides
      if (code === 22 || code === 25 || code === 27 || code === 82 || code === 113)
        actions.push({ type: 'fenced', errorCode: code, membership });
    }
    job.left = again;
    // Each partition for itself (semantics §7): what may still be committed is, before the call hears of the others.
    const fatal = [...codes].find((code) => !this.#isRetriable(code, job));
    if (fatal !== undefined) job.error ??= kafkaErrorOf(fatal, { api: 'OffsetCommit', context: names(refused) });
    if (again.length === 0) this.#finish(job, null, actions);
    else this.#retry(job, now);
    return actions;
  }

  /** The job that the request belongs to; null where it has ended meanwhile, by its deadline or by `failAll`. */
  #take(requestId: number): Running | null {
    if (this.#inFlight?.requestId !== requestId) return null;
    const { job } = this.#inFlight;
    this.#inFlight = null;
    return this.#queue.includes(job) ? job : null;
  }

  #acknowledge(job: Running, answers: readonly CommitAnswer[]): void {
    for (const { topic, partition, errorCode } of answers) {
      if (errorCode !== 0) continue;
      const sent = job.left.find((offset) => offset.topic === topic && offset.partition === partition);
      if (sent === undefined) continue;
      const key = keyOf(sent);
      this.#acknowledged.set(key, { era: job.eras.get(key) ?? 0, offset: sent.offset });
    }
  }

  #leaveOutCommitted(job: Running): void {
    if (job.mayGoBack === true) return;
    job.left = job.left.filter((each) => {
      const key = keyOf(each);
      const acknowledged = this.#acknowledged.get(key);
      return acknowledged === undefined || acknowledged.era !== job.eras.get(key) || each.offset >= acknowledged.offset;
    });
  }

  /** A commit that a rebalance waits for must not wait behind one that waits for the rebalance. */
  #mayWait(job: Running): boolean {
    return job.mayWaitForRejoin && this.#queue.every((each) => each.mayWaitForRejoin || !each.isRetried);
  }

  /** 27 REBALANCE_IN_PROGRESS is worth a retry only where somebody can wait for the group to rejoin. */
  #isRetriable(code: number, job: Running): boolean {
    if (!job.isRetried) return false;
    if (code === 27) return this.#mayWait(job);
    if (code === 113) return true; // the answer that brings the new epoch is on its way
    // UNKNOWN_TOPIC_OR_PARTITION: as likely as not the topic was deleted, and a rebalance must not wait for it to come back.
    if (code === 3) return job.mayWaitForRejoin;
    return kafkaErrorOf(code, { api: 'OffsetCommit' }).retriable;
  }

  #retry(job: Running, now: number): void {
    const { retryBackoffMs, retryBackoffMaxMs, random } = this.#settings;
    job.retryAt = now + backoffMs(job.attempts++, retryBackoffMs, retryBackoffMaxMs, random());
  }

  #finish(job: Running, error: KafkaError | null, actions: CommitAction[]): void {
    this.#queue = this.#queue.filter((each) => each !== job);
    actions.push({ type: 'commitDone', id: job.id, committed: job.done, error: job.error ?? error });
  }
}

function keyOf({ topic, partition }: { topic: string; partition: number }): string {
  return `${topic}-${partition}`;
}

function names(offsets: readonly OffsetToCommit[]): string {
  return offsets.map(keyOf).join(', ');
}
