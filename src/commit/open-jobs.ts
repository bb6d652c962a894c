import { type KafkaError, RequestTimeoutError } from '../errors.ts';
import { ERROR_CODES } from '../protocol/error-codes.ts';
import {
  type Cause,
  type CommitJob,
  type Entry,
  errorOf,
  keysOf,
  named,
  noteFailure,
  type OffsetToCommit,
  POLICIES,
  type Running,
} from './jobs.ts';

/** `committed`: what was sent for it and acknowledged; not what a newer offset of another job stood for. */
export interface CommitDone {
  type: 'commitDone';
  id: number;
  committed: OffsetToCommit[];
  error: KafkaError | null;
}

/**
 * The jobs that have not ended, and when they may: one whose offsets are all decided on ends after the `async` jobs that were called
 * before it; a revocation also after the calls that it waits for. What ends is told by `takeEnded`, in that order.
 */
export class OpenJobs {
  /** In the order of the calls. */
  readonly #jobs = new Set<Running>();
  /** Those that fail where there is no generation to commit in; not while a request of theirs is out. */
  readonly #impatient = new Set<Running>();
  readonly #revokes = new Set<Running>();
  /** Nothing is left of them, but they may have to wait for an earlier one to end. */
  #ready: Running[] = [];
  #lastAsync: Running | null = null;
  #lastOrder = 0;
  /** The earliest deadline of a job, or earlier. */
  #nextDeadline = Infinity;
  #ended: CommitDone[] = [];

  get isEmpty(): boolean {
    return this.#jobs.size === 0;
  }

  get deadline(): number {
    return this.#nextDeadline;
  }

  [Symbol.iterator](): Iterator<Running> {
    return this.#jobs.values();
  }

  add(job: CommitJob): Running {
    const running: Running = {
      ...job,
      order: ++this.#lastOrder,
      left: new Set(),
      done: [],
      failure: null,
      setback: null,
      attempts: 0,
      retryAt: 0,
      after: this.#lastAsync,
      followers: [],
      waitsFor: new Set(),
      isOver: false,
    };
    this.#jobs.add(running);
    this.#nextDeadline = Math.min(this.#nextDeadline, job.deadline);
    if (job.purpose === 'async') this.#lastAsync = running;
    if (job.purpose === 'revoke') this.#revokes.add(running);
    if (job.offsets.length === 0) this.#ready.push(running);
    else if (!POLICIES[job.purpose].waitsForRejoin) this.#impatient.add(running);
    return running;
  }

  /** A request of theirs goes out, or was answered. */
  setOut(entries: readonly Entry[], isOut: boolean): void {
    for (const { job } of entries) {
      if (POLICIES[job.purpose].waitsForRejoin) continue;
      if (isOut) this.#impatient.delete(job);
      else if (job.left.size > 0) this.#impatient.add(job);
    }
  }

  /** This offset is decided on. */
  done(entry: Entry): void {
    if (entry.isOver) return;
    entry.isOver = true;
    const { job } = entry;
    job.left.delete(entry);
    if (job.left.size > 0) return;
    this.#impatient.delete(job);
    this.#ready.push(job);
  }

  giveUp(entry: Entry, cause: Cause): void {
    if (entry.isOver) return;
    noteFailure(entry.job, entry.key, cause);
    this.done(entry);
  }

  /** There is no generation to commit in. What is out has its answer to come. */
  refuse(): void {
    for (const job of this.#impatient) {
      for (const entry of job.left) this.giveUp(entry, ERROR_CODES.REBALANCE_IN_PROGRESS);
    }
  }

  expire(now: number): void {
    if (now < this.#nextDeadline) return;
    this.#nextDeadline = Infinity;
    for (const job of this.#jobs) {
      if (now < job.deadline) this.#nextDeadline = Math.min(this.#nextDeadline, job.deadline);
      else this.#end(job, job.left.size > 0 ? timeoutOf(job) : null);
    }
  }

  endAll(error: KafkaError): void {
    for (const job of this.#jobs) this.#end(job, error);
  }

  takeEnded(): CommitDone[] {
    this.#settle();
    const ended = this.#ended;
    this.#ended = [];
    return ended;
  }

  /** What waits for nobody any more ends. */
  #settle(): void {
    for (const job of this.#revokes) {
      if (job.waitsFor.size === 0) continue;
      for (const entry of job.waitsFor) if (entry.isOver) job.waitsFor.delete(entry);
      if (job.waitsFor.size === 0 && job.left.size === 0) this.#ready.push(job);
    }
    if (this.#ready.length === 0) return;
    const ready = this.#ready.sort((a, b) => a.order - b.order);
    this.#ready = [];
    for (const job of ready) {
      if (job.isOver || job.waitsFor.size > 0) continue;
      if (job.after?.isOver === false) {
        job.after.followers.push(job);
        continue;
      }
      this.#end(job, null);
      for (const follower of job.followers) ready.push(follower);
    }
  }

  #end(job: Running, error: KafkaError | null): void {
    const { id, done: committed, failure } = job;
    job.isOver = true;
    job.after = null; // or a chain of all that ever were would stay
    for (const entry of job.left) entry.isOver = true;
    job.left.clear();
    this.#jobs.delete(job);
    this.#impatient.delete(job);
    this.#revokes.delete(job);
    if (this.#lastAsync === job) this.#lastAsync = null;
    if (this.#jobs.size === 0) this.#nextDeadline = Infinity;
    const cause = failure === null ? error : errorOf(failure.cause, failure.keys);
    this.#ended.push({ type: 'commitDone', id, committed, error: cause });
  }
}

function timeoutOf({ left, setback }: Running): RequestTimeoutError {
  const keys = keysOf(left);
  const cause = setback === null ? undefined : errorOf(setback, keys);
  const why = cause === undefined ? '' : `; the last attempt: ${cause.message}`;
  return new RequestTimeoutError(`the offsets were not committed in time: ${named(keys)}${why}`, {
    api: 'OffsetCommit',
    cause,
  });
}
