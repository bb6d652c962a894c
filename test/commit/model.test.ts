import assert from 'node:assert/strict';
import fc from 'fast-check';
import { it } from 'vitest';
import { Committer, type CommitAction, type OffsetToCommit } from '../../src/commit/committer.ts';
import { ConnectionError, FencedError, KafkaError } from '../../src/errors.ts';

/**
 * Random histories of a committer: one request at a time; offsets of a partition go out in the order of the calls, so that
 * an older one never overwrites a newer; every call is settled once, by its deadline; nothing waits without a deadline.
 */
type Kind = 'call' | 'auto' | 'revoke';
type Step =
  | { do: 'commit'; kind: Kind; partitions: number[]; timeoutMs: number }
  | { do: 'answer'; codes: number[] }
  | { do: 'lost'; isRetriable: boolean }
  | { do: 'rebalance' | 'expel' | 'failAll' }
  | { do: 'assign'; owned: number[] }
  | { do: 'wait'; ms: number };

const CODES = [0, 0, 0, 3, 12, 14, 15, 16, 22, 25, 27, 29, 82, 9999];

class Model {
  #committer = new Committer({ retryBackoffMs: 100, retryBackoffMaxMs: 1000, random: () => 0.5 });
  #now = 0;
  #lastId = 0;
  #nextOffset = 0;
  #generation = 1;
  #open = new Map<number, { deadline: number; offsets: OffsetToCommit[] }>();
  #inFlight: (CommitAction & { type: 'sendCommit' }) | null = null;
  /** The newest offset that was sent, by partition. */
  #newest = new Map<number, number>();

  step(step: Step): void {
    const committer = this.#committer;
    switch (step.do) {
      case 'commit':
        this.#commit(step);
        break;
      case 'answer': {
        const { codes } = step;
        const answers = (offset: OffsetToCommit, index: number) => ({
          ...offset,
          errorCode: codes[index % codes.length] ?? 0,
        });
        const request = this.#answered();
        if (request !== null)
          this.#take(committer.answered(request.requestId, request.offsets.map(answers), this.#now));
        break;
      }
      case 'lost': {
        const request = this.#answered();
        const error = step.isRetriable ? new ConnectionError('reset') : new KafkaError('no');
        if (request !== null) this.#take(committer.failed(request.requestId, error, this.#now));
        break;
      }
      case 'rebalance':
        this.#take(committer.setMembership(null));
        break;
      case 'assign': {
        const membership = { memberId: 'm', generation: ++this.#generation };
        this.#take(committer.setMembership(membership, (_, partition) => step.owned.includes(partition)));
        break;
      }
      case 'expel':
        this.#take(committer.expel(new FencedError('gone')));
        break;
      case 'failAll':
        this.#take(committer.failAll(new ConnectionError('closed')));
        break;
      case 'wait':
        this.#now += step.ms;
    }
    this.#take(committer.plan(this.#now));
    for (const [id, { deadline }] of this.#open) {
      assert.ok(this.#now < deadline, `call ${id} is past its deadline`);
      assert.ok(committer.deadline() <= deadline);
    }
    // A deadline in the past with nothing to do would make the driver turn in circles.
    assert.ok(committer.deadline() > this.#now || this.#committer.plan(this.#now).length > 0);
    assert.equal(committer.isIdle, this.#open.size === 0);
  }

  /** Answers everything well; in the end nobody waits. */
  settle(): void {
    this.step({ do: 'assign', owned: [0, 1, 2] });
    for (let i = 0; this.#open.size > 0; i++) {
      assert.ok(i < 200, 'somebody waits for ever');
      if (this.#inFlight !== null) this.step({ do: 'answer', codes: [0] });
      else this.step({ do: 'wait', ms: this.#committer.deadline() - this.#now });
    }
  }

  #commit({ kind, partitions, timeoutMs }: Step & { do: 'commit' }): void {
    const id = ++this.#lastId;
    const offsets = partitions.map((partition) => {
      return { topic: 't', partition, offset: ++this.#nextOffset, leaderEpoch: -1, metadata: '' };
    });
    const deadline = this.#now + timeoutMs;
    this.#open.set(id, { deadline, offsets });
    this.#committer.commit({ id, offsets, deadline, mayWaitForRejoin: kind === 'call', isRetried: kind !== 'auto' });
  }

  #answered(): (CommitAction & { type: 'sendCommit' }) | null {
    const request = this.#inFlight;
    this.#inFlight = null;
    return request;
  }

  #take(actions: readonly CommitAction[]): void {
    for (const action of actions) {
      if (action.type === 'commitDone') {
        const call = this.#open.get(action.id);
        assert.ok(call !== undefined, `call ${action.id} is settled twice`);
        this.#open.delete(action.id);
        for (const offset of action.committed) assert.ok(call.offsets.includes(offset));
        if (action.error === null) assert.equal(action.committed.length, call.offsets.length);
      } else if (action.type === 'sendCommit') {
        assert.equal(this.#inFlight, null, 'two requests at a time');
        assert.ok(action.offsets.length > 0, 'a request about nothing');
        assert.equal(action.membership.generation, this.#generation);
        this.#inFlight = action;
        for (const { partition, offset } of action.offsets) {
          assert.ok(offset >= (this.#newest.get(partition) ?? 0), 'an older offset after a newer one');
          this.#newest.set(partition, offset);
        }
      }
    }
  }
}

const partitions = fc.uniqueArray(fc.nat(2), { minLength: 1 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('commit' as const),
      kind: fc.constantFrom<Kind>('call', 'auto', 'revoke'),
      partitions,
      timeoutMs: fc.constantFrom(0, 100, 500, 60_000),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('answer' as const),
      codes: fc.array(fc.constantFrom(...CODES), { minLength: 1, maxLength: 3 }),
    }),
  },
  fc.record({ do: fc.constant('lost' as const), isRetriable: fc.boolean() }),
  fc.record({ do: fc.constantFrom('rebalance' as const, 'expel' as const, 'failAll' as const) }),
  { weight: 2, arbitrary: fc.record({ do: fc.constant('assign' as const), owned: fc.uniqueArray(fc.nat(2)) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1, 99, 100, 500, 5000) }) },
);

it('random histories', { timeout: 60_000 }, () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const model = new Model();
      model.step({ do: 'assign', owned: [0, 1, 2] });
      for (const each of steps) model.step(each);
      model.settle();
    }),
    { numRuns: 5000 },
  );
});
