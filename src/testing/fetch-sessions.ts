import type { FetchRequest } from '../protocol/api/fetch.ts';
import { NO_UUID } from '../protocol/codec.ts';
import { ERROR_CODES } from '../protocol/error-codes.ts';
import type { Random } from './random.ts';

// Fetch sessions (KIP-227): the broker remembers which partitions a client asks for, and what it was told of them last.

const NO_SESSION = 0;
/** Epoch of a request that opens a session, and of one that closes it. */
const INITIAL_EPOCH = 0;
const FINAL_EPOCH = -1;
const MAX_EPOCH = 0x7fffffff;
/** As `max.incremental.fetch.session.cache.slots` says by default. */
const MAX_SESSIONS = 1000;

/** One partition that a client asks for. */
export interface WantedPartition {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
  fetchOffset: number;
  currentLeaderEpoch: number;
  lastFetchedEpoch: number;
  maxBytes: number;
  /** What the client was told last; null before the first time, and after an error. */
  told: { highWatermark: number; logStartOffset: number } | null;
}

interface Session {
  readonly id: number;
  readonly usesTopicIds: boolean;
  /** Of the request that has to come next. */
  epoch: number;
  readonly partitions: Map<string, WantedPartition>;
}

/** What a Fetch is about, its session taken into account. */
export interface FetchPlan {
  readonly sessionId: number;
  /** Only what has changed is answered. */
  readonly isIncremental: boolean;
  readonly partitions: readonly WantedPartition[];
  /** These had records: they come last the next time, so that all get their turn. */
  rotate(partitions: readonly WantedPartition[]): void;
}

/** The sessions of one broker. */
export class FetchSessions {
  readonly #random: Random;
  readonly #sessions = new Map<number, Session>();

  constructor(random: Random) {
    this.#random = random;
  }

  /** Which partitions a request is about; changes nothing. */
  peek(request: FetchRequest): WantedPartition[] {
    const session = request.sessionEpoch > INITIAL_EPOCH ? this.#sessions.get(request.sessionId) : undefined;
    return [...(session?.partitions.values() ?? []), ...wantedOf(request)];
  }

  /** Takes a request into its session. Gives the error code where it does not fit. */
  plan(request: FetchRequest, version: number): FetchPlan | number {
    const { sessionId, sessionEpoch } = request;
    if (sessionEpoch === INITIAL_EPOCH || sessionEpoch === FINAL_EPOCH) {
      this.#sessions.delete(sessionId);
      const wanted = wantedOf(request);
      // Before version 7 there are none, and the codec says so by the final epoch.
      if (sessionEpoch === FINAL_EPOCH) return alone(wanted);
      return this.#open(wanted, version >= 13);
    }
    const session = this.#sessions.get(sessionId);
    if (session === undefined) return ERROR_CODES.FETCH_SESSION_ID_NOT_FOUND;
    if (session.epoch !== sessionEpoch) return ERROR_CODES.INVALID_FETCH_SESSION_EPOCH;
    if (session.usesTopicIds !== version >= 13) return ERROR_CODES.FETCH_SESSION_TOPIC_ID_ERROR;
    session.epoch = sessionEpoch === MAX_EPOCH ? 1 : sessionEpoch + 1;
    update(session, request);
    if (session.partitions.size === 0) {
      this.#sessions.delete(session.id);
      return alone([]);
    }
    return this.#planOf(session, true);
  }

  #open(wanted: readonly WantedPartition[], usesTopicIds: boolean): FetchPlan {
    if (this.#sessions.size >= MAX_SESSIONS) {
      const [oldest] = this.#sessions.keys();
      if (oldest !== undefined) this.#sessions.delete(oldest);
    }
    let id = NO_SESSION;
    while (id === NO_SESSION || this.#sessions.has(id)) id = 1 + this.#random.below(MAX_EPOCH);
    const partitions = new Map(wanted.map((each) => [keyOf(each), each]));
    const session: Session = { id, usesTopicIds, epoch: 1, partitions };
    this.#sessions.set(id, session);
    return this.#planOf(session, false);
  }

  #planOf(session: Session, isIncremental: boolean): FetchPlan {
    return {
      sessionId: session.id,
      isIncremental,
      partitions: [...session.partitions.values()],
      rotate: (partitions) => {
        for (const partition of partitions) {
          const key = keyOf(partition);
          if (session.partitions.delete(key)) session.partitions.set(key, partition);
        }
      },
    };
  }
}

function alone(partitions: readonly WantedPartition[]): FetchPlan {
  return { sessionId: NO_SESSION, isIncremental: false, partitions, rotate: () => undefined };
}

function update(session: Session, request: FetchRequest): void {
  for (const wanted of wantedOf(request)) {
    const known = session.partitions.get(keyOf(wanted));
    if (known === undefined) session.partitions.set(keyOf(wanted), wanted);
    else Object.assign(known, { ...wanted, told: known.told });
  }
  for (const { topic, topicId, partitions } of request.forgottenTopicsData) {
    for (const partition of partitions) session.partitions.delete(keyOf({ topic, topicId, partition }));
  }
}

/** A partition that a request names twice counts once, by its last mention. */
function wantedOf(request: FetchRequest): WantedPartition[] {
  const wanted = new Map<string, WantedPartition>();
  for (const each of namedIn(request)) wanted.set(keyOf(each), each);
  return [...wanted.values()];
}

function namedIn(request: FetchRequest): WantedPartition[] {
  return request.topics.flatMap(({ topic, topicId, partitions }) =>
    partitions.map(({ partition, fetchOffset, currentLeaderEpoch, lastFetchedEpoch, partitionMaxBytes }) => ({
      topic,
      topicId,
      partition,
      fetchOffset: fetchOffset.toNumber(), // above 2^53 it is beyond every log, which is all that counts here
      currentLeaderEpoch,
      lastFetchedEpoch,
      maxBytes: partitionMaxBytes,
      told: null,
    })),
  );
}

function keyOf({ topic, topicId, partition }: { topic: string; topicId: string; partition: number }): string {
  return `${topicId === NO_UUID ? topic : topicId} ${partition}`;
}
