import { toKafkaError } from '../errors.ts';
import { backoffMs } from '../backoff.ts';
import { kafkaErrorOf } from '../protocol/error-codes.ts';
import { fateOf } from '../protocol/error-fates.ts';
import type { EngineContext } from './engine-context.ts';
import { METADATA_FATES } from './metadata-fates.ts';

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
  /** The error that each topic has had last, as it was told. */
  #reported = new Map<string, number>();
  #refused = new Set<string>();
  /** What was asked for and has not been answered: whoever asks for more meanwhile waits for the same answer. */
  #pending: { readonly answer: Promise<void>; readonly topics: Set<string> } | null = null;

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
    for (const name of [...this.#refused]) this.#accepted(name);
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
    const answer = this.#engine.cluster.refreshMetadata(isList ? this.#named : asked, isList);
    if (this.#pending?.answer === answer) {
      for (const topic of asked) this.#pending.topics.add(topic);
      return;
    }
    const pending = { answer, topics: asked };
    this.#pending = pending;
    answer.then(
      () => {
        if (this.#pending === pending) this.#pending = null;
        this.#onRefreshed(pending.topics);
      },
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
      const fate = errorCode === 0 ? null : fateOf(METADATA_FATES, errorCode);
      if (fate !== 'refuse') this.#accepted(name);
      if (fate === null) {
        this.#reported.delete(name);
        continue;
      }
      isMissing = true;
      if (fate === 'retry') continue;
      const error = kafkaErrorOf(errorCode, { api: 'Metadata', context: `topic '${name}'` });
      const isNews = this.#reported.get(name) !== errorCode;
      this.#reported.set(name, errorCode);
      if (fate === 'refuse') {
        this.#refused.add(name);
        const message = `${error.message}; it is asked again until it is granted`;
        if (isNews) this.#engine.emit({ type: 'log', level: 'warn', message });
        this.#engine.emit({ type: 'refused', what: refusalOf(name), error });
      } else if (isNews) this.#engine.emit({ type: 'trouble', error });
    }
    return isMissing;
  }

  /** Nobody needs to be told of it any more. */
  #accepted(name: string): void {
    if (this.#refused.delete(name)) this.#engine.emit({ type: 'refused', what: refusalOf(name), error: null });
  }
}

function refusalOf(topic: string): string {
  return `metadata of topic '${topic}'`;
}
