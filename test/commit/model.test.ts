import assert from 'node:assert/strict';
import fc from 'fast-check';
import { it } from 'vitest';
import { Committer, type CommitAction, type CommitPurpose, type OffsetToCommit } from '../../src/commit/committer.ts';
import { ConnectionError, FencedError, KafkaError } from '../../src/errors.ts';

/**
 * Random histories of a committer and the broker behind it, with three partitions that move to another owner and come back, some of which
 * cannot be committed for a while. After every single step:
 *
 * - one request at a time; what the broker holds of a partition never goes back, unless the application has sought back;
 * - what was asked for before a partition was given up is not sent after that;
 * - every call ends once, by its deadline, and nothing waits without a deadline; `async` ones in the order of the calls, and nothing that
 *   was called after one of them before it;
 * - whatever can be sent was sent: an offset that has to be tried again stops no other.
 *
 * SAMSA_HISTORIES=20000 for the long run.
 */
const HISTORIES = Number(process.env['SAMSA_HISTORIES'] ?? 3000);
const PARTITIONS = [0, 1, 2];
const CODES = [0, 0, 0, -1, 3, 7, 12, 14, 15, 16, 22, 25, 27, 28, 29, 82, 113, 9999];

type Step =
  | { do: 'commit'; purpose: CommitPurpose; partitions: number[]; timeoutMs: number }
  | { do: 'answer'; codes: number[] }
  | { do: 'lost'; isRetriable: boolean; hasArrived: boolean }
  | { do: 'suspend' | 'expel' | 'failAll' | 'revoked' }
  | { do: 'assign'; owned: number[] }
  | { do: 'revoke'; partitions: number[] }
  | { do: 'stick'; partition: number; code: number }
  | { do: 'seek'; partition: number }
  | { do: 'wait'; ms: number };

/** An offset, and how often its partition had been positioned when it was asked for. */
interface Asked {
  readonly call: number;
  readonly era: number;
}

interface Call {
  readonly purpose: CommitPurpose;
  readonly deadline: number;
  readonly offsets: readonly OffsetToCommit[];
  /** The partitions of which it, or something newer that stands for it, was sent, or will never be. */
  readonly sent: Set<number>;
}

interface Partition {
  isOwned: boolean;
  position: number;
  era: number;
  /** By the broker. */
  committed: number;
  committedEra: number;
  /** What the committer was told of that. */
  acknowledged: number;
  acknowledgedEra: number;
  /** Calls up to here are of an earlier ownership. */
  lastForeignCall: number;
  /** Its fate as long as it is stuck; 0 for none. */
  stuckWith: number;
}

