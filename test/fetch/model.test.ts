import assert from 'node:assert/strict';
import fc from 'fast-check';
import { it } from 'vitest';
import { ConnectionError } from '../../src/errors.ts';
import { requestFailed } from '../../src/fetch/answers.ts';
import type { FetchAction, StartAt } from '../../src/fetch/partition.ts';
import type { FetchedAnswer } from '../../src/fetch/answers.ts';
import { STUCK_MS } from '../../src/fetch/room.ts';
import { batch, Rig, SETTINGS, type ActionOf } from './rig.ts';

/**
 * Random histories of a fetcher against the invariants 1, 2 and 5 of a consumer: nothing sits idle, offsets rise within one
 * position, what is buffered stays within its bounds.
 */
const PARTITIONS = [0, 1, 2, 3];
const ERRORS = [-1, 1, 2, 3, 5, 6, 7, 14, 16, 29, 70, 74, 75, 76, 78, 100, 9999];
const BATCH_BYTES = batch(0, 1, 60).length;

type Request = ActionOf<'fetch'> | ActionOf<'listOffsets'> | ActionOf<'fetchOffsets'> | ActionOf<'validate'>;
type Reply =
  | { kind: 'records'; batches: number }
  | { kind: 'error'; code: number }
  | { kind: 'lost' }
  | { kind: 'omitted' }
  | { kind: 'replica'; node: number }
  | { kind: 'diverging'; by: number };
type Step =
  | { do: 'reply'; which: number; replies: Reply[] }
  | { do: 'start'; partition: number; startAt: StartAt }
  | { do: 'stop' | 'pause' | 'resume' | 'release'; partition: number }
  | { do: 'leader'; partition: number; leader: number; isElected: boolean }
  | { do: 'recreate' }
  | { do: 'metadata' }
  | { do: 'wait'; ms: number };

class Model {
  readonly rig = new Rig();
  #requests: Request[] = [];
  #isMetadataComing = false;
  #leaderEpoch = 3;
  #topics = 0;
  /** Per epoch, where the next records have to begin. */
  #expected = new Map<number, number>();
  /** The same, when recovery began. */
  #before = new Map<number, number>();
  #held: { partition: number; epoch: number; bytes: number }[] = [];

  step(step: Step): void {
    const { rig } = this;
    switch (step.do) {
      case 'reply':
        this.#reply(step.which, step.replies);
        break;
      case 'start':
        rig.start(step.startAt, step.partition);
        break;
      case 'stop':
        rig.fetcher.stop([{ topic: 't', partition: step.partition }]);
        break;
      case 'pause':
      case 'resume':
        rig.fetcher.setPaused([{ topic: 't', partition: step.partition }], step.do === 'pause');
        break;
      case 'release':
        this.#release(step.partition);
        break;
      case 'leader':
        // A leader of a newer epoch has to be asked whether the position still holds.
        if (step.isElected) this.#leaderEpoch++;
        rig.lead(step.partition, step.leader, this.#leaderEpoch);
        break;
      case 'recreate':
        rig.topicId = `id-${++this.#topics}`;
        this.#take(rig.metadata());
        break;
      case 'metadata':
        this.#metadata();
        break;
      case 'wait':
        rig.now += step.ms;
    }
    this.#take(rig.plan());
    this.#check();
  }

  /** Whatever happened: once all goes well, everything is fetched again. */
  recover(): void {
    const { rig } = this;
    this.#before = new Map(this.#expected);
    for (const partition of PARTITIONS) {
      rig.lead(partition, 1 + (partition % 2), this.#leaderEpoch);
      this.step({ do: 'resume', partition });
    }
    for (let rounds = 0; !this.#hasRecovered(); rounds++) {
      assert.ok(rounds < 100, 'it does not go on');
      while (this.#held.length > 0) this.#release(this.#held[0]?.partition ?? 0);
      this.step({ do: 'metadata' });
      this.step({ do: 'reply', which: 0, replies: [{ kind: 'records', batches: 1 }] });
      if (rig.fetcher.deadline() < Infinity)
        this.step({ do: 'wait', ms: Math.max(0, rig.fetcher.deadline() - rig.now) });
    }
  }

  #hasRecovered(): boolean {
    return PARTITIONS.every((partition) => {
      const state = this.rig.fetcher.get('t', partition);
      assert.notEqual(state?.stage, 'failed', 'an error that passes is for good');
      if (state === undefined) return true;
      return (this.#expected.get(state.epoch) ?? -1) > (this.#before.get(state.epoch) ?? -1);
    });
  }

  #metadata(): void {
    if (!this.#isMetadataComing) return;
    this.#isMetadataComing = false;
    this.#take(this.rig.metadata());
  }

  #release(partition: number): void {
    const index = this.#held.findIndex((held) => held.partition === partition);
    const [held] = index < 0 ? [] : this.#held.splice(index, 1);
    if (held !== undefined) this.rig.fetcher.release('t', held.partition, held.epoch, held.bytes);
  }

  #reply(which: number, replies: Reply[]): void {
    const [request] = this.#requests.splice(which % Math.max(1, this.#requests.length), 1);
    if (request === undefined) return;
    const { rig } = this;
    const first = replies[0] ?? { kind: 'lost' };
    if (first.kind === 'lost') {
      this.#take(requestFailed(rig.fetcher, request.id, new ConnectionError('reset'), rig.now));
      return;
    }
    const replyTo = (index: number): Reply => replies[index % replies.length] ?? first;
    if (request.type === 'fetch') this.#take(rig.fetched(request.id, ...this.#fetchAnswers(request, replyTo)));
    else {
      const reply = first.kind === 'error' ? first.code : 0;
      // One partition answered, the others left out.
      const partition = request.partitions[0]?.partition ?? 0;
      const offset = first.kind === 'omitted' ? -1 : 100;
      if (request.type === 'listOffsets') this.#take(rig.listed(request.id, offset, reply, partition));
      else if (request.type === 'validate')
        this.#take(rig.validated(request.id, 2, this.#endOfEpoch(first, partition), { errorCode: reply, partition }));
      else this.#take(rig.committed(request.id, offset, reply, partition));
    }
  }

  /** Of the record before the position: the position stands, or is cut off, or nothing is known. */
  #endOfEpoch(reply: Reply, partition: number): number {
    const position = this.rig.fetcher.get('t', partition)?.position ?? 0;
    if (reply.kind === 'omitted') return -1;
    return reply.kind === 'diverging' ? position - reply.by : position + 100;
  }

