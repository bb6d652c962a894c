import { toKafkaError, type KafkaError } from '../errors.ts';

interface Refresh {
  readonly topics: Set<string>;
  /** Every topic there is, besides. */
  isList: boolean;
  readonly done: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: KafkaError) => void;
}

export interface MetadataRefreshesOptions {
  /** Asks once. Rejects with what stands in the way; what is not retriable ends the refresh. */
  refresh: (topics: ReadonlySet<string>, isList: boolean) => Promise<void>;
  /**
   * It has failed and is tried again.
   *
   * @param failingMs for how long nothing else has come of it
   * @returns true to count from now on, for all that was known has been dropped
   */
  onFailed: (error: KafkaError, failingMs: number) => boolean;
  /** The wait before the next try. @param attempt 0 after the first failure */
  pause: (attempt: number) => Promise<void>;
}

/** One refresh of the metadata at a time. What is asked for meanwhile is asked together, next. */
export class MetadataRefreshes {
  readonly #options: MetadataRefreshesOptions;
  #queued: Refresh | null = null;
  #isRefreshing = false;
  #closed: KafkaError | null = null;

  constructor(options: MetadataRefreshesOptions) {
    this.#options = options;
  }

  /** Resolves once an answer is in, however long that takes. */
  ask(topics: Iterable<string>, isList: boolean): Promise<void> {
    if (this.#closed !== null) return Promise.reject(this.#closed);
    this.#queued ??= newRefresh();
    for (const topic of topics) this.#queued.topics.add(topic);
    this.#queued.isList ||= isList;
    const { done } = this.#queued;
    if (!this.#isRefreshing) void this.#refreshAll();
    return done;
  }

  close(error: KafkaError): void {
    this.#closed = error;
    this.#queued?.reject(error);
    this.#queued = null;
  }

  async #refreshAll(): Promise<void> {
    this.#isRefreshing = true;
    let attempt = 0;
    let failingSince = 0;
    while (this.#queued !== null) {
      const refresh: Refresh = this.#queued;
      this.#queued = null;
      try {
        await this.#options.refresh(refresh.topics, refresh.isList);
        attempt = 0;
        refresh.resolve();
      } catch (error) {
        const cause = toKafkaError(error);
        // What a person has to mend (credentials, permissions, a broker too old) ends the trying.
        if (this.#closed !== null || !cause.retriable) {
          refresh.reject(this.#closed ?? cause);
          continue;
        }
        if (attempt === 0) failingSince = performance.now();
        if (this.#options.onFailed(cause, performance.now() - failingSince)) failingSince = performance.now();
        this.#queued = mergeRefresh(refresh, this.#queued);
        await this.#options.pause(attempt++).catch(() => undefined);
        // close() has rejected what was queued meanwhile, or could not see this one: do it here.
        if (this.#closed !== null) this.close(this.#closed);
      }
    }
    this.#isRefreshing = false;
  }
}

function newRefresh(): Refresh {
  let resolve: () => void = () => undefined;
  let reject: (error: KafkaError) => void = () => undefined;
  const done = new Promise<void>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { topics: new Set(), isList: false, done, resolve, reject };
}

/** What failed is asked again together with what was asked for since; both askers hear of the one answer. */
function mergeRefresh(failed: Refresh, queued: Refresh | null): Refresh {
  if (queued === null) return failed;
  for (const topic of queued.topics) failed.topics.add(topic);
  failed.isList ||= queued.isList;
  failed.done.then(queued.resolve, queued.reject);
  return failed;
}
