import { backoffMs } from '../backoff.ts';
import { FencedError, type KafkaError } from '../errors.ts';
import { ERROR_CODES } from '../protocol/error-codes.ts';
import { Chains, type Sending } from './chains.ts';
import { type CommitFate, commitFateOf, concernsMembership } from './fates.ts';
import {
  type Acknowledged,
  type Cause,
  type CommitJob,
  type Entry,
  keyOf,
  keysOf,
  named,
  type OffsetToCommit,
  POLICIES,
  type Running,
} from './jobs.ts';
import { MissingTopics } from './missing-topics.ts';
import { type CommitDone, OpenJobs } from './open-jobs.ts';

export type { CommitJob, CommitPurpose, OffsetToCommit } from './jobs.ts';

/** In whose name offsets are committed; generation −1 and an empty member id for a manual assignment. */
export interface Membership {
  memberId: string;
  generation: number;
}

export type CommitAction =
  | { type: 'sendCommit'; requestId: number; membership: Membership; offsets: OffsetToCommit[] }
  | CommitDone
  | { type: 'coordinatorLost' }
  | { type: 'fenced'; errorCode: number; membership: Membership }
  | { type: 'log'; level: 'warn'; message: string };

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

interface Request {
  readonly requestId: number;
  readonly membership: Membership;
  readonly sendings: readonly Sending[];
}

/**
 * Commits offsets, one request at a time. Of a partition they go out in the order of the calls, so that an older offset never
 * overwrites a newer one; a request takes along whatever is due, of all jobs, and an offset stands for the older ones that wait for the
 * same partition. What has to be tried again waits for its back-off, and holds up no other partition.
 * No I/O: `plan(now)` says what to send; the answers come in by `answered` and `failed`. Error codes: fates.ts.
 */
export class Committer {
  readonly #settings: CommitterSettings;
  readonly #jobs = new OpenJobs();
  readonly #chains = new Chains();
  readonly #missing = new MissingTopics();
  #request: Request | null = null;
  /** How many partitions a request may name: fewer where the broker found one too large. */
  #limit = Infinity;
  /** How often a partition was positioned: what was committed before the last time says nothing about what may come after it. */
  readonly #eras = new Map<string, number>();
  /** What was acknowledged last of each partition. */
  readonly #acknowledged = new Map<string, Acknowledged>();
  #membership: Membership | null = null;
  /** Thrown out of the group, and not on the way back yet: why nothing can be committed. */
  #expulsion: KafkaError | null = null;
  #revoking: ReadonlySet<string> = new Set();
  #lastRequestId = 0;

  constructor(settings: CommitterSettings) {
    this.#settings = settings;
  }

  get isIdle(): boolean {
    return this.#jobs.isEmpty;
  }

