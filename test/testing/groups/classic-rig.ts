import { ClassicGroup, type ClassicGroupOptions } from '../../../src/testing/groups/classic-group.ts';
import type { JoinEvent, JoinResult, SyncEvent, SyncResult } from '../../../src/testing/groups/classic-messages.ts';

export const SESSION_MS = 1000;
export const REBALANCE_MS = 5000;

export interface JoinOptions extends Partial<Omit<JoinEvent, 'type' | 'token'>> {
  metadata?: string;
  names?: readonly string[];
}

/** A request and, as soon as there is one, its answer. */
export interface Asked<T> {
  result: T | null;
}

/** A group whose time is a number, and whose answers are looked at by hand. */
export class ClassicRig {
  readonly group: ClassicGroup;
  now = 0;
  #lastToken = 0;
  #lastId = 0;
  readonly #asked = new Map<number, Asked<never>>();

  constructor(options: Partial<ClassicGroupOptions> = {}) {
    this.group = new ClassicGroup({
      initialRebalanceDelayMs: 0,
      maxSize: Infinity,
      newMemberId: (prefix) => `${prefix}-${++this.#lastId}`,
      ...options,
    });
  }

  join({ metadata = 'm', names = ['range'], ...options }: JoinOptions = {}): Asked<JoinResult> {
    return this.#ask((token) => {
      const event: JoinEvent = {
        type: 'join',
        token,
        memberId: '',
        groupInstanceId: null,
        clientId: 'c',
        clientHost: '/h',
        sessionTimeoutMs: SESSION_MS,
        rebalanceTimeoutMs: REBALANCE_MS,
        protocolType: 'consumer',
        protocols: names.map((name) => ({ name, metadata: Buffer.from(metadata) })),
        requiresKnownMemberId: false,
        canSkipAssignment: true,
        ...options,
      };
      this.group.join(event, this.now);
    });
  }

  sync(
    memberId: string,
    generationId: number,
    options: Partial<SyncEvent> & { all?: readonly string[] } = {},
  ): Asked<SyncResult> {
    const { all = [], ...rest } = options;
    return this.#ask((token) => {
      const assignments = all.map((id) => ({ memberId: id, assignment: Buffer.from(`for ${id}`) }));
      const common = { groupInstanceId: null, protocolType: null, protocolName: null };
      this.group.sync({ type: 'sync', token, memberId, generationId, ...common, assignments, ...rest }, this.now);
    });
  }

  beat(memberId: string, generationId = this.group.generation.id, groupInstanceId: string | null = null): number {
    const code = this.group.heartbeat({ memberId, groupInstanceId, generationId }, this.now);
    this.settle();
    return code;
  }

  commit(memberId: string, generationId = this.group.generation.id): number {
    return this.group.commit({ memberId, groupInstanceId: null, generationId }, this.now);
  }

  leave(memberId: string, groupInstanceId: string | null = null): number {
    const code = this.group.leave({ memberId, groupInstanceId }, this.now);
    this.settle();
    return code;
  }

  /** On to the next thing that happens by itself; by at most so much. */
  pass(ms: number): void {
    const end = this.now + ms;
    for (let at = this.group.deadline(); at <= end; at = this.group.deadline()) {
      this.now = Math.max(this.now, at);
      this.group.tick(this.now);
      this.settle();
    }
    this.now = end;
  }

  /** Members that have joined and synced; gives their ids. */
  stable(count: number, options: JoinOptions = {}): string[] {
    let ids: string[] = [];
    for (let i = 0; i < count; i++) {
      const added = this.join(options); // first: a leader that joins alone would be answered at once
      const asked = [...ids.map((memberId) => this.join({ ...options, memberId })), added];
      ids = asked.map(({ result }) => result?.memberId ?? '?');
      const generation = this.group.generation.id;
      for (const id of ids) this.sync(id, generation, id === this.group.generation.leader ? { all: ids } : {});
    }
    return ids;
  }

  settle(): void {
    for (const { token, result } of this.group.takeAnswers()) {
      const asked = this.#asked.get(token);
      if (asked === undefined) throw new Error(`a second answer to ${token}`);
      asked.result = result as never;
      this.#asked.delete(token);
    }
  }

  #ask<T>(send: (token: number) => void): Asked<T> {
    const token = ++this.#lastToken;
    const asked: Asked<T> = { result: null };
    this.#asked.set(token, asked as Asked<never>);
    send(token);
    this.settle();
    return asked;
  }
}
