import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { ModelClient } from './consumer-model/client.ts';
import { Simulation } from './consumer-model/simulation.ts';

// Random histories of several members of a KIP-848 group against a model of the coordinator, in virtual time. What must hold at each step is
// checked inside the simulation; here, what must hold once the faults have stopped.

const HISTORIES = Number(process.env['GROUP_HISTORIES'] ?? 1_500);
/** Twice the session (10 s) and the rebalance timeout (15 s), and something for back-off: then all must be well. */
const SETTLING_MS = 90_000;

type Step =
  | { do: 'start'; instance: number | null; topics: string[]; latencyMs: number }
  | { do: 'subscribe'; who: number; topics: string[] }
  | {
      do:
        'unsubscribe' | 'close' | 'crash' | 'break' | 'lose-answer' | 'poll-expired' | 'polled' | 'commit' | 'refresh';
      who: number;
    }
  | { do: 'silence'; who: number; silent: boolean }
  | { do: 'slow-application'; who: number; delayMs: number }
  | { do: 'metadata-lags'; who: number; refreshes: number }
  | { do: 'error'; who: number; code: number; times: number }
  | { do: 'move' | 'make-topic-again' | 'add-partition' | 'hide-coordinator' | 'show-coordinator' }
  | { do: 'wait'; ms: number };

const who = fc.nat(5);
const topics = fc.constantFrom<string[]>(['a'], ['b'], ['a', 'b'], ['a', 'missing']);
const step = fc.oneof<fc.MaybeWeightedArbitrary<Step>[]>(
  {
    weight: 7,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      ms: fc.constantFrom(1, 7, 30, 110, 1_000, 4_000, 12_000, 20_000),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('start' as const),
      instance: fc.constantFrom(null, null, null, 1, 2),
      topics,
      latencyMs: fc.integer({ min: 1, max: 40 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('subscribe' as const), who, topics }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constantFrom(
        'unsubscribe' as const,
        'close' as const,
        'crash' as const,
        'break' as const,
        'lose-answer' as const,
        'poll-expired' as const,
        'polled' as const,
        'commit' as const,
        'refresh' as const,
      ),
      who,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('silence' as const), who, silent: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('slow-application' as const),
      who,
      delayMs: fc.constantFrom(0, 5, 2_000, 9_000, 25_000),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('metadata-lags' as const), who, refreshes: fc.constantFrom(1, 2, 40) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('error' as const),
      who,
      code: fc.constantFrom(7, 14, 15, 16, 25, 29, 110, -1, 222),
      times: fc.constantFrom(1, 1, 1, 4, 40), // once, or for a while
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom(
        'move' as const,
        'make-topic-again' as const,
        'add-partition' as const,
        'hide-coordinator' as const,
        'show-coordinator' as const,
      ),
    }),
  },
);

function perform(simulation: Simulation, step: Step): void {
  if ('who' in step) {
    const client = simulation.clients[step.who];
    if (client?.isAlive === true) performOn(simulation, client, step);
    return;
  }
  switch (step.do) {
    case 'start': {
      const alive = simulation.clients.filter((client) => client.isAlive).length;
      const instance = step.instance === null ? null : `instance-${step.instance}`;
      if (alive < 6) simulation.start(step.latencyMs, instance, step.topics);
      return;
    }
    case 'wait':
      return simulation.run(step.ms);
    case 'move':
      return simulation.move();
    case 'make-topic-again':
      return simulation.makeTopic('b', 2);
    case 'add-partition':
      return simulation.addPartition('a');
    case 'hide-coordinator':
    case 'show-coordinator':
      simulation.isCoordinatorFound = step.do === 'show-coordinator';
  }
}

function performOn(simulation: Simulation, client: ModelClient, step: Extract<Step, { who: number }>): void {
  switch (step.do) {
    case 'subscribe':
      if (!client.isClosed) simulation.subscribe(client, step.topics);
      return;
    case 'unsubscribe':
    case 'close':
      client.wantsIn = false;
      client.isClosed ||= step.do === 'close';
      return simulation.feed(client, { type: step.do === 'close' ? 'close' : 'unsubscribed' });
    case 'crash':
      return simulation.crash(client);
    case 'break':
      return simulation.breakConnection(client);
    case 'lose-answer':
      client.losesNextAnswer = true;
      return;
    case 'poll-expired':
      return simulation.feed(client, { type: 'pollExpired' });
    case 'polled':
      return simulation.feed(client, { type: 'polled' });
    case 'commit':
      return simulation.commit(client);
    case 'refresh':
      return simulation.refresh(client);
    case 'silence':
      client.isSilent = step.silent;
      return;
    case 'slow-application':
      client.revokeDelayMs = step.delayMs;
      return;
    case 'metadata-lags':
      client.emptyRefreshes = step.refreshes;
      return;
    case 'error':
      for (let i = 0; i < step.times; i++) client.injected.push(step.code);
  }
}

/** No fault from here on, and everyone polls. */
function heal(simulation: Simulation): void {
  simulation.isCoordinatorFound = true;
  for (const client of simulation.clients) {
    client.injected = [];
    client.losesNextAnswer = false;
    client.isSilent = false;
    client.emptyRefreshes = 0;
    client.revokeDelayMs = 5;
    simulation.feed(client, { type: 'polled' });
  }
  simulation.run(SETTLING_MS);
}

function expectSettled(simulation: Simulation): void {
  const alive = simulation.clients.filter((client) => client.isAlive);
  for (const client of alive) {
    const expected = client.wantsIn ? 'stable' : 'unsubscribed';
    expect(`${client.name} ${client.group.state}`).toBe(`${client.name} ${expected}`);
    expect(client.hasLeft).toBe(client.isClosed);
    expect(client.isRevoking).toBe(false);
    if (client.wantsIn) expect(client.group.memberEpoch).toBe(simulation.broker.epoch);
  }
  const members = alive.filter((client) => client.wantsIn);
  const ids = [...simulation.broker.members.keys()].sort();
  expect(ids).toEqual(members.map(({ group }) => group.memberId).sort());
  const owned = members.flatMap((client) => [...client.reading.keys()]);
  const wanted = new Set(members.flatMap((client) => client.topics));
  const expected = [...simulation.broker.topics.values()]
    .filter(({ name }) => wanted.has(name))
    .flatMap(({ name, count }) => Array.from({ length: count }, (_, partition) => `${name}-${partition}`));
  expect(owned.sort()).toEqual(expected.sort());
}

it(`${HISTORIES} random histories end with every partition owned once`, { timeout: 120_000 }, () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 40 }), (steps) => {
      const simulation = new Simulation();
      simulation.start(3, null, ['a', 'b']);
      for (const one of steps) perform(simulation, one);
      heal(simulation);
      try {
        expectSettled(simulation);
        // A group without faults is at rest: no new epoch, nobody thrown out, for several sessions.
        const { epoch, expired } = simulation.broker;
        simulation.run(30_000);
        expectSettled(simulation);
        expect(simulation.broker.epoch).toBe(epoch);
        expect(simulation.broker.expired).toBe(expired);
      } catch (error) {
        throw new Error(`${String(error)}\n${simulation.trace}`, { cause: error });
      }
    }),
    { numRuns: HISTORIES },
  );
});
