import { Committer, type CommitAction } from '../commit/committer.ts';
import { COMMITTED_FATES } from '../commit/fates.ts';
import { TOPIC_PATIENCE_MS } from '../commit/missing-topics.ts';
import { FencedError, toKafkaError, type KafkaError } from '../errors.ts';
import type { CommittedAnswer } from '../fetch/answers.ts';
import type { TopicPartition } from '../fetch/partition.ts';
import { Pauses } from '../network/pauses.ts';
import { offsetCommit } from '../protocol/api/offset-commit.ts';
import { offsetFetch, type OffsetFetchRequest } from '../protocol/api/offset-fetch.ts';
import { ERROR_CODES, kafkaErrorOf } from '../protocol/error-codes.ts';
import { fateOf } from '../protocol/error-fates.ts';
import type { EngineContext } from './engine-context.ts';
import type { CommittedOffset } from './port.ts';
import * as requests from './requests.ts';

/** The member that asked is another by now (KIP-848). */
const EPOCH_ERRORS: readonly number[] = [ERROR_CODES.UNKNOWN_MEMBER_ID, ERROR_CODES.STALE_MEMBER_EPOCH];

/** Turns what the committer decides into requests, and asks for what is committed. */
export class CommitDriver {
  readonly committer: Committer;
  #engine: EngineContext;
  #pauses = new Pauses();
  #onFenced: (errorCode: number, membership: { generation: number; memberId: string }) => void;

  /** @param onFenced an OffsetCommit was answered with a code that is the group machine's affair */
  constructor(
    engine: EngineContext,
    onFenced: (errorCode: number, membership: { generation: number; memberId: string }) => void,
  ) {
    this.#engine = engine;
    this.#onFenced = onFenced;
    this.committer = new Committer({ ...engine.settings, random: Math.random });
  }

  tick(now: number): void {
    this.perform(this.committer.plan(now));
  }

  perform(actions: readonly CommitAction[]): void {
    for (const action of actions) {
      switch (action.type) {
        case 'sendCommit':
          void this.#sendCommit(action);
          break;
        case 'coordinatorLost':
          this.#engine.coordinator.forget();
          break;
        case 'fenced':
          this.#onFenced(action.errorCode, action.membership);
          break;
        case 'log':
          this.#engine.emit(action);
          break;
        case 'commitDone':
          this.#engine.emit({ type: 'committed', id: action.id, committed: action.committed, error: action.error });
          break;
      }
    }
  }

  /** For `committed()`: asks until an answer is in or the time is up, and emits it. */
  async fetchCommitted(id: number, partitions: readonly TopicPartition[], deadline: number): Promise<void> {
    const engine = this.#engine;
    try {
      const offsets = await this.#retried(deadline, () => askCommitted(engine, partitions));
      engine.emit({ type: 'committedOffsets', id, offsets, error: null });
    } catch (error) {
      engine.emit({ type: 'committedOffsets', id, offsets: [], error: toKafkaError(error) });
    }
  }

  close(error: KafkaError): void {
    this.perform(this.committer.failAll(error));
    this.#pauses.end(error);
  }

  async #retried(
    deadline: number,
    ask: () => Promise<(CommittedAnswer & CommittedOffset)[]>,
  ): Promise<CommittedOffset[]> {
    // A topic that was just made is heard of late; nothing is committed of one that is not there.
    const missingBy = this.#engine.now() + TOPIC_PATIENCE_MS;
    for (;;) {
      let failure: KafkaError;
      let mayRetry: boolean;
      try {
        const offsets = await ask();
        const codes = offsets.map(({ errorCode }) => errorCode).filter((errorCode) => errorCode !== 0);
        const code = codes.find((each) => fateOf(COMMITTED_FATES, each) === 'final') ?? codes[0];
        if (code === undefined) {
          requests.mustBeExact(offsets);
          return offsets;
        }
        const failed = offsets.filter(({ errorCode }) => errorCode === code);
        const context = failed.map(({ topic, partition }) => `${topic}-${partition}`).join(', ');
        failure = kafkaErrorOf(code, { api: 'OffsetFetch', context });
        const fate = fateOf(COMMITTED_FATES, code);
        mayRetry = fate === 'topic' ? this.#engine.now() < missingBy : fate !== 'final';
      } catch (error) {
        failure = toKafkaError(error);
        mayRetry = failure.retriable;
      }
      if (!mayRetry || this.#engine.now() >= deadline) throw failure;
      await this.#pauses.wait(this.#engine.settings.retryBackoffMs);
    }
  }

  async #sendCommit(action: CommitAction & { type: 'sendCommit' }): Promise<void> {
    const { coordinator, settings } = this.#engine;
    let actions: readonly CommitAction[];
    try {
      const isMember = action.membership.generation >= 0;
      const group = { groupId: settings.groupId ?? '', groupInstanceId: isMember ? settings.groupInstanceId : null };
      const request = requests.offsetCommitRequest(group, action.membership, action.offsets);
      const response = await coordinator.send(offsetCommit, request, {
        maxVersion: requests.LAST_VERSION_WITH_TOPIC_NAMES,
      });
      actions = this.committer.answered(action.requestId, requests.readOffsetCommit(response), this.#engine.now());
    } catch (error) {
      actions = this.committer.failed(action.requestId, toKafkaError(error), this.#engine.now());
    }
    if (this.#engine.isClosed) return;
    this.perform(actions);
    this.#engine.step();
  }
}

/**
 * One OffsetFetch; error codes are in the answers.
 * @throws FencedError, retriable, where the epoch has changed or the membership is gone: the group machine finds out which
 */
export async function askCommitted(
  engine: EngineContext,
  partitions: readonly TopicPartition[],
): Promise<(CommittedAnswer & CommittedOffset)[]> {
  const { coordinator, settings, identity } = engine;
  const maxVersion = requests.LAST_VERSION_WITH_TOPIC_NAMES;
  const { groupId, isolationLevel } = settings;
  const request = (version: number): OffsetFetchRequest =>
    requests.offsetFetchRequest(groupId ?? '', partitions, isolationLevel, version, identity);
  const answer = requests.readOffsetFetch(partitions, await coordinator.lookUp(offsetFetch, request, { maxVersion }));
  const { groupErrorCode } = answer;
  if (groupErrorCode === ERROR_CODES.COORDINATOR_NOT_AVAILABLE || groupErrorCode === ERROR_CODES.NOT_COORDINATOR)
    coordinator.forget();
  if (identity !== null && EPOCH_ERRORS.includes(groupErrorCode)) {
    engine.fenced(groupErrorCode, identity);
    const { name, message } = kafkaErrorOf(groupErrorCode, { api: 'OffsetFetch' });
    throw new FencedError(message, { code: groupErrorCode, name, api: 'OffsetFetch', retriable: true });
  }
  return answer.offsets;
}
