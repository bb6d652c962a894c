import { describe, expect, it, vi } from 'vitest';
import type { RebalanceEvent } from '../../src/client/events.ts';
import type { EngineCommand } from '../../src/client/port.ts';
import type { ListenerHolder, RebalanceListener } from '../../src/client/listeners.ts';
import { Rebalances } from '../../src/client/rebalances.ts';
import { batch, DeliveryRig, type Bytes } from './partition-rig.ts';

const tp = (partition: number): { topic: string; partition: number } => ({ topic: 't', partition });
const SETTLED = { isSettled: true, generation: 3, memberId: 'me' };
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Everything that the engine and the application are told, in its order. */
class RebalanceRig extends DeliveryRig {
  readonly story: string[] = [];
  readonly commands: EngineCommand[] = [];
  readonly rebalanced: RebalanceEvent[] = [];
  holder: ListenerHolder = { listener: {} };
  /** What the listener that failed last waits for: the application reads again. */
  readAgain: (() => void) | null = null;
  waitsForHand = true;
  commit: () => Promise<void> = () => Promise.resolve();
  readonly rebalances: Rebalances<Bytes, Bytes> = new Rebalances(
    this.delivery,
    {
      send: (command) => {
        this.commands.push(command);
        const detail = 'partitions' in command ? `:${command.partitions.map(({ partition }) => partition).join()}` : '';
        this.story.push(command.type + detail);
      },
    },
    {
      subscription: () => this.holder,
      setUp: () => undefined,
      waitsForHand: () => this.waitsForHand,
      commitBeforeRevocation: async () => {
        this.story.push('commit');
        await this.commit();
      },
      emit: (name, partitions) =>
        this.story.push(`event ${name}:${partitions.map(({ partition }) => partition).join()}`),
      onListenerFailed: ({ message }, again) => {
        this.story.push(message);
        this.readAgain = again;
      },
      onGivenUp: (deliveries) => this.story.push(`given up:${deliveries.map(({ partition }) => partition).join()}`),
      onRemoved: () => undefined,
      onRebalanced: (rebalance) => this.rebalanced.push(rebalance),
      maxPollIntervalMs: 300_000,
    },
  );

  set listener(listener: RebalanceListener) {
    this.holder.listener = listener;
  }

  /** Assigned and started, with three records of partition 0 buffered. */
  async running(): Promise<void> {
    this.rebalances.assigned([tp(0), tp(1)], SETTLED);
    await turn();
    const partition = this.delivery.get('t', 0);
    partition?.startAt(0, false);
    if (partition !== undefined) this.add(partition, 3, 3, batch(0, 3));
    this.story.length = 0;
  }
}

