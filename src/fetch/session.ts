import type { FetchedAnswer } from './answers.ts';
import { partitionKey, type AskedPartition, type TopicPartition } from './partition.ts';

// Fetch sessions (KIP-227): the broker remembers what it was asked for and what it told last, so a request names only what
// has changed, and so does the answer. https://cwiki.apache.org/confluence/x/YyYPBQ

/** No session yet, or one of a broker that keeps none. */
const NO_SESSION = 0;
/** Epoch of a request that opens a session, and ends the one whose id it carries. */
const OPENING_EPOCH = 0;
/** Epoch of a request that wants none. */
const WITHOUT_EPOCH = -1;
const MAX_EPOCH = 0x7fffffff;
const FETCH_SESSION_ID_NOT_FOUND = 70;

export interface NamedPartition extends TopicPartition {
  /** Null where topics are spoken of by name. */
  topicId: string | null;
}

/** What one Fetch request says of partitions. */
export interface SessionRequest {
  readonly sessionId: number;
  readonly sessionEpoch: number;
  /** New ones and those asked for differently than before; all of them where the session opens. */
  readonly partitions: readonly (AskedPartition & NamedPartition)[];
  /** The broker shall speak no more of these. */
  readonly forgotten: readonly NamedPartition[];
}

export interface SessionOptions {
  /** False for a broker that has none (Fetch before v7). */
  hasSessions: boolean;
  /** The topic's id; null for all where the request speaks of topics by name. Ids and names never mix in one session. */
  topicId: (topic: string) => string | null;
}

/** A partition as the broker has it in the session. */
interface SessionPartition {
  asked: AskedPartition;
  readonly topicId: string | null;
  /** The last that the broker said of its ends; null before that and after an error: then it will say it. */
  told: { readonly highWatermark: number; readonly endOffset: number } | null;
  /** Of the last request that asked for it, and of the last one whose answer spoke of it. */
  askedIn: number;
  answeredIn: number;
}

/** The session of one connection; dies with it. Requests and answers take turns, as fetches of one broker do. */
export class FetchSession {
  #id = NO_SESSION;
  #epoch = OPENING_EPOCH;
  /** Counts the requests. */
  #round = 0;
  #usesIds = false;
  #partitions = new Map<string, SessionPartition>();
  #names = new Map<string, string>();

  /** @param asked all partitions that are to be fetched now: what is not among them is forgotten */
  next(asked: readonly AskedPartition[], { hasSessions, topicId }: SessionOptions): SessionRequest {
    const usesIds = asked.length > 0 && asked.every(({ topic }) => topicId(topic) !== null);
    if (usesIds !== this.#usesIds) this.#epoch = OPENING_EPOCH;
    this.#usesIds = usesIds;
    const sessionEpoch = hasSessions ? this.#epoch : WITHOUT_EPOCH;
    if (sessionEpoch <= OPENING_EPOCH) {
      this.#partitions.clear();
      this.#names.clear();
    }
    const partitions: (AskedPartition & NamedPartition)[] = [];
    const forgotten: NamedPartition[] = [];
    const round = ++this.#round;
    for (const each of asked) {
      const known = this.#partitions.get(each.key);
      const id = usesIds ? topicId(each.topic) : null;
      if (known !== undefined && known.topicId === id && isSame(known.asked, each)) {
        known.askedIn = round;
        continue;
      }
      // Made again under the same name, it is another topic to the broker.
      const isOther = known !== undefined && known.topicId !== id;
      if (isOther) forgotten.push({ topic: each.topic, partition: each.partition, topicId: known.topicId });
      const told = isOther ? null : (known?.told ?? null);
      this.#partitions.set(each.key, { asked: each, topicId: id, told, askedIn: round, answeredIn: 0 });
      if (id !== null) this.#names.set(id, each.topic);
      partitions.push({ ...each, topicId: id });
    }
    if (this.#partitions.size > asked.length) {
      for (const [key, known] of this.#partitions) {
        if (known.askedIn === round) continue;
        this.#partitions.delete(key);
        const { topic, partition } = known.asked;
        forgotten.push({ topic, partition, topicId: known.topicId });
      }
    }
    return { sessionId: this.#id, sessionEpoch, partitions, forgotten };
  }

  /** Whether the last request spoke of topics by id. */
  get usesTopicIds(): boolean {
    return this.#usesIds;
  }

  /** The name of a topic that the broker speaks of by its id. */
  topicName(topicId: string): string | undefined {
    return this.#names.get(topicId);
  }

  /**
   * Takes in the answer to the last request.
   *
   * @returns an answer for every partition of the session that the broker has something to say of, or has said it before: those
   * that an incremental answer leaves out are as they were
   */
  answered(errorCode: number, sessionId: number, answers: readonly FetchedAnswer[]): Map<string, FetchedAnswer> {
    const byKey = new Map<string, FetchedAnswer>();
    if (errorCode !== 0) {
      // The id goes along, so that the broker drops what it still has of the session; but for one that it does not know.
      if (errorCode === FETCH_SESSION_ID_NOT_FOUND) this.#id = NO_SESSION;
      this.#epoch = OPENING_EPOCH;
      return byKey;
    }
    let hasStranger = false;
    for (const answer of answers) {
      const key = partitionKey(answer.topic, answer.partition);
      const known = this.#partitions.get(key);
      if (known === undefined) {
        hasStranger = true;
        continue;
      }
      const { highWatermark, endOffset } = answer;
      known.told = answer.errorCode === 0 ? { highWatermark, endOffset } : null;
      known.answeredIn = this.#round;
      byKey.set(key, answer);
    }
    const wasOpening = this.#epoch === OPENING_EPOCH;
    let isWhole = !hasStranger;
    for (const [key, known] of this.#partitions) {
      if (known.answeredIn === this.#round) continue;
      if (wasOpening) isWhole = false;
      else if (known.told !== null) byKey.set(key, unchanged(known.asked, known.told));
    }
    const goesOn = sessionId !== NO_SESSION && (wasOpening || sessionId === this.#id) && isWhole;
    if (goesOn) this.#epoch = this.#epoch === MAX_EPOCH ? 1 : this.#epoch + 1;
    else this.#epoch = OPENING_EPOCH;
    this.#id = sessionId;
    return byKey;
  }
}

function isSame(a: AskedPartition, b: AskedPartition): boolean {
  return (
    a.fetchOffset === b.fetchOffset &&
    a.currentLeaderEpoch === b.currentLeaderEpoch &&
    a.partitionMaxBytes === b.partitionMaxBytes
  );
}

function unchanged(
  { topic, partition }: TopicPartition,
  { highWatermark, endOffset }: { highWatermark: number; endOffset: number },
): FetchedAnswer {
  return {
    topic,
    partition,
    errorCode: 0,
    highWatermark,
    endOffset,
    abortedTransactions: [],
    records: null,
    preferredReadReplica: -1,
    divergingEpoch: null,
  };
}