  commit(job: CommitJob): void {
    if (this.#jobs.isEmpty) {
      this.#chains.clear();
      this.#limit = Infinity;
    }
    const running = this.#jobs.add(job);
    if (job.purpose === 'revoke') this.#awaitCalls(running);
    for (const offset of job.offsets) {
      const key = keyOf(offset);
      const sent = { offset, mayGoBack: job.mayGoBack === true, era: this.#eras.get(key) ?? 0 };
      const entry: Entry = { job: running, key, sent, isAwaited: this.#revoking.has(key), isOver: false };
      running.left.add(entry);
      this.#chains.add(entry);
    }
  }

  /** Reading begins anew there, by an assignment or a seek. */
  positioned(topic: string, partition: number): void {
    const key = keyOf({ topic, partition });
    this.#eras.set(key, (this.#eras.get(key) ?? 0) + 1);
    this.#missing.forget(key);
  }

  /** The application is giving these up: a rebalance waits for what is committed of them. */
  revoking(partitions: Iterable<{ topic: string; partition: number }>): void {
    this.#revoking = new Set(Array.from(partitions, keyOf));
    for (const key of this.#revoking) for (const entry of this.#chains.entries(key)) entry.isAwaited = true;
  }

  /** It has given them up: what is left of theirs must not overwrite what their next owner commits. */
  revoked(): CommitAction[] {
    const gone = this.#revoking;
    this.#revoking = new Set();
    return gone.size === 0 ? [] : this.#fence(({ key }) => gone.has(key));
  }

  /**
   * The member has a new generation, or none for the time of a rebalance.
   *
   * @param isOwned after a rebalance, waiting offsets of partitions that are no longer owned fail
   */
  setMembership(
    membership: Membership | null,
    isOwned?: (topic: string, partition: number) => boolean,
  ): CommitAction[] {
    this.#membership = membership;
    this.#expulsion = null;
    if (membership === null || isOwned === undefined) return [];
    return this.#fence(({ sent: { offset } }) => !isOwned(offset.topic, offset.partition));
  }

  /** The group has gone on without this member: what is queued fails, and what comes until the next `setMembership`. */
  expel(error: KafkaError): CommitAction[] {
    this.#membership = null;
    this.#expulsion = error;
    return this.failAll(error);
  }

  /** Ends what is queued: the group is left for good, or the consumer closes. */
  failAll(error: KafkaError): CommitAction[] {
    this.#jobs.endAll(error);
    return this.#jobs.takeEnded();
  }

  deadline(): number {
    const isSending = this.#request === null && this.#membership !== null;
    return Math.min(this.#jobs.deadline, isSending && !this.isIdle ? this.#chains.dueAt : Infinity);
  }

  plan(now: number): CommitAction[] {
    if (this.#expulsion !== null) return this.failAll(this.#expulsion);
    const actions: CommitAction[] = [];
    this.#jobs.expire(now);
    if (this.#membership === null) this.#jobs.refuse();
    else if (this.#request === null) this.#send(this.#membership, now, actions);
    return [...this.#jobs.takeEnded(), ...actions];
  }

  /** No answer came: the connection to the coordinator broke, timed out or could not be made. */
  failed(requestId: number, error: KafkaError, now: number): CommitAction[] {
    for (const { key, sent, entries } of this.#take(requestId)?.sendings ?? []) {
      for (const entry of entries) {
        if (entry.isOver) continue;
        if (error.retriable && POLICIES[entry.job.purpose].isRetried) {
          entry.sent = sent; // it may have reached the broker, and nothing older may come after it
          this.#retry(entry.job, error, now);
        } else this.#jobs.giveUp(entry, error);
      }
      this.#chains.back(key);
    }
    return this.#jobs.takeEnded();
  }

  answered(requestId: number, answers: readonly CommitAnswer[], now: number): CommitAction[] {
    const request = this.#take(requestId);
    if (request === null) return [];
    const actions: CommitAction[] = [];
    const codes = new Map(answers.map((answer) => [keyOf(answer), answer.errorCode]));
    const said = new Set<number>();
    // Each partition for itself (semantics §7): what may still be committed is, before the call hears of the others.
    for (const sending of request.sendings) {
      const code = codes.get(sending.key) ?? ERROR_CODES.UNKNOWN_SERVER_ERROR;
      if (code === 0) this.#committed(sending);
      else this.#refused(sending, code, request, now, actions);
      said.add(code);
      this.#chains.back(sending.key);
    }
    for (const errorCode of said) {
      const fate = commitFateOf(errorCode);
      if (fate === 'coordinator') actions.push({ type: 'coordinatorLost' });
      if (concernsMembership(fate) && this.#expulsion === null)
        actions.push({ type: 'fenced', errorCode, membership: request.membership });
    }
    return [...actions, ...this.#jobs.takeEnded()];
  }

  /** The request that was out; null where the answer belongs to none. */
  #take(requestId: number): Request | null {
    const request = this.#request;
    if (request?.requestId !== requestId) return null;
    this.#request = null;
    for (const { entries } of request.sendings) this.#jobs.setOut(entries, false);
    return request;
  }

  #send(membership: Membership, now: number, actions: CommitAction[]): void {
    const sendings = this.#chains.take(now, this.#limit, {
      acknowledged: (key) => this.#acknowledged.get(key),
      leftOut: (entry) => this.#jobs.done(entry),
    });
    if (sendings.length === 0) return;
    const requestId = ++this.#lastRequestId;
    for (const { entries } of sendings) this.#jobs.setOut(entries, true);
    this.#request = { requestId, membership, sendings };
    actions.push({ type: 'sendCommit', requestId, membership, offsets: sendings.map(({ sent }) => sent.offset) });
  }

  /** Also of a job that has ended meanwhile: what it has committed is committed. */
  #committed({ key, owner, sent, entries }: Sending): void {
    this.#acknowledged.set(key, { era: sent.era, offset: sent.offset.offset });
    this.#missing.forget(key);
    if (!owner.isOver) owner.job.done.push(sent.offset);
    for (const entry of entries) this.#jobs.done(entry);
  }

  #refused(sending: Sending, code: number, request: Request, now: number, actions: CommitAction[]): void {
    const { key, owner, entries } = sending;
    const fate = commitFateOf(code);
    if (fate === 'size' && isOfSeveral(request)) {
      this.#limit = Math.max(1, request.sendings.length >> 1);
      return; // sent again, in pieces
    }
    const warning = fate === 'topic' ? this.#missing.refused(key, now) : null;
    if (warning !== null) actions.push({ type: 'log', level: 'warn', message: warning });
    for (const entry of entries) {
      if (entry.isOver) continue;
      // What is wrong with the offset that was sent says nothing about those that it stood for: they come next.
      if (code === ERROR_CODES.OFFSET_METADATA_TOO_LARGE && entry !== owner) continue;
      if (this.#mayRetry(entry, fate, now)) this.#retry(entry.job, code, now);
      else this.#jobs.giveUp(entry, code);
    }
  }

  #mayRetry({ job, key, isAwaited }: Entry, fate: CommitFate, now: number): boolean {
    const { isRetried, waitsForRejoin, waitsForTopic } = POLICIES[job.purpose];
    if (!isRetried) return false;
    // A rebalance waits neither for a topic that was deleted, as most likely it was, nor for its own end.
    if (fate === 'topic') return waitsForTopic && !isAwaited && this.#missing.mayCome(key, now);
    if (fate === 'rebalance') return waitsForRejoin && !isAwaited;
    return fate === 'retry' || fate === 'coordinator' || fate === 'epoch';
  }

  #retry(job: Running, cause: Cause, now: number): void {
    job.setback = cause;
    if (job.retryAt > now) return; // for another partition of the same answer
    const { retryBackoffMs, retryBackoffMaxMs, random } = this.#settings;
    job.retryAt = now + backoffMs(job.attempts++, retryBackoffMs, retryBackoffMaxMs, random());
  }

  /** A revocation waits for the calls before it. They are sent at once: then it shows soon whether there is any hope. */
  #awaitCalls(job: Running): void {
    for (const key of this.#revoking.size > 0 ? this.#revoking : [undefined]) {
      for (const entry of this.#chains.entries(key)) {
        if (entry.job.purpose !== 'call') continue;
        entry.isAwaited = true;
        job.waitsFor.add(entry);
      }
    }
    for (const { key } of job.waitsFor) this.#chains.hurry(key);
  }

  #fence(isGone: (entry: Entry) => boolean): CommitAction[] {
    for (const job of this.#jobs) {
      const gone = [...job.left].filter(isGone);
      if (gone.length === 0) continue;
      const text = `not committed, the group has given the partitions to another member: ${named(keysOf(gone))}`;
      const error = new FencedError(text, { code: 22, name: 'ILLEGAL_GENERATION', api: 'OffsetCommit' });
      for (const entry of gone) this.#jobs.giveUp(entry, error);
    }
    return this.#jobs.takeEnded();
  }
}

function isOfSeveral({ sendings }: Request): boolean {
  const [first] = sendings;
  return sendings.some(({ owner }) => owner.job !== first?.owner.job);
}
