import { FencedError } from '../errors.ts';
import type { Membership } from '../commit/committer.ts';
import { partitionKey, type TopicPartition } from '../fetch/partition.ts';
import type { CommitDriver } from './commit-driver.ts';
import type { EngineContext } from './engine-context.ts';

type Given = Membership & { partitions: readonly TopicPartition[] };
/** Not settled: one more follows. */
type Assigned = Given & { added: readonly TopicPartition[]; isSettled?: boolean };

/** In whose name is committed while the group gives and takes partitions, and what the application hears of it. */
export class CommitAuthority {
  readonly #engine: EngineContext;
  readonly #commits: CommitDriver;
  /** What the application is giving up. */
  #revoking: readonly TopicPartition[] = [];

  constructor(engine: EngineContext, commits: CommitDriver) {
    this.#engine = engine;
    this.#commits = commits;
  }

  revoke({ partitions, lost, memberId, generation }: Given & { lost: boolean }): void {
    this.#revoking = partitions;
    this.#commits.committer.revoking(partitions);
    if (lost) this.#lose();
    // A member that leaves in the middle of a rebalance commits for the generation that it is still in.
    else this.#commits.committer.setMembership({ memberId, generation });
    this.#engine.emit({ type: 'revoking', partitions, lost });
  }

  revoked(): void {
    this.#revoking = [];
    this.#commits.perform(this.#commits.committer.revoked());
  }

  assign({ partitions, added, memberId, generation, isSettled = true }: Assigned): void {
    // What this generation takes away is still ours to commit.
    const mine = [...partitions, ...this.#revoking];
    const owned = new Set(mine.map(({ topic, partition }) => partitionKey(topic, partition)));
    const isOwned = (topic: string, partition: number): boolean => owned.has(partitionKey(topic, partition));
    const { committer } = this.#commits;
    this.#commits.perform(committer.setMembership({ memberId, generation }, isOwned));
    this.#engine.emit({ type: 'assigned', partitions: added, isSettled, memberId, generation });
  }

  /** Until there is a generation again, commits wait. */
  suspend(): void {
    this.#commits.committer.setMembership(null);
  }

  /** Thrown out of the group: what was not committed by now will be consumed again by another member. */
  #lose(): void {
    const text = 'not committed: the group has gone on without this member';
    const error = new FencedError(text, { code: 25, name: 'UNKNOWN_MEMBER_ID', api: 'OffsetCommit' });
    this.#commits.perform(this.#commits.committer.expel(error));
  }
}