function gate(): { opened: Promise<void>; open: () => void } {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

describe('assignment', () => {
  it('listener first, reading after it', async () => {
    const rig = new RebalanceRig();
    const { opened, open } = gate();
    rig.listener = { onAssigned: () => opened };
    rig.rebalances.assigned([tp(0), tp(1)], SETTLED);
    await turn();
    expect(rig.story).toEqual(['event assigned:0,1']);
    open();
    await turn();
    expect(rig.story).toEqual(['event assigned:0,1', 'start:0,1']);
    expect(rig.commands).toMatchObject([{ partitions: [{ startAt: 'committed' }, { startAt: 'committed' }] }]);
  });

  it('seek and pause in the listener decide how reading begins', async () => {
    const rig = new RebalanceRig();
    rig.listener = {
      onAssigned: () => {
        const partition = rig.delivery.get('t', 1);
        if (partition === undefined) throw new Error('not there');
        rig.rebalances.seek(partition, 42);
        rig.delivery.pause(partition);
      },
    };
    rig.rebalances.assigned([tp(0), tp(1)], SETTLED);
    await turn();
    expect(rig.story).toEqual(['event assigned:0,1', 'start:0,1', 'pause:1']);
    const epoch = rig.delivery.get('t', 1)?.epoch;
    expect(rig.commands[0]).toMatchObject({ partitions: [{ startAt: 'committed' }, { startAt: 42, epoch }] });
  });

  it('a listener that throws, at once or later, ends nothing', async () => {
    const rig = new RebalanceRig();
    rig.listener = {
      onAssigned: () => {
        throw new Error('at once');
      },
      onRevoked: () => Promise.reject(new Error('later')),
    };
    rig.rebalances.assigned([tp(0)], SETTLED);
    rig.rebalances.revoking([tp(0)], false);
    await turn();
    expect(rig.story).toEqual([
      'stop:0',
      'event assigned:0',
      'onAssigned has thrown: at once',
      'commit',
      'event revoked:0',
      'onRevoked has thrown: later',
      'revoked',
    ]);
  });

  it('each begins when its own listener has returned, not with an earlier one', async () => {
    const rig = new RebalanceRig();
    const gates = [gate(), gate()];
    rig.listener = { onAssigned: ([first]) => gates[first?.partition ?? 0]?.opened };
    rig.rebalances.assigned([tp(0)], SETTLED);
    rig.rebalances.assigned([tp(1)], SETTLED);
    await turn();
    gates[0]?.open();
    await turn();
    expect(rig.story).toEqual(['event assigned:0', 'start:0', 'event assigned:1']);
    gates[1]?.open();
    await turn();
    expect(rig.story.slice(3)).toEqual(['start:1']);
  });

  it('a listener that has failed is called again when the application reads again, for what is still there', async () => {
    const rig = new RebalanceRig();
    const calls: string[] = [];
    let failures = 2;
    rig.listener = {
      onAssigned: (partitions) => {
        calls.push(partitions.map(({ partition }) => partition).join());
        if (failures-- > 0) throw new Error('no database');
      },
    };
    rig.rebalances.assigned([tp(0), tp(1)], SETTLED);
    await turn();
    expect(rig.story).toEqual(['event assigned:0,1', 'onAssigned has thrown: no database']);
    rig.rebalances.revoking([tp(1)], false);
    await turn();
    rig.story.length = 0;
    rig.readAgain?.();
    await turn();
    expect(rig.story).toEqual(['onAssigned has thrown: no database']);
    rig.readAgain?.();
    await turn();
    expect(rig.story.slice(1)).toEqual(['start:0']);
    expect(calls).toEqual(['0,1', '0', '0']);
  });

  it('a position asked for in the listener is looked up at once, and nothing is fetched before the listener returns', async () => {
    const rig = new RebalanceRig();
    const { opened, open } = gate();
    rig.listener = { onAssigned: () => opened };
    rig.rebalances.assigned([tp(0), tp(1), tp(2)], SETTLED);
    await turn();
    const [zero, one] = [0, 1].map((partition) => rig.delivery.get('t', partition));
    if (zero === undefined || one === undefined) throw new Error('not assigned');
    rig.rebalances.lookUp(zero);
    rig.rebalances.lookUp(zero);
    rig.rebalances.lookUp(one);
    rig.rebalances.seek(one, 'latest');
    rig.rebalances.setPaused([zero], true);
    rig.rebalances.setPaused([zero], false);
    expect(rig.story.slice(1)).toEqual(['start:0', 'pause:0', 'start:1', 'pause:1', 'pause:', 'resume:']);
    open();
    await turn();
    expect(rig.story.slice(7)).toEqual(['start:1,2', 'resume:0,1']);
    expect(rig.commands.at(-2)).toMatchObject({ partitions: [{ startAt: 'latest' }, { startAt: 'committed' }] });
  });

  it('a seek while running starts anew at once, with a newer epoch', async () => {
    const rig = new RebalanceRig();
    await rig.running();
    const partition = rig.delivery.get('t', 0);
    const before = partition?.epoch ?? 0;
    if (partition !== undefined) rig.rebalances.seek(partition, 'latest');
    expect(rig.commands.at(-1)).toMatchObject({ type: 'start', partitions: [{ ...tp(0), startAt: 'latest' }] });
    expect(partition?.epoch).toBeGreaterThan(before);
    expect(rig.outstanding).toBe(0);
  });
});

describe('revocation, in the order of the protocol', () => {
  it('stop, drop, wait for what is in hand, commit, listener, revoked', async () => {
    const rig = new RebalanceRig();
    await rig.running();
    const listener = gate();
    const commit = gate();
    rig.commit = () => commit.opened;
    rig.listener = { onRevoked: () => listener.opened };
    rig.delivery.nextRecord();
    rig.rebalances.revoking([tp(0), tp(1)], false);
    expect(rig.story).toEqual(['stop:0,1']);
    expect(rig.delivery.nextRecord()).toBeNull();
    expect(rig.outstanding).toBe(0);
    await turn();
    expect(rig.story).toEqual(['stop:0,1']);
    rig.delivery.finishInHand();
    rig.rebalances.handChanged();
    await turn();
    expect(rig.story).toEqual(['stop:0,1', 'commit']);
    expect(rig.committable()).toEqual({ 0: 1 });
    commit.open();
    await turn();
    expect(rig.story.slice(2)).toEqual(['event revoked:0,1']);
    expect(rig.delivery.get('t', 0)).toBeDefined(); // committing in the listener works
    listener.open();
    await turn();
    expect(rig.story.slice(3)).toEqual(['revoked']);
    expect([...rig.delivery.partitions]).toEqual([]);
  });

  it('while onAssigned still runs: after it, and nothing is started', async () => {
    const rig = new RebalanceRig();
    const { opened, open } = gate();
    rig.listener = { onAssigned: () => opened };
    rig.rebalances.assigned([tp(0)], SETTLED);
    await turn();
    rig.rebalances.revoking([tp(0)], false);
    await turn();
    expect(rig.story).toEqual(['event assigned:0', 'stop:0']);
    open();
    await turn();
    expect(rig.story.slice(2)).toEqual(['commit', 'event revoked:0', 'revoked']);
  });

  it('lost: no commit, onLost', async () => {
    const rig = new RebalanceRig();
    await rig.running();
    const told: string[] = [];
    rig.listener = { onRevoked: () => told.push('revoked'), onLost: () => told.push('lost') };
    rig.delivery.nextRecord();
    rig.rebalances.revoking([tp(0), tp(1)], true);
    await turn();
    expect(rig.story).toEqual(['stop:0,1', 'event lost:0,1', 'revoked']);
    expect(told).toEqual(['lost']);
  });

  it.each(['the wait for what is in hand', 'the commit'])(
    'lost during %s ends that, and there is one `revoked`',
    async (during) => {
      const rig = new RebalanceRig();
      await rig.running();
      const commit = gate();
      rig.commit = () => commit.opened;
      if (during !== 'the commit') rig.delivery.nextRecord();
      rig.rebalances.revoking([tp(0), tp(1)], false);
      await turn();
      rig.rebalances.revoking([tp(0), tp(1)], true);
      commit.open(); // as the engine does: it fails what is queued
      await turn();
      expect(rig.story.filter((each) => each !== 'commit')).toEqual(['stop:0,1', 'event lost:0,1', 'revoked']);
    },
  );

  it('of a part: the rest is delivered meanwhile, and what comes in addition after it', async () => {
    const rig = new RebalanceRig();
    await rig.running();
    const listener = gate();
    rig.listener = { onRevoked: () => listener.opened };
    rig.rebalances.revoking([tp(1)], false);
    rig.rebalances.assigned([tp(2)], SETTLED);
    await turn();
    expect(rig.story).toEqual(['stop:1', 'commit', 'event revoked:1']);
    expect(rig.drain()).toEqual([0, 1, 2]);
    listener.open();
    await turn();
    expect(rig.story.slice(3)).toEqual(['revoked', 'event assigned:2', 'start:2']);
    expect([...rig.delivery.partitions].map(({ partition }) => partition)).toEqual([0, 2]);
  });

  it('of a part, then lost: the rest stops at once, and goes with it', async () => {
    const rig = new RebalanceRig();
    await rig.running();
    const commit = gate();
    rig.commit = () => commit.opened;
    rig.rebalances.revoking([tp(1)], false);
    await turn();
    rig.rebalances.revoking([tp(1), tp(0)], true);
    expect(rig.drain()).toEqual([]);
    commit.open();
    await turn();
    expect(rig.story).toEqual(['stop:1', 'commit', 'stop:0', 'event lost:1,0', 'revoked']);
    expect([...rig.delivery.partitions]).toEqual([]);
  });

  it('of a part, lost while the listener runs: only the rest is told as lost', async () => {
    const rig = new RebalanceRig();
    await rig.running();
    const listener = gate();
    rig.listener = { onRevoked: () => listener.opened };
    rig.rebalances.revoking([tp(1)], false);
    await turn();
    rig.rebalances.revoking([tp(1), tp(0)], true);
    listener.open();
    await turn();
    expect(rig.story).toEqual(['stop:1', 'commit', 'event revoked:1', 'stop:0', 'event lost:0', 'revoked']);
    expect([...rig.delivery.partitions]).toEqual([]);
  });

  it('handlers that do not end are given up in time for the rebalance, told of, and what is finished is committed', async () => {
    vi.useFakeTimers();
    try {
      const rig = new RebalanceRig();
      rig.rebalances.assigned([tp(0), tp(1)], SETTLED);
      await vi.advanceTimersByTimeAsync(0);
      const partition = rig.delivery.get('t', 0);
      if (partition === undefined) throw new Error('not assigned');
      rig.delivery.beginWork(partition);
      rig.story.length = 0;
      rig.rebalances.revoking([tp(0), tp(1)], false);
      await vi.advanceTimersByTimeAsync(294_999);
      expect(rig.story).toEqual(['stop:0,1']);
      await vi.advanceTimersByTimeAsync(1);
      expect(rig.story.slice(1)).toEqual(['given up:0', 'commit', 'event revoked:0,1', 'revoked']);
      expect(rig.delivery.hasInHand).toBe(false);
      rig.delivery.endWork(partition); // the handler ends after all: it is nobody's any more
      expect(rig.committable()).toEqual({});
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  it('what poll() gave is not waited for once the application will not come back', async () => {
    const rig = new RebalanceRig();
    await rig.running();
    rig.delivery.nextRecord();
    rig.rebalances.revoking([tp(0), tp(1)], false);
    await turn();
    expect(rig.story).toEqual(['stop:0,1']);
    rig.waitsForHand = false;
    rig.rebalances.handChanged();
    await turn();
    expect(rig.story.slice(1)).toEqual(['commit', 'event revoked:0,1', 'revoked']);
  });

  it('is told to whom the partitions were given; a new subscription has its own listener', async () => {
    const rig = new RebalanceRig();
    const told: string[] = [];
    const listenerOf = (name: string): RebalanceListener => ({ onRevoked: () => told.push(name) });
    rig.listener = listenerOf('the first');
    await rig.running();
    rig.holder = { listener: listenerOf('the second') };
    rig.rebalances.assigned([tp(2)], SETTLED);
    rig.rebalances.revoking([tp(0), tp(1)], false);
    await turn();
    expect(told).toEqual(['the first']);
    rig.rebalances.revoking([tp(2)], false);
    await turn();
    expect(told).toEqual(['the first', 'the second']);
  });

  it('of nothing calls no listener', async () => {
    const rig = new RebalanceRig();
    rig.listener = { onRevoked: () => expect.unreachable() };
    rig.rebalances.revoking([], false);
    await turn();
    expect(rig.story).toEqual(['stop:', 'commit', 'event revoked:', 'revoked']);
  });

  it('what comes after it waits for it: a manual assignment of the same partition survives', async () => {
    const rig = new RebalanceRig();
    await rig.running();
    rig.delivery.nextRecord();
    rig.rebalances.revoking([tp(0), tp(1)], false);
    rig.rebalances.whenSettled(() => rig.rebalances.assignManually([{ ...tp(0), startAt: 7 }]));
    await turn();
    expect(rig.story).toEqual(['stop:0,1']);
    rig.delivery.finishInHand();
    rig.rebalances.handChanged();
    await turn();
    expect(rig.story.slice(1)).toEqual(['commit', 'event revoked:0,1', 'revoked', 'start:0']);
    expect(rig.delivery.get('t', 0)).toMatchObject({ position: 7, isBlocked: false });
  });
});

describe('listeners that do not come back', () => {
  it('are waited for as long as the rebalance may take, and told of', async () => {
    vi.useFakeTimers();
    try {
      const rig = new RebalanceRig();
      rig.listener = { onAssigned: () => new Promise(() => undefined), onRevoked: () => new Promise(() => undefined) };
      rig.rebalances.assigned([tp(0)], SETTLED);
      await vi.advanceTimersByTimeAsync(299_999);
      expect(rig.story).toEqual(['event assigned:0']);
      await vi.advanceTimersByTimeAsync(1);
      const late = 'has not returned within maxPollIntervalMs (300000 ms)';
      expect(rig.story).toEqual(['event assigned:0', `onAssigned ${late}`]);
      rig.rebalances.revoking([tp(0)], false);
      await vi.advanceTimersByTimeAsync(300_000);
      expect(rig.story.slice(2)).toEqual(['stop:0', 'commit', 'event revoked:0', `onRevoked ${late}`, 'revoked']);
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  it('are waited for no longer once the consumer is closed, and leave no timer', async () => {
    vi.useFakeTimers();
    try {
      const rig = new RebalanceRig();
      rig.listener = { onRevoked: () => new Promise(() => undefined) };
      rig.rebalances.assigned([tp(0)], SETTLED);
      rig.rebalances.revoking([tp(0)], false);
      await vi.advanceTimersByTimeAsync(0);
      expect(vi.getTimerCount()).toBe(1);
      rig.rebalances.close();
      await vi.advanceTimersByTimeAsync(0);
      expect(vi.getTimerCount()).toBe(0);
      expect(rig.story.at(-1)).toBe('revoked');
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('after close()', () => {
  it('no listener is called any more', async () => {
    const rig = new RebalanceRig();
    await rig.running();
    rig.listener = { onRevoked: () => expect.unreachable(), onAssigned: () => expect.unreachable() };
    const commit = gate();
    rig.commit = () => commit.opened;
    rig.rebalances.revoking([tp(0), tp(1)], false);
    rig.rebalances.assigned([tp(2)], SETTLED);
    await turn();
    rig.rebalances.close();
    commit.open();
    await turn();
    expect(rig.story).toEqual(['stop:0,1', 'commit', 'revoked']);
  });

  it('nothing that is in hand is waited for any more', async () => {
    const rig = new RebalanceRig();
    await rig.running();
    rig.delivery.nextRecord();
    rig.rebalances.revoking([tp(0)], false);
    await turn();
    rig.rebalances.close();
    await turn();
    expect(rig.story.at(-1)).toBe('revoked');
  });
});

describe('a loss', () => {
  it('is told as a revocation where there is no onLost, as in Java', async () => {
    const rig = new RebalanceRig();
    await rig.running();
    const told: number[] = [];
    rig.listener = { onRevoked: (partitions) => told.push(...partitions.map(({ partition }) => partition)) };
    rig.rebalances.revoking([tp(0), tp(1)], true);
    await turn();
    expect(told).toEqual([0, 1]);
    expect(rig.story).toEqual(['stop:0,1', 'event lost:0,1', 'revoked']);
  });
});

describe('the rebalance event', () => {
  it('has everything that moved, over all rounds, and the time until reading begins', async () => {
    const rig = new RebalanceRig();
    await rig.running();
    rig.rebalanced.length = 0;
    const { opened, open } = gate();
    rig.listener = { onAssigned: () => opened };
    rig.rebalances.begins('another member');
    rig.rebalances.begins('the second round');
    rig.rebalances.revoking([tp(1)], false);
    rig.rebalances.assigned([tp(2)], { ...SETTLED, isSettled: false });
    open();
    await turn();
    expect(rig.rebalanced).toEqual([]);
    rig.rebalances.assigned([tp(3)], { ...SETTLED, generation: 4 });
    await turn();
    const { durationMs, ...event } = rig.rebalanced[0] ?? { durationMs: -1 };
    const moved = { assigned: [tp(2), tp(3)], revoked: [tp(1)], lost: [] };
    expect(event).toEqual({ cause: 'another member', generation: 4, memberId: 'me', ...moved });
    expect(durationMs).toBeGreaterThan(0);
  });
});