class Model {
  readonly #committer = new Committer({ retryBackoffMs: 100, retryBackoffMaxMs: 1000, random: () => 0.5 });
  readonly #partitions: Partition[] = PARTITIONS.map(() => ({
    isOwned: true,
    position: 10,
    era: 0,
    committed: -1,
    committedEra: -1,
    acknowledged: -1,
    acknowledgedEra: -1,
    lastForeignCall: 0,
    stuckWith: 0,
  }));
  readonly #asked = new Map<OffsetToCommit, Asked>();
  /** These the broker has read already. */
  readonly #arrived = new Set<OffsetToCommit>();
  readonly #open = new Map<number, Call>();
  #now = 0;
  #lastId = 0;
  #generation = 1;
  #isMember = false;
  #revoking: number[] = [];
  #inFlight: (CommitAction & { type: 'sendCommit' }) | null = null;

  step(step: Step): void {
    const committer = this.#committer;
    switch (step.do) {
      case 'commit':
        this.#commit(step.purpose, step.partitions, step.timeoutMs);
        break;
      case 'answer':
        this.#answer(step.codes);
        break;
      case 'lost': {
        const request = this.#answered();
        if (request === null) break;
        if (step.hasArrived) for (const offset of request.offsets) this.#arrive(offset);
        const error = step.isRetriable ? new ConnectionError('reset') : new KafkaError('no');
        this.#take(committer.failed(request.requestId, error, this.#now));
        break;
      }
      case 'suspend':
        this.#isMember = false;
        this.#take(committer.setMembership(null));
        break;
      case 'assign': {
        this.#isMember = true;
        const membership = { memberId: 'm', generation: ++this.#generation };
        const keeps = (partition: number): boolean =>
          step.owned.includes(partition) || this.#revoking.includes(partition);
        this.#take(committer.setMembership(membership, (_, partition) => keeps(partition)));
        for (const partition of PARTITIONS) if (!keeps(partition)) this.#giveAway(partition);
        for (const partition of step.owned) this.#own(partition);
        break;
      }
      case 'revoke':
        if (!this.#isMember || this.#revoking.length > 0) break;
        this.#revoking = step.partitions.filter((partition) => this.#partitions[partition]?.isOwned === true);
        committer.revoking(this.#revoking.map((partition) => ({ topic: 't', partition })));
        this.#commit('revoke', this.#revoking, 2000);
        break;
      case 'revoked':
        this.#take(committer.revoked());
        for (const partition of this.#revoking) this.#giveAway(partition);
        this.#revoking = [];
        break;
      case 'expel':
        this.#isMember = false;
        this.#take(committer.expel(new FencedError('gone')));
        for (const partition of PARTITIONS) this.#giveAway(partition);
        break;
      case 'failAll':
        this.#take(committer.failAll(new ConnectionError('closed')));
        break;
      case 'stick':
        this.#of(step.partition).stuckWith = step.code;
        break;
      case 'seek': {
        const state = this.#of(step.partition);
        if (!state.isOwned) break;
        state.position = 10;
        state.era++;
        committer.positioned('t', step.partition);
        break;
      }
      case 'wait':
        this.#now += step.ms;
    }
    this.#take(committer.plan(this.#now));
    this.#check();
  }

  /** Answers everything well; in the end nobody waits. */
  settle(): void {
    for (const partition of PARTITIONS) this.step({ do: 'stick', partition, code: 0 });
    this.step({ do: 'revoked' });
    this.step({ do: 'assign', owned: PARTITIONS });
    for (let i = 0; this.#open.size > 0; i++) {
      assert.ok(i < 200, 'somebody waits for ever');
      if (this.#inFlight !== null) this.step({ do: 'answer', codes: [0] });
      else this.step({ do: 'wait', ms: this.#committer.deadline() - this.#now });
    }
  }

  #of(partition: number): Partition {
    const state = this.#partitions[partition];
    assert.ok(state !== undefined);
    return state;
  }

  #commit(purpose: CommitPurpose, partitions: number[], timeoutMs: number): void {
    const call = ++this.#lastId;
    const offsets: OffsetToCommit[] = [];
    for (const partition of partitions) {
      const state = this.#of(partition);
      if (!state.isOwned) continue;
      const offset = { topic: 't', partition, offset: ++state.position, leaderEpoch: -1, metadata: '' };
      this.#asked.set(offset, { call, era: state.era });
      offsets.push(offset);
    }
    // `defaultApiTimeoutMs` for each of them: they run out in the order of the calls.
    const deadline = this.#now + (purpose === 'async' ? 10_000 : timeoutMs);
    this.#open.set(call, { purpose, deadline, offsets, sent: new Set() });
    this.#committer.commit({ id: call, offsets, deadline, purpose });
  }

  #answer(codes: readonly number[]): void {
    const request = this.#answered();
    if (request === null) return;
    const answers = request.offsets.map((offset, index) => {
      const state = this.#of(offset.partition);
      const errorCode = state.stuckWith || (codes[index % codes.length] ?? 0);
      if (errorCode !== 0) return { ...offset, errorCode };
      this.#arrive(offset);
      state.acknowledged = offset.offset;
      state.acknowledgedEra = this.#asked.get(offset)?.era ?? -1;
      return { ...offset, errorCode };
    });
    this.#take(this.#committer.answered(request.requestId, answers, this.#now));
  }

  #arrive(offset: OffsetToCommit): void {
    const state = this.#of(offset.partition);
    const { era = -1 } = this.#asked.get(offset) ?? {};
    if (this.#arrived.has(offset)) return;
    const isBack = era < state.committedEra || (era === state.committedEra && offset.offset < state.committed);
    assert.ok(!isBack, `t-${offset.partition} went back from ${state.committed} to ${offset.offset}`);
    state.committed = offset.offset;
    state.committedEra = era;
  }

  #giveAway(partition: number): void {
    const state = this.#of(partition);
    // The broker reads what is under way before it hears that the partition was given up: all goes over one connection.
    for (const offset of this.#inFlight?.offsets ?? []) {
      if (offset.partition !== partition || !state.isOwned) continue;
      this.#arrive(offset);
      this.#arrived.add(offset);
    }
    for (const { sent } of this.#open.values()) sent.add(partition); // decided on
    state.isOwned = false;
    state.lastForeignCall = this.#lastId;
    state.committed += 1000; // by the new owner
    state.committedEra = state.era;
  }

  #own(partition: number): void {
    const state = this.#of(partition);
    if (state.isOwned) return;
    state.isOwned = true;
    state.era++;
    state.committedEra = state.era;
    state.position = state.committed;
    this.#committer.positioned('t', partition);
  }

  #answered(): (CommitAction & { type: 'sendCommit' }) | null {
    const request = this.#inFlight;
    this.#inFlight = null;
    return request;
  }

  #take(actions: readonly CommitAction[]): void {
    for (const action of actions) {
      if (action.type === 'commitDone') this.#ended(action);
      else if (action.type === 'sendCommit') this.#sent(action);
    }
  }

  #ended({ id, committed, error }: CommitAction & { type: 'commitDone' }): void {
    const call = this.#open.get(id);
    assert.ok(call !== undefined, `call ${id} is settled twice`);
    this.#open.delete(id);
    for (const offset of committed) assert.ok(this.#asked.has(offset));
    if (error === null && call.purpose !== 'revoke')
      for (const offset of call.offsets) assert.ok(call.sent.has(offset.partition) || this.#isCovered(offset));
    if (this.#now >= call.deadline || error instanceof FencedError || error instanceof ConnectionError) return;
    for (const [other, { purpose }] of this.#open)
      assert.ok(purpose !== 'async' || other > id, `call ${id} has overtaken ${other}`);
  }

  #sent(action: CommitAction & { type: 'sendCommit' }): void {
    assert.equal(this.#inFlight, null, 'two requests at a time');
    assert.ok(action.offsets.length > 0, 'a request about nothing');
    assert.equal(action.membership.generation, this.#generation);
    this.#inFlight = action;
    for (const offset of action.offsets) {
      const { call = -1 } = this.#asked.get(offset) ?? {};
      const { lastForeignCall } = this.#of(offset.partition);
      assert.ok(call > lastForeignCall, `t-${offset.partition} was given up before it was sent`);
      for (const { offsets, sent } of this.#open.values())
        if (offsets.some(({ partition }) => partition === offset.partition)) sent.add(offset.partition);
    }
  }

  /** More than that is committed, and the committer knows. */
  #isCovered(offset: OffsetToCommit): boolean {
    const { acknowledged, acknowledgedEra } = this.#of(offset.partition);
    return this.#asked.get(offset)?.era === acknowledgedEra && offset.offset < acknowledged;
  }

  #check(): void {
    const committer = this.#committer;
    for (const [id, { purpose, deadline, offsets, sent }] of this.#open) {
      assert.ok(this.#now < deadline, `call ${id} is past its deadline`);
      assert.ok(committer.deadline() <= deadline);
      // Without a generation these fail at once; they may have to wait for another to end.
      if (!this.#isMember && purpose !== 'call' && purpose !== 'close')
        for (const { partition } of offsets) sent.add(partition);
      if (this.#inFlight !== null || !this.#isMember) continue;
      for (const offset of offsets)
        assert.ok(sent.has(offset.partition) || this.#isCovered(offset), `call ${id} is held up by another`);
    }
    // A deadline in the past with nothing to do would make the driver turn in circles.
    assert.ok(committer.deadline() > this.#now || committer.plan(this.#now).length > 0);
    assert.equal(committer.isIdle, this.#open.size === 0);
  }
}

const partition = fc.nat(2);
const partitions = fc.uniqueArray(partition, { minLength: 1 });
const purpose = fc.constantFrom<CommitPurpose>('call', 'call', 'async', 'async', 'auto', 'close');
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('commit' as const),
      purpose,
      partitions: fc.uniqueArray(partition),
      timeoutMs: fc.constantFrom(0, 100, 500, 60_000, 60_000),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('answer' as const),
      codes: fc.array(fc.constantFrom(...CODES), { minLength: 1, maxLength: 3 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('lost' as const), isRetriable: fc.boolean(), hasArrived: fc.boolean() }),
  },
  fc.record({ do: fc.constantFrom('suspend' as const, 'expel' as const, 'failAll' as const) }),
  { weight: 2, arbitrary: fc.record({ do: fc.constant('assign' as const), owned: fc.uniqueArray(partition) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('revoke' as const), partitions }) },
  { weight: 2, arbitrary: fc.constant<Step>({ do: 'revoked' }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('stick' as const), partition, code: fc.constantFrom(0, 3, 14) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('seek' as const), partition }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1, 99, 100, 500, 5000) }) },
);

it(`${HISTORIES} random histories`, { timeout: 600_000 }, () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 50 }), (steps) => {
      const model = new Model();
      model.step({ do: 'assign', owned: PARTITIONS });
      for (const each of steps) model.step(each);
      model.settle();
    }),
    { numRuns: HISTORIES },
  );
});
