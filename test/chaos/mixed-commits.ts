import { setTimeout as sleep } from 'node:timers/promises';
import { offsetFetch } from '../../src/protocol/api/offset-fetch.ts';
import { ERROR_CODES } from '../../src/protocol/error-codes.ts';
import { TestConnection } from '../harness/connection.ts';
import type { Commit } from './mixed.ts';

const EVERY_MS = 200;

/** What a group has committed, asked again and again: members that commit by themselves do not tell. */
export class CommitWatch {
  readonly commits: Commit[] = [];
  readonly #groupId: string;
  readonly #addresses: readonly string[];
  readonly #known = new Map<number, number>();
  readonly #done: Promise<void>;
  #isStopping = false;

  constructor(bootstrapServers: string, groupId: string) {
    this.#groupId = groupId;
    this.#addresses = bootstrapServers.split(',');
    this.#done = this.#watch();
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#done;
  }

  /** Each broker in its turn: those that do not coordinate, or are away, are passed over. */
  async #watch(): Promise<void> {
    let connection: TestConnection | undefined;
    for (let turn = 0; !this.#isStopping;) {
      try {
        if (connection?.isOpen !== true) {
          const [host = '', port] = (this.#addresses[turn % this.#addresses.length] ?? '').split(':');
          connection = await TestConnection.open(host, Number(port));
        }
        if (!(await this.#ask(connection))) throw new Error('not the coordinator');
      } catch {
        connection?.close();
        connection = undefined;
        turn++;
      }
      await sleep(EVERY_MS);
    }
    connection?.close();
  }

  async #ask(connection: TestConnection): Promise<boolean> {
    const groups = [{ groupId: this.#groupId, memberId: null, memberEpoch: -1, topics: null }];
    const answer = await connection.send(offsetFetch, { groupId: '', topics: [], groups, requireStable: false });
    const atMs = Date.now();
    const [group] = answer.groups;
    if (group?.errorCode !== ERROR_CODES.NONE) return false;
    for (const { partitionIndex: partition, committedOffset } of group.topics.flatMap(({ partitions }) => partitions)) {
      const offset = committedOffset.toNumber();
      if (this.#known.get(partition) === offset) continue;
      this.#known.set(partition, offset);
      this.commits.push({ partition, offset, atMs });
    }
    return true;
  }
}
