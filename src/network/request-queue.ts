import { RequestTimeoutError, type KafkaError } from '../errors.ts';
import type { Api } from '../protocol/api.ts';

const MAX_INT32 = 0x7fffffff;
/** So long after it should have come an answer is overdue: something may be wrong with the broker, long before the deadline. */
const OVERDUE_MS = 2000;
/** The broker answers when the rest of the group is there. */
const WAIT_FOR_THE_GROUP: readonly string[] = ['JoinGroup', 'SyncGroup'];

/** A request on its way. */
export interface PendingRequest {
  readonly api: Api<unknown, unknown>;
  readonly version: number;
  readonly correlationId: number;
  readonly frame: Buffer;
  /** How long it may be held back, and then how long from there to the last byte of its answer. */
  readonly timeoutMs: number;
  /** Of that, how long the broker may wait by itself, for records for example. */
  readonly brokerWaitMs: number;
  readonly answerBytes: number;
  readonly resolve: (response: never) => void;
  readonly reject: (error: KafkaError) => void;
}

interface Entry {
  readonly request: PendingRequest;
  /** When it was handed over, and then when it was sent. */
  since: number;
  overdueAt: number;
  /** What had been read from the socket when it was last looked at. */
  bytesRead: number;
  timer: NodeJS.Timeout | undefined;
  isDone: boolean;
}

export interface RequestQueueOptions {
  /** For error texts. */
  address: string;
  write: (frame: Buffer) => void;
  bytesRead: () => number;
  /** The deadline of a request that was sent has passed: later answers could no longer be told apart. */
  onExpired: (error: RequestTimeoutError) => void;
  /** No byte has come for too long, and another one every time that this is called again. */
  onOverdue: (request: PendingRequest, waitedMs: number, isFirst: boolean) => void;
}

/**
 * The requests of one connection, in the order in which they are handed over: sent and not answered, or held back while the
 * broker wants that (KIP-219). None overtakes another: the broker has muted its side for all of them, heartbeats included.
 *
 * Timers run before sockets are read. So a deadline counts when what had arrived by then has been read: an event loop that stood still
 * must not take the answers that lie in the kernel for silence.
 */
export class RequestQueue {
  readonly #options: RequestQueueOptions;
  #sent: Entry[] = [];
  #held: Entry[] = [];
  #mutedUntil = 0;
  #unmute: NodeJS.Timeout | undefined;
  #overdue: Entry | null = null;

  constructor(options: RequestQueueOptions) {
    this.#options = options;
  }

  /** The one whose answer comes next. */
  get head(): PendingRequest | undefined {
    return this.#sent[0]?.request;
  }

  get sentCount(): number {
    return this.#sent.length;
  }

  get isIdle(): boolean {
    return this.#sent.length === 0 && this.#held.length === 0;
  }

  /** The answer that comes next is overdue. */
  get isOverdue(): boolean {
    return this.#overdue !== null && this.#overdue === this.#sent[0];
  }