  /** As a broker does: within maxBytes, but for the very first batch (KIP-74). */
  #fetchAnswers(request: ActionOf<'fetch'>, replyTo: (index: number) => Reply): Partial<FetchedAnswer>[] {
    let room = request.maxBytes;
    return request.partitions.flatMap(
      ({ partition, fetchOffset, partitionMaxBytes }, index): Partial<FetchedAnswer>[] => {
        const reply = replyTo(index);
        if (reply.kind === 'omitted') return [];
        if (reply.kind === 'error') return [{ partition, errorCode: reply.code, highWatermark: -1, records: null }];
        if (reply.kind === 'replica')
          return [{ partition, highWatermark: fetchOffset, preferredReadReplica: reply.node }];
        if (reply.kind === 'diverging') {
          const divergingEpoch = { leaderEpoch: 2, endOffset: fetchOffset - reply.by };
          return [{ partition, highWatermark: fetchOffset, divergingEpoch }];
        }
        const count = reply.kind === 'records' ? reply.batches : 0;
        const parts: Buffer[] = [];
        let left = Math.min(partitionMaxBytes, room);
        for (let i = 0; i < count && (left >= BATCH_BYTES || room === request.maxBytes); i++) {
          parts.push(batch(fetchOffset + i, 1, 60));
          left -= BATCH_BYTES;
          room -= BATCH_BYTES;
        }
        return [{ partition, records: Buffer.concat(parts), highWatermark: fetchOffset + count + 1 }];
      },
    );
  }

  #take(actions: readonly FetchAction[]): void {
    for (const action of actions) {
      switch (action.type) {
        case 'fetch':
          // But for those that have nothing, while others are stuck: they get a little all the same.
          if (this.#used(true) + action.maxBytes > SETTINGS.fetchMaxBytes) this.#checkLittle(action);
          this.#requests.push(action);
          break;
        case 'listOffsets':
        case 'fetchOffsets':
        case 'validate':
          this.#requests.push(action);
          break;
        case 'refreshMetadata':
          this.#isMetadataComing = true;
          break;
        case 'positioned':
          this.#expected.set(action.epoch, action.offset);
          break;
        case 'records': {
          const { partition, epoch, bytes, fetchOffset, nextOffset } = action;
          assert.equal(this.rig.fetcher.get('t', partition)?.epoch, epoch);
          const expected = this.#expected.get(epoch);
          if (expected !== undefined) assert.equal(fetchOffset, expected);
          assert.ok(nextOffset >= fetchOffset);
          this.#expected.set(epoch, nextOffset);
          if (bytes.length > 0) this.#held.push({ partition, epoch, bytes: bytes.length });
          break;
        }
        case 'partitionFailed':
        case 'partitionRefused':
        case 'refused':
        case 'trouble':
        case 'log':
          break;
      }
    }
  }

  #checkLittle({ partitions, maxBytes }: ActionOf<'fetch'>): void {
    assert.ok(maxBytes <= partitions.length * SETTINGS.maxPartitionFetchBytes);
    const buffered = partitions.map(({ partition }) => this.rig.fetcher.get('t', partition)?.buffered);
    assert.deepEqual(new Set(buffered), new Set([0]), 'asked for more than there is room for');
    assert.ok(
      PARTITIONS.some((each) => {
        const state = this.rig.fetcher.get('t', each);
        return state !== undefined && state.buffered > 0 && this.rig.now - state.takenAt >= STUCK_MS;
      }),
      'nobody is stuck',
    );
  }

  /** What is buffered, but for paused partitions, which must not starve the others, and what may come at any moment. */
  #used(areLeaversFree = false): number {
    const { fetcher } = this.rig;
    let used = 0;
    for (const { partition, epoch, bytes } of this.#held) {
      const state = fetcher.get('t', partition);
      if (state?.epoch !== epoch || !state.paused) used += bytes;
    }
    for (const request of this.#requests) {
      if (request.type !== 'fetch') continue;
      // But for partitions that have left for a newer leader.
      const waiting = request.partitions.filter(({ partition }) => {
        return !areLeaversFree || fetcher.get('t', partition)?.inFlight === request.id;
      });
      used += Math.min(request.maxBytes, waiting.length * SETTINGS.maxPartitionFetchBytes);
    }
    return used;
  }

  #check(): void {
    const { fetcher, now } = this.rig;
    const fetches = this.#requests.filter((request) => request.type === 'fetch');
    const nodes = fetches.map(({ nodeId }) => nodeId);
    assert.equal(new Set(nodes).size, nodes.length, 'two fetches at one broker');
    assert.equal(
      fetcher.bufferedBytes,
      this.#held.reduce((sum, { bytes }) => sum + bytes, 0),
    );
    // Two brokers, so half of it each; less than a partition's worth is not asked for.
    const isAllFull = this.#used() + SETTINGS.maxPartitionFetchBytes > SETTINGS.fetchMaxBytes;
    for (const partition of PARTITIONS) {
      const state = fetcher.get('t', partition);
      if (state === undefined || state.stage === 'failed') continue;
      const mine = this.#held.filter((each) => each.partition === partition && each.epoch === state.epoch);
      assert.equal(
        state.buffered,
        mine.reduce((sum, { bytes }) => sum + bytes, 0),
      );
      const leader = this.rig.leaders.get(`t/${partition}`)?.leader ?? -1;
      const reasons = {
        inFlight: this.#requests.some(({ id }) => id === state.inFlight),
        metadata: state.needsMetadata && this.#isMetadataComing,
        backOff: !state.needsMetadata && state.retryAt > now && fetcher.deadline() <= state.retryAt,
        paused: state.paused && (state.stage === 'fetch' || state.stage === 'validate'),
        full: state.stage === 'fetch' && (state.buffered >= SETTINGS.maxPartitionFetchBytes || isAllFull),
        brokerBusy: state.stage === 'fetch' && nodes.includes(state.readReplica < 0 ? leader : state.readReplica),
        shortPoll: state.stage === 'fetch' && fetcher.deadline() <= now + 50,
      };
      assert.ok(Object.values(reasons).includes(true), `t-${partition} sits idle: ${JSON.stringify(state)}`);
    }
  }
}

