import assert from 'node:assert/strict';
import fc from 'fast-check';
import { it } from 'vitest';
import { Committer, type CommitAction, type OffsetToCommit } from '../../src/commit/committer.ts';
import { PartitionLedger } from '../../src/commit/ledger.ts';
import { ConnectionError, FencedError } from '../../src/errors.ts';

/**
 * Random histories of whole processes over one partition: records handed out one by one and in batches, finished in any order or
 * never, commits of every kind, answers that come, fail or get lost after the broker has obeyed, rebalances, expulsions, seeks,
 * crashes. After every single step:
 *
 * - the broker's offset is at most that of the first record that nobody has finished: nothing is ever skipped;
 * - it only goes back where the application has sought back or has committed something older on purpose;
 * - after a crash nothing comes again that an acknowledged commit had covered; after an orderly end nothing at all before the
 *   first record that was not finished.
 *
 * SAMSA_HISTORIES=20000 for the long run.
 */
const HISTORIES = Number(process.env['SAMSA_HISTORIES'] ?? 2000);
const PARTITION = { topic: 't', partition: 0 };
const LOG_END = 60;
/** Offsets without a record: compacted, control batches. */
const isGap = (offset: number): boolean => offset % 7 === 3 || (offset >= 30 && offset < 36);

type Step =
  | { do: 'handOut'; records: number }
  | { do: 'finish' | 'markRecord'; which: number }
  | { do: 'commit'; kind: 'call' | 'auto' | 'async' }
  | { do: 'commitRecord'; which: number }
  | { do: 'reach' }
  | { do: 'answer'; code: number }
  | { do: 'loseAnswer' | 'loseRequest' | 'joinAgain' | 'expel' | 'crash' | 'stop' }
  | { do: 'seekBack'; offset: number }
  | { do: 'wait'; ms: number };

interface Unit {
  ticket: number;
  offsets: number[];
  first: number;
  next: number;
}

/** What stays when a process dies: the log, the committed offset, and what the outside world has seen handled. */
class World {
  committed = 0;
  readonly handled = new Set<number>();
  /** The lowest offset that the broker may go back to: the application said so. */
  mayGoBackTo = Infinity;
  redone = 0;

  get firstUnhandled(): number {
    for (let offset = 0; offset < LOG_END; offset++) if (!isGap(offset) && !this.handled.has(offset)) return offset;
    return LOG_END;
  }

  /** @param isNewest asked for after the last seek @param isOlder the application has asked for less than it had finished */
  commit(offset: number, isNewest: boolean, isOlder: boolean): void {
    const first = this.firstUnhandled;
    assert.ok(offset <= first, `committed ${offset}, but ${first} was never finished`);
    if (offset < this.committed && !isOlder) {
      assert.ok(offset >= this.mayGoBackTo, `went back from ${this.committed} to ${offset}`);
    }
    if (isNewest) this.mayGoBackTo = Infinity;
    this.committed = offset;
  }
}

/** One process from its assignment to its death. */
class Process {
  readonly ledger = new PartitionLedger();
  readonly committer = new Committer({ retryBackoffMs: 100, retryBackoffMaxMs: 1000, random: () => 0.5 });
  units: Unit[] = [];
  position = 0;
  acknowledged: number;
  isMember = true;
  readonly #world: World;
  #now = 0;
  #lastId = 0;
  #generation = 1;
  #open = new Map<number, { kind: string; error?: unknown }>();
  #request: (CommitAction & { type: 'sendCommit' }) | null = null;
  #hasReached = false;
  #seeks = 0;
  #seeksBefore = new Map<OffsetToCommit, number>();
  /** Where the answer to a newer commit was lost, nobody can tell whether these go back: they are carried out as asked. */
  #older = new Set<OffsetToCommit>();

  constructor(world: World) {
    this.#world = world;
    this.position = this.acknowledged = world.committed;
    this.committer.setMembership({ memberId: 'm', generation: 1 });
    this.#begin(world.committed);
  }