  has(isIt: (request: PendingRequest) => boolean): boolean {
    return [...this.#sent, ...this.#held].some(({ request }) => isIt(request));
  }

  /** What is sent now would wait until the rest of the group is there. */
  get isHeldUpByGroup(): boolean {
    return this.has(({ api }) => WAIT_FOR_THE_GROUP.includes(api.name));
  }

  push(request: PendingRequest): void {
    const entry: Entry = { request, since: 0, overdueAt: Infinity, bytesRead: 0, timer: undefined, isDone: false };
    if (this.#unmute === undefined) this.#send(entry);
    else {
      entry.since = performance.now();
      this.#held.push(entry);
      this.#setTimer(entry, entry.since);
    }
  }

  /** The answer to `head` is in. */
  answered(): void {
    const entry = this.#sent.shift();
    if (entry !== undefined) end(entry);
  }

  /** KIP-219: the broker reads nothing for so long, and counts on this side to hold back. */
  mute(ms: number): void {
    const now = performance.now();
    this.#mutedUntil = Math.max(this.#mutedUntil, now + ms);
    this.#unmute ??= setTimeout(() => this.#onUnmute(), this.#mutedUntil - now);
  }

  /** Fails all that there is. */
  fail(error: KafkaError): void {
    clearTimeout(this.#unmute);
    const failed = [...this.#sent, ...this.#held];
    this.#sent = [];
    this.#held = [];
    for (const entry of failed) {
      end(entry);
      entry.request.reject(error);
    }
  }

  #send(entry: Entry): void {
    const { api, brokerWaitMs, frame } = entry.request;
    entry.since = performance.now();
    if (!WAIT_FOR_THE_GROUP.includes(api.name)) entry.overdueAt = entry.since + brokerWaitMs + OVERDUE_MS;
    entry.bytesRead = this.#options.bytesRead();
    clearTimeout(entry.timer); // of one that was held back
    this.#setTimer(entry, entry.since);
    this.#sent.push(entry);
    this.#options.write(frame);
  }

  #onUnmute(): void {
    const leftMs = this.#mutedUntil - performance.now();
    // A timer may be a moment early.
    this.#unmute = leftMs > 1 ? setTimeout(() => this.#onUnmute(), leftMs) : undefined;
    if (this.#unmute !== undefined) return;
    const held = this.#held;
    this.#held = [];
    for (const entry of held) if (!entry.isDone) this.#send(entry);
  }

  #setTimer(entry: Entry, now: number): void {
    const dueAt = Math.min(entry.since + entry.request.timeoutMs, entry.overdueAt);
    // Node takes a longer time-out for 1 ms: a poll interval and a margin may well come to more than 24 days.
    const waitMs = Math.min(Math.max(0, dueAt - now), MAX_INT32);
    entry.timer = setTimeout(() => {
      const firedAt = performance.now();
      const patientUntil = firedAt + Math.max(0, firedAt - dueAt);
      this.#nextTurn(entry, patientUntil);
    }, waitMs);
  }

  /** As long as bytes come turn by turn, the time for which the loop stood still is given back. */
  #nextTurn(entry: Entry, patientUntil: number): void {
    const before = this.#options.bytesRead();
    setImmediate(() => {
      if (entry.isDone) return;
      const now = performance.now();
      if (this.#options.bytesRead() > before && now < patientUntil) this.#nextTurn(entry, patientUntil);
      else this.#onDue(entry, now);
    });
  }

  #onDue(entry: Entry, now: number): void {
    if (now >= entry.since + entry.request.timeoutMs) this.#expire(entry);
    else {
      if (now >= entry.overdueAt) this.#checkOverdue(entry, now);
      if (!entry.isDone) this.#setTimer(entry, now);
    }
  }

  #checkOverdue(entry: Entry, now: number): void {
    const bytesRead = this.#options.bytesRead();
    const isSilent = entry === this.#sent[0] && bytesRead === entry.bytesRead;
    entry.bytesRead = bytesRead;
    entry.overdueAt = now + OVERDUE_MS;
    if (!isSilent) return;
    const isFirst = this.#overdue !== entry;
    this.#overdue = entry;
    this.#options.onOverdue(entry.request, now - entry.since, isFirst);
  }

  #expire(entry: Entry): void {
    const { api, timeoutMs, reject } = entry.request;
    const { address } = this.#options;
    const isHeld = this.#held.includes(entry);
    const text = isHeld
      ? `${api.name} to ${address} could not be sent within ${timeoutMs} ms: the broker holds this client back (quota)`
      : `${api.name} to ${address} was not answered within ${timeoutMs} ms`;
    const error = new RequestTimeoutError(text, { api: api.name });
    if (!isHeld) return this.#options.onExpired(error);
    // The broker has never seen it: nothing is wrong with the connection.
    this.#held = this.#held.filter((each) => each !== entry);
    end(entry);
    reject(error);
  }
}

function end(entry: Entry): void {
  entry.isDone = true;
  clearTimeout(entry.timer);
}