const partition = fc.constantFrom(...PARTITIONS);
const reply: fc.Arbitrary<Reply> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('records' as const), batches: fc.nat(4) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('error' as const), code: fc.constantFrom(...ERRORS) }) },
  fc.constantFrom<Reply>({ kind: 'lost' }, { kind: 'omitted' }),
  fc.record({ kind: fc.constant('replica' as const), node: fc.constantFrom(1, 2, 3) }),
  fc.record({ kind: fc.constant('diverging' as const), by: fc.nat(5) }),
);
const startAt = fc.oneof(fc.nat(50), fc.constantFrom<StartAt>('committed', 'earliest', 'latest'));
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('reply' as const),
      which: fc.nat(5),
      replies: fc.array(reply, { minLength: 1, maxLength: 4 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('start' as const), partition, startAt }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom('stop' as const, 'pause' as const, 'resume' as const, 'release' as const, 'release' as const),
      partition,
    }),
  },
  fc.record({
    do: fc.constant('leader' as const),
    partition,
    leader: fc.constantFrom(-1, 1, 2),
    isElected: fc.boolean(),
  }),
  { weight: 1, arbitrary: fc.constant<Step>({ do: 'recreate' }) },
  { weight: 2, arbitrary: fc.constant<Step>({ do: 'metadata' }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(0, 1, 50, 100, 1000) }) },
);

it('random histories', { timeout: 60_000 }, () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const model = new Model();
      model.step({ do: 'start', partition: 0, startAt: 'committed' });
      model.step({ do: 'start', partition: 1, startAt: 0 });
      for (const each of steps) model.step(each);
      model.recover();
    }),
    { numRuns: 5000 },
  );
});
