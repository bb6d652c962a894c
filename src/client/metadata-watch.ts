import { toKafkaError } from '../errors.ts';
import { backoffMs } from '../backoff.ts';
import { ERROR_CODES, kafkaErrorOf } from '../protocol/error-codes.ts';
import type { EngineContext } from './engine-context.ts';

/** Keeps the metadata of the topics that matter fresh: on need, every `metadataMaxAgeMs`, and soon while a topic is missing. */
export class MetadataWatch {
  #engine: EngineContext;
  #onChanged: (topics: ReadonlySet<string>) => void;
  #onMatched: (topics: readonly string[]) => void;
  /** By name. */
  #named: readonly string[] = [];
  #patterns: readonly RegExp[] = [];
  /** What the patterns matched last, and the names; `null` where no list has come since `want`. */
  #matched: string | null = null;
  #wanted = new Set<string>();
  /** What others than the application want to know of, such as the leader of a group. */
  #watched: readonly string[] = [];
  #refreshAt = Infinity;
  #missingRounds = 0;
  #reported = new Set<string>();

  /**
   * @param onChanged an answer is in for these topics
   * @param onMatched names and patterns, where there are patterns, stand for these topics now; comes before `onChanged`
   */
  constructor(
    engine: EngineContext,
    onChanged: (topics: ReadonlySet<string>) => void,
    onMatched: (topics: readonly string[]) => void,
  ) {
    this.#engine = engine;
    this.#onChanged = onChanged;
    this.#onMatched = onMatched;
  }

  /** The topics of the subscription or the assignment, in place of those before. */
  want(topics: readonly string[], patterns: readonly RegExp[] = []): void {
    this.#named = topics;
    this.#patterns = patterns;
    this.#matched = null;
    this.#wanted = new Set(topics);
    this.#reported.clear();
    this.#missingRounds = 0;
    if (topics.length > 0 || patterns.length > 0) this.refresh([]);
  }

  /** More topics, to be kept in every later refresh until the next call. */
  watch(topics: readonly string[]): void {
    this.#watched = topics;
  }

  refresh(topics: readonly string[]): void {
    const asked = new Set([...this.#wanted, ...this.#watched, ...topics]);
    this.#refreshAt = Infinity;
    const isList = this.#patterns.length > 0;
    // All that there are hold the rest, and what is gone must not be asked for by name: the broker might make it again.
    this.#engine.cluster.refreshMetadata(isList ? this.#named : asked, isList).then(
      () => this.#onRefreshed(asked),
      (error: unknown) => {
        if (!this.#engine.isClosed) this.#engine.fail(toKafkaError(error));
      },
    );
  }

  deadline(): number {
    return this.#refreshAt;
  }

  tick(now: number): void {
    if (now >= this.#refreshAt) this.refresh([]);
  }

  #onRefreshed(asked: ReadonlySet<string>): void {
    if (this.#engine.isClosed) return;
    const { metadataMaxAgeMs, retryBackoffMs, retryBackoffMaxMs } = this.#engine.settings;
    const isDoubtful = this.#match();
    const isMissing = this.#checkWanted() || isDoubtful;
    this.#missingRounds = isMissing ? this.#missingRounds + 1 : 0;
    const waitMs = isMissing
      ? backoffMs(this.#missingRounds - 1, retryBackoffMs, retryBackoffMaxMs, Math.random())
      : metadataMaxAgeMs;
    this.#refreshAt = this.#engine.now() + waitMs;
    this.#onChanged(new Set([...asked, ...this.#wanted]));
    this.#engine.step();
  }

  /** What the patterns stand for by the newest list of topics. True where a topic is missing in it for the first time. */
  #match(): boolean {
    const { listed, doubtful, topics } = this.#engine.cluster.metadata;
    if (this.#patterns.length === 0 || listed === null) return false;
    const { excludeInternalTopics } = this.#engine.settings;
    const matched = [...listed].filter((name) => {
      if (excludeInternalTopics && topics.get(name)?.isInternal === true) return false;
      return this.#patterns.some((pattern) => pattern.test(name));
    });
    this.#wanted = new Set([...this.#named, ...matched]);
    const all = [...this.#wanted].sort();
    if (this.#matched !== all.join()) {
      this.#matched = all.join();
      this.#onMatched(all);
    }
    return matched.some((name) => doubtful.has(name));
  }

  /** True where a topic has an error that may pass: it is asked for again soon. */
  #checkWanted(): boolean {
    let isMissing = false;
    for (const name of this.#wanted) {
      const errorCode = this.#engine.cluster.metadata.topics.get(name)?.errorCode ?? 0;
      if (errorCode === 0) {
        this.#reported.delete(name);
        continue;
      }
      const error = kafkaErrorOf(errorCode, { api: 'Metadata', context: `topic '${name}'` });
      // What Kafka calls retriable is asked for again; UNKNOWN_TOPIC_OR_PARTITION is, for the topic may come.
      if (!error.retriable) this.#engine.fail(error);
      isMissing = true;
      if (errorCode !== ERROR_CODES.UNKNOWN_TOPIC_OR_PARTITION || this.#reported.has(name)) continue;
      this.#reported.add(name);
      this.#engine.emit({ type: 'trouble', error });
    }
    return isMissing;
  }
}
