import { CorruptRecordError, type KafkaError } from '../errors.ts';
import { ERROR_CODES, kafkaErrorOf } from '../protocol/error-codes.ts';
import { fateOf, type ErrorFates } from '../protocol/error-fates.ts';
import type { FetchFate } from './fates.ts';
import type { Fetcher } from './fetcher.ts';
import type { FetchAction, PartitionState } from './partition.ts';
import { outOfRange } from './positions.ts';

/** A failure that usually passes within moments is told when it goes on for so many tries. */
const FAILURES_BEFORE_TOLD = 10;
/** Records that were damaged on the way are whole when they come again. */
const TRIES_FOR_CORRUPT = 3;

/** What one response brings about. What its partitions have in common is told, and asked for, once. */
export class Outcome {
  readonly fetcher: Fetcher;
  readonly now: number;
  readonly actions: FetchAction[] = [];
  readonly #api: string;
  #topics = new Set<string>();
  #told = new Map<number, { isMissing: boolean; states: PartitionState[] }>();
  #refused = new Map<string, KafkaError>();

  constructor(fetcher: Fetcher, api: string, now: number) {
    this.fetcher = fetcher;
    this.#api = api;
    this.now = now;
  }

  push(action: FetchAction): void {
    this.actions.push(action);
  }

  /** Follows the verdict on an error code. `none` is the caller's. */
  judge(fates: ErrorFates<FetchFate>, state: PartitionState, code: number): FetchFate {
    const fate = fateOf(fates, code);
    const { fetcher, now } = this;
    if (state.hasAskedFollower && fate !== 'reset') state.readReplica = -1;
    switch (fate) {
      case 'none':
        break;
      case 'reset':
        outOfRange(fetcher, state, now, this.actions);
        break;
      case 'session':
        // At once; a broker that refuses that one as well is not asked at the speed of the network.
        if (state.failures > 0) fetcher.retryLater(state, now, false);
        else state.failures++;
        break;
      case 'refresh':
        this.#topics.add(state.topic);
        if (!isNewerLeaderKnown(fetcher, state)) this.#retry(state, code, true);
        break;
      case 'missing':
        this.#tell(state, code, true);
        this.retryWithMetadata(state);
        break;
      case 'warn':
        this.#tell(state, code, false);
        fetcher.retryLater(state, now, false);
        break;
      case 'retry':
      case 'coordinator':
      case 'fence':
        this.#retry(state, code, false);
        break;
      case 'refuse':
        this.#refuseCode(state, code);
        break;
      case 'corrupt':
        this.corrupt(state, this.#corruptError(state, code));
        break;
    }
    return fate;
  }

  retryWithMetadata(state: PartitionState): void {
    this.fetcher.retryLater(state, this.now, true);
    this.needMetadata(state);
  }

  /** Nothing is asked again before new metadata is there. */
  needMetadata(state: PartitionState): void {
    state.needsMetadata = true;
    this.#topics.add(state.topic);
  }

  /** Thrown to one read, and asked again. @param what of which one error is enough */
  refuse(state: PartitionState, what: string, error: KafkaError): void {
    if (!state.hasWarned && !this.#refused.has(what))
      this.push({ type: 'log', level: 'warn', message: `${error.message}; it is asked again until it is granted` });
    state.hasWarned = true;
    state.refusedAs = what;
    this.#refused.set(what, error);
    this.fetcher.retryLater(state, this.now, false);
    const { topic, partition, epoch } = state;
    this.push({ type: 'partitionRefused', topic, partition, epoch, error });
  }

  /** Damaged records: fetched again before that is an error. */
  corrupt(state: PartitionState, error: KafkaError): void {
    if (state.corruptions++ < TRIES_FOR_CORRUPT) this.fetcher.backOff(state, state.corruptions - 1, this.now);
    else this.refuse(state, state.name, error);
  }

  /** A response without an error. */
  accepted(state: PartitionState): void {
    if (state.refusedAs === null) return;
    const { topic, partition, epoch, refusedAs: what } = state;
    state.refusedAs = null;
    this.push({ type: 'partitionRefused', topic, partition, epoch, error: null });
    this.push({ type: 'refused', what, error: null });
  }

  end(): FetchAction[] {
    for (const [code, { isMissing, states }] of this.#told) {
      const [first] = states;
      const others = states.length > 1 ? ` and ${states.length - 1} more partitions` : '';
      const error = this.#errorOf(code, `${first?.name ?? ''}${others}`);
      const message = `${error.message}; asking for metadata until it is there`;
      this.push(isMissing ? { type: 'log', level: 'warn', message } : { type: 'trouble', error });
    }
    for (const [what, error] of this.#refused) this.push({ type: 'refused', what, error });
    if (this.#topics.size > 0) this.push({ type: 'refreshMetadata', topics: [...this.#topics] });
    return this.actions;
  }

  #retry(state: PartitionState, code: number, needsMetadata: boolean): void {
    this.fetcher.retryLater(state, this.now, needsMetadata);
    if (state.failures >= FAILURES_BEFORE_TOLD) this.#tell(state, code, false);
  }

  /** Once, until a response without an error. */
  #tell(state: PartitionState, code: number, isMissing: boolean): void {
    if (state.hasWarned) return;
    state.hasWarned = true;
    const told = this.#told.get(code);
    if (told === undefined) this.#told.set(code, { isMissing, states: [state] });
    else told.states.push(state);
  }

  /** What is refused is a topic or a group: one error for all of its partitions. */
  #refuseCode(state: PartitionState, code: number): void {
    const isGroups = state.stage === 'committed' && code !== ERROR_CODES.TOPIC_AUTHORIZATION_FAILED;
    const what = isGroups ? `group, ${code}` : `topic '${state.topic}', ${code}`;
    const known = this.#refused.get(what);
    this.refuse(state, what, known ?? this.#errorOf(code, state.name));
  }

  #corruptError(state: PartitionState, code: number): KafkaError {
    const { topic, partition, position: offset } = state;
    return new CorruptRecordError(this.#errorOf(code, state.name).message, { topic, partition, offset });
  }

  #errorOf(code: number, context: string): KafkaError {
    return kafkaErrorOf(code, { api: this.#api, context });
  }
}

/** The response has named the new leader (KIP-951), or metadata has come meanwhile: it is asked at once. */
function isNewerLeaderKnown(fetcher: Fetcher, state: PartitionState): boolean {
  const { leader, leaderEpoch } = fetcher.leaderOf(state);
  return leader >= 0 && leaderEpoch > state.askedEpoch;
}
