import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JoinResult, SyncResult } from '../../../src/testing/groups/classic-messages.ts';
import { ClassicRig, REBALANCE_MS, SESSION_MS, type Asked } from './classic-rig.ts';

const PARTITIONS = 6;
const BEAT_MS = 100;

/** A member as a client would be: one thing after the other, by the answers that it gets. */
class Client {
  readonly #rig: ClassicRig;
  readonly #groupInstanceId: string | null;
  memberId = '';
  generation = -1;
  owned: number[] = [];
  join: Asked<JoinResult> | null = null;
  sync: Asked<SyncResult> | null = null;
  isAlive = false;

  constructor(rig: ClassicRig, groupInstanceId: string | null) {
    this.#rig = rig;
    this.#groupInstanceId = groupInstanceId;
  }

  start(): void {
    if (this.isAlive) return;
    this.isAlive = true;
    this.#forget();
    this.#join();
  }

  /** Says nothing any more; what waits of it is lost. */
  die(): void {
    this.isAlive = false;
    this.join = null;
    this.sync = null;
  }

  leave(): void {
    if (!this.isAlive) return;
    if (this.memberId !== '') this.#rig.leave(this.memberId, this.#groupInstanceId);
    this.die();
    this.owned = [];
  }

  step(): void {
    if (!this.isAlive) return;
    if (this.join !== null) this.#onJoin(this.join);
    else if (this.sync !== null) this.#onSync(this.sync);
    else this.#onCode(this.#rig.beat(this.memberId, this.generation, this.#groupInstanceId));
  }

  #join(): void {
    this.owned = [];
    this.join = this.#rig.join({
      memberId: this.memberId,
      groupInstanceId: this.#groupInstanceId,
      requiresKnownMemberId: true,
    });
  }

  #onJoin({ result }: Asked<JoinResult>): void {
    if (result === null) return;
    this.join = null;
    if (result.errorCode === 79) this.memberId = result.memberId;
    if (result.errorCode !== 0) return this.#onCode(result.errorCode);
    expect(result.generationId).toBeGreaterThanOrEqual(this.generation);
    this.memberId = result.memberId;
    this.generation = result.generationId;
    const isLeader = result.leader === result.memberId && !result.skipAssignment;
    const ids = result.members.map(({ memberId }) => memberId);
    if (isLeader) expect(ids).toContain(this.memberId);
    const assignments = ids.map((memberId, index) => {
      const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partition).filter(
        (each) => each % ids.length === index,
      );
      return { memberId, assignment: Buffer.from(JSON.stringify(partitions)) };
    });
    this.sync = this.#rig.sync(this.memberId, this.generation, {
      groupInstanceId: this.#groupInstanceId,
      assignments: isLeader ? assignments : [],
    });
  }

  #onSync({ result }: Asked<SyncResult>): void {
    if (result === null) return;
    this.sync = null;
    if (result.errorCode !== 0) return this.#onCode(result.errorCode);
    this.owned = result.assignment.length === 0 ? [] : (JSON.parse(result.assignment.toString()) as number[]);
  }

  #onCode(errorCode: number): void {
    if (errorCode === 0) return;
    if (errorCode === 82) return this.die();
    if (errorCode === 25) this.#forget();
    this.#join();
  }

  #forget(): void {
    this.memberId = '';
    this.generation = -1;
    this.owned = [];
  }
}

type Action =
  { who: number; what: 'start' | 'step' | 'die' | 'leave' } | { what: 'pass'; ms: number } | { what: 'move' };

const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ who: fc.nat(3), what: fc.constantFrom('step', 'start') }) },
  { weight: 2, arbitrary: fc.record({ who: fc.nat(3), what: fc.constantFrom('die', 'leave') }) },
  { weight: 4, arbitrary: fc.record({ what: fc.constant('pass' as const), ms: fc.nat(SESSION_MS) }) },
  { weight: 1, arbitrary: fc.constant({ what: 'move' as const }) },
);

function checkOwners({ group }: ClassicRig, clients: readonly Client[]): void {
  const members = new Set(group.members.map(({ id }) => id));
  const owners = clients.filter(
    ({ memberId, generation }) => members.has(memberId) && generation === group.generation.id,
  );
  const owned = owners.flatMap((client) => client.owned);
  expect(new Set(owned).size).toBe(owned.length);
}

describe('a classic group in any history', () => {
  it('has one owner for a partition, generations that rise, and an answer for everybody', { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 80 }), fc.boolean(), (actions, isStatic) => {
        const rig = new ClassicRig();
        const clients = Array.from(
          { length: 4 },
          (_, index) => new Client(rig, isStatic && index < 2 ? `i${index}` : null),
        );
        let generation = 0;
        for (const each of actions) {
          if (each.what === 'pass') rig.pass(each.ms);
          else if (each.what === 'move') {
            rig.group.move(rig.now);
            rig.settle();
            generation = rig.group.generation.id;
          } else clients[each.who]?.[each.what]();
          expect(rig.group.generation.id).toBeGreaterThanOrEqual(generation);
          generation = rig.group.generation.id;
          checkOwners(rig, clients);
        }
        // Now all who are there behave: within a session and a rebalance they must all be served.
        for (let ms = 0; ms < SESSION_MS + 2 * REBALANCE_MS; ms += BEAT_MS) {
          for (const client of clients) client.step();
          rig.pass(BEAT_MS);
          checkOwners(rig, clients);
        }
        const alive = clients.filter(({ isAlive }) => isAlive);
        expect(rig.group.state).toBe(alive.length === 0 ? 'Empty' : 'Stable');
        expect(alive.map(({ join, sync }) => [join, sync])).toEqual(alive.map(() => [null, null]));
        expect(rig.group.members).toHaveLength(alive.length);
        const owned = alive.flatMap((client) => client.owned).sort();
        expect(owned).toEqual(alive.length === 0 ? [] : [0, 1, 2, 3, 4, 5]);
      }),
      { numRuns: 300 },
    );
  });
});
