import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConsumerRig, SESSION_MS } from './consumer-rig.ts';

/** A member as a client would be: gives back as soon as it can, then takes what is new, and says what it has with each heartbeat. */
class Client {
  readonly #rig: ConsumerRig;
  readonly id: string;
  epoch = 0;
  owned: number[] = [];
  #target: number[] = [];
  /** So many heartbeats go by before it gives back what it has to. */
  busy = 0;
  isAlive = false;
  /** The next heartbeat's answer gets lost on its way. */
  isDeaf = false;
  #hasFailed = false;

  constructor(rig: ConsumerRig, id: string) {
    this.#rig = rig;
    this.id = id;
  }

  start(): void {
    if (this.isAlive) return;
    this.isAlive = true;
    this.#reset();
    this.step();
  }

  die(): void {
    this.isAlive = false;
  }

  deafen(): void {
    this.isDeaf = true;
  }

  linger(): void {
    this.busy = 3;
  }

  leave(): void {
    if (this.isAlive) this.#rig.beat(this.id, -1);
    this.isAlive = false;
    this.owned = [];
  }

  step(): void {
    if (!this.isAlive) return;
    const topicPartitions = this.owned.length === 0 ? [] : [{ topicId: 'T', partitions: this.owned }];
    // After a failure a client says everything again, and is told everything.
    const all = this.#hasFailed ? { rebalanceTimeoutMs: 5000, subscribedTopicNames: ['t'] } : {};
    const answer =
      this.epoch === 0 ? this.#rig.join(this.id) : this.#rig.beat(this.id, this.epoch, { ...all, topicPartitions });
    this.#hasFailed = this.isDeaf;
    this.isDeaf = false;
    if (this.#hasFailed) return;
    if (answer.errorCode === 25 || answer.errorCode === 110) return this.#reset();
    expect(answer.errorCode).toBe(0);
    expect(answer.memberEpoch).toBeGreaterThanOrEqual(this.epoch);
    this.epoch = answer.memberEpoch;
    if (answer.assignment !== null) this.#target = answer.assignment.flatMap(({ partitions }) => partitions);
    if (this.owned.some((each) => !this.#target.includes(each))) {
      if (this.busy-- > 0) return;
      this.owned = this.owned.filter((each) => this.#target.includes(each));
    } else this.owned = this.#target;
  }

  #reset(): void {
    this.epoch = 0;
    this.owned = [];
    this.#target = [];
  }
}

type Action =
  | { what: 'start' | 'step' | 'die' | 'leave' | 'deafen' | 'linger'; who: number }
  | { what: 'pass' | 'grow'; ms: number };

const action = fc.oneof(
  { weight: 14, arbitrary: fc.record({ who: fc.nat(3), what: fc.constantFrom('step', 'start') }) },
  { weight: 3, arbitrary: fc.record({ who: fc.nat(3), what: fc.constantFrom('die', 'leave', 'deafen', 'linger') }) },
  { weight: 3, arbitrary: fc.record({ what: fc.constantFrom('pass', 'grow'), ms: fc.nat(SESSION_MS) }) },
) as fc.Arbitrary<Action>;

function checkOwners({ group }: ConsumerRig, clients: readonly Client[]): void {
  const members = new Set(group.members.map(({ id }) => id));
  const all = clients
    .filter(({ id, isAlive, epoch }) => isAlive && epoch > 0 && members.has(id))
    .flatMap(({ owned }) => owned);
  expect(new Set(all).size).toBe(all.length);
}

describe('a consumer group in any history', () => {
  it('never has two owners for a partition, epochs that rise, and comes to rest', () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 80 }), (actions) => {
        const rig = new ConsumerRig();
        const clients = ['a', 'b', 'c', 'd'].map((id) => new Client(rig, id));
        let epoch = 0;
        for (const each of actions) {
          if (each.what === 'pass') rig.pass(each.ms);
          else if (each.what === 'grow')
            rig.topics[0] = { id: 'T', name: 't', partitions: Math.min(9, (rig.topics[0]?.partitions ?? 0) + 1) };
          else if ('who' in each) clients[each.who]?.[each.what]();
          expect(rig.group.epoch).toBeGreaterThanOrEqual(epoch);
          epoch = rig.group.epoch;
          checkOwners(rig, clients);
        }
        for (let ms = 0; ms < 2 * SESSION_MS + 1000; ms += 100) {
          for (const client of clients) client.step();
          rig.pass(100);
          checkOwners(rig, clients);
        }
        const alive = clients.filter(({ isAlive }) => isAlive);
        expect(rig.group.members).toHaveLength(alive.length);
        expect(rig.group.state).toBe(alive.length === 0 ? 'Empty' : 'Stable');
        const all = Array.from({ length: rig.topics[0]?.partitions ?? 0 }, (_, partition) => partition);
        expect(alive.flatMap(({ owned }) => owned).sort((a, b) => a - b)).toEqual(alive.length === 0 ? [] : all);
      }),
      { numRuns: 300 },
    );
  });
});