  #begin(offset: number): void {
    this.units = [];
    this.position = offset;
    this.ledger.restart(offset);
    this.ledger.committed = offset;
    this.ledger.track();
    this.committer.positioned('t', 0);
  }

  step(step: Step): void {
    switch (step.do) {
      case 'handOut':
        this.#handOut(step.records);
        break;
      case 'finish':
        this.#finish(step.which);
        break;
      case 'markRecord':
        this.#markRecord(step.which);
        break;
      case 'commit':
        this.#commit(step.kind, this.#uncommitted());
        break;
      case 'commitRecord': {
        // In a loop `commit(record)` means all before it; so the application must have finished that.
        const unit = this.units[step.which % Math.max(1, this.units.length)];
        if (unit === undefined || unit.next > this.#world.firstUnhandled) break;
        if (unit.next <= this.ledger.committed && this.ledger.committed <= this.ledger.finished) break;
        const asked: OffsetToCommit = { ...PARTITION, offset: unit.next, leaderEpoch: 1, metadata: '' };
        if (unit.next < this.ledger.finished) this.#older.add(asked);
        this.ledger.finishUpTo(unit.next, 1);
        this.#commit('call', [asked]);
        break;
      }
      case 'reach':
        this.#reach();
        break;
      case 'answer':
        this.#answer(step.code);
        break;
      case 'loseAnswer':
        this.#reach();
        this.#lose();
        break;
      case 'loseRequest':
        this.#lose();
        break;
      case 'joinAgain':
        this.#joinAgain();
        break;
      case 'expel':
        this.#take(this.committer.expel(new FencedError('gone')));
        this.#generation++;
        this.#take(this.committer.setMembership(null));
        this.#take(this.committer.setMembership({ memberId: 'n', generation: this.#generation }));
        this.#begin(this.#world.committed);
        break;
      case 'seekBack': {
        // Further ahead it would skip records on purpose.
        const offset = Math.min(step.offset, this.position, this.#world.firstUnhandled);
        this.units = [];
        this.position = offset;
        this.#seeks++;
        this.ledger.restart(offset);
        this.committer.positioned('t', 0);
        this.#world.mayGoBackTo = Math.min(this.#world.mayGoBackTo, offset);
        this.acknowledged = Math.min(this.acknowledged, offset);
        break;
      }
      case 'wait':
        this.#now += step.ms;
        break;
      case 'crash':
      case 'stop':
        throw new Error('is the history’s affair');
    }
    this.#take(this.committer.plan(this.#now));
    this.#check();
  }

  /** SIGTERM: lets nothing more be handed out, commits what is finished, waits for that. */
  stop(): void {
    if (this.ledger.isDirty) this.#commit('revoke', this.#uncommitted());
    for (let i = 0; !this.committer.isIdle; i++) {
      assert.ok(i < 100, 'the last commit never ends');
      this.#take(this.committer.plan(this.#now));
      if (this.#request !== null) {
        this.#reach();
        this.#answer(0);
      } else this.#now = Math.max(this.#now, Math.min(this.committer.deadline(), this.#now + 60_000));
    }
    assert.equal(this.#world.committed, this.ledger.finished);
  }

  #handOut(records: number): void {
    const offsets: number[] = [];
    let next = this.position;
    for (; next < LOG_END && offsets.length < records; next++) if (!isGap(next)) offsets.push(next);
    if (offsets.length === 0) {
      this.position = LOG_END;
      this.ledger.skip(LOG_END, 1);
      return;
    }
    const first = offsets[0] ?? 0;
    if (first < this.#world.committed && this.#world.handled.has(first)) this.#world.redone++;
    this.units.push({ ticket: this.ledger.begin(first, next, 1, offsets.length), offsets, first, next });
    this.position = next;
  }

  #finish(which: number): void {
    const unit = this.units[which % Math.max(1, this.units.length)];
    if (unit === undefined) return;
    for (const offset of unit.offsets) this.#world.handled.add(offset);
    this.ledger.end(unit.ticket);
  }

  #markRecord(which: number): void {
    const unit = this.units[which % Math.max(1, this.units.length)];
    const offset = unit?.offsets[which % unit.offsets.length];
    if (offset === undefined) return;
    this.#world.handled.add(offset);
    this.ledger.endRecord(offset);
  }

  #uncommitted(): OffsetToCommit[] {
    if (!this.ledger.isDirty) return [];
    return [{ ...PARTITION, offset: this.ledger.finished, leaderEpoch: this.ledger.leaderEpoch, metadata: '' }];
  }

  #commit(kind: 'call' | 'auto' | 'async' | 'revoke', offsets: OffsetToCommit[]): void {
    const id = ++this.#lastId;
    this.#open.set(id, { kind });
    for (const offset of offsets) this.#seeksBefore.set(offset, this.#seeks);
    this.committer.commit({ id, offsets, deadline: this.#now + 60_000, purpose: kind });
    this.#take(this.committer.plan(this.#now));
  }

  /** The broker does what it is asked: an answer may still get lost. */
  #reach(): void {
    if (this.#request === null || this.#hasReached) return;
    this.#hasReached = true;
    if (this.#request.membership.generation !== this.#generation) return; // it refuses
    for (const each of this.#request.offsets)
      this.#world.commit(each.offset, this.#seeksBefore.get(each) === this.#seeks, this.#older.has(each));
  }

  #answer(code: number): void {
    const request = this.#request;
    if (request === null) return;
    if (code === 0) this.#reach();
    else if (this.#hasReached) return; // it has said yes already
    this.#request = null;
    this.#hasReached = false;
    const errorCode = request.membership.generation === this.#generation ? code : 22;
    const answers = request.offsets.map(({ topic, partition }) => ({ topic, partition, errorCode }));
    for (const each of errorCode === 0 ? request.offsets : [])
      if (this.#seeksBefore.get(each) === this.#seeks) this.acknowledged = Math.max(this.acknowledged, each.offset);
    this.#take(this.committer.answered(request.requestId, answers, this.#now));
  }

  #lose(): void {
    const request = this.#request;
    if (request === null) return;
    this.#request = null;
    this.#hasReached = false;
    this.#take(this.committer.failed(request.requestId, new ConnectionError('reset'), this.#now));
  }

  /** A rebalance in order: commit, join, begin again where the group says. */
  #joinAgain(): void {
    this.stop();
    this.#generation++;
    this.#take(this.committer.setMembership(null));
    this.#take(this.committer.setMembership({ memberId: 'm', generation: this.#generation }));
    assert.ok(this.#world.committed >= this.acknowledged);
    this.#begin(this.#world.committed);
  }

  #take(actions: readonly CommitAction[]): void {
    for (const action of actions) {
      if (action.type === 'commitDone') {
        const call = this.#open.get(action.id);
        assert.ok(call !== undefined, `call ${action.id} is settled twice`);
        this.#open.delete(action.id);
        for (const { offset } of action.committed) this.ledger.committed = offset;
        // Callbacks in the order of the calls.
        if (call.kind === 'async')
          for (const [id, other] of this.#open) assert.ok(other.kind !== 'async' || id > action.id, 'out of order');
      } else if (action.type === 'sendCommit') {
        assert.equal(this.#request, null);
        this.#request = action;
        this.#hasReached = false;
      }
    }
  }

  #check(): void {
    const { finished } = this.ledger;
    const open = this.units.find(({ offsets }) => !offsets.every((offset) => this.#world.handled.has(offset)));
    assert.ok(finished <= (open?.next ?? LOG_END), 'the ledger passes unfinished work');
    assert.ok(this.#world.committed <= this.#world.firstUnhandled);
    assert.ok(this.#world.committed >= this.acknowledged, 'an acknowledged commit was undone');
  }
}

function run(steps: readonly Step[]): void {
  const world = new World();
  let process = new Process(world);
  for (const step of steps) {
    if (step.do === 'stop') process.stop();
    if (step.do !== 'crash' && step.do !== 'stop') {
      process.step(step);
      continue;
    }
    // The next process begins at the broker's offset: nothing is skipped, and nothing acknowledged comes again.
    assert.ok(world.committed <= world.firstUnhandled, 'a record would be skipped');
    assert.ok(world.committed >= process.acknowledged, 'an acknowledged commit was undone');
    if (step.do === 'stop') assert.equal(world.committed, process.ledger.finished);
    process = new Process(world);
  }
  // In the end everything is handled, and all is committed.
  for (let i = 0; process.position < LOG_END; i++) {
    assert.ok(i < 2 * LOG_END);
    process.step({ do: 'handOut', records: 1 });
  }
  process.units.forEach((_, which) => process.step({ do: 'finish', which }));
  process.step({ do: 'handOut', records: 1 }); // nothing but the end of the log
  process.stop();
  assert.equal(world.firstUnhandled, LOG_END);
  assert.equal(world.committed, LOG_END);
}

const which = fc.nat(20);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('handOut' as const), records: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constantFrom('finish' as const, 'markRecord'), which }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('commit' as const),
      kind: fc.constantFrom('call' as const, 'auto' as const, 'async' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('commitRecord' as const), which }) },
  { weight: 2, arbitrary: fc.constant<Step>({ do: 'reach' }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('answer' as const), code: fc.constantFrom(0, 0, 0, 14, 16, 27, 29) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom('loseAnswer' as const, 'loseRequest' as const, 'joinAgain' as const, 'expel' as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('crash' as const, 'stop' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('seekBack' as const), offset: fc.nat(LOG_END) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1, 100, 1000, 70_000) }) },
);

it(
  `${HISTORIES} histories of processes: nothing is skipped, nothing acknowledged comes again`,
  { timeout: 600_000 },
  () => {
    fc.assert(fc.property(fc.array(step, { minLength: 5, maxLength: 70 }), run), { numRuns: HISTORIES });
  },
);
