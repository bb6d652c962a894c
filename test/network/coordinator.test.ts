import { afterEach, describe, expect, it } from 'vitest';
import { ConnectionError, type KafkaError } from '../../src/errors.ts';
import { Cluster } from '../../src/network/cluster.ts';
import { Coordinator } from '../../src/network/coordinator.ts';
import { apiVersions } from '../../src/protocol/api/api-versions.ts';
import { findCoordinator, type FindCoordinatorResponse } from '../../src/protocol/api/find-coordinator.ts';
import { heartbeat } from '../../src/protocol/api/heartbeat.ts';
import { joinGroup } from '../../src/protocol/api/join-group.ts';
import { matching } from '../harness/matching.ts';
import { until } from '../harness/waiting.ts';
import { ScriptedBroker, silence, versionsOf } from './scripted-broker.ts';

const CLOSED = new ConnectionError('closed', { retriable: false });
const BEAT = { groupId: 'g', generationId: 1, memberId: 'm', groupInstanceId: null };
const JOIN = {
  groupId: 'g',
  sessionTimeoutMs: 1000,
  rebalanceTimeoutMs: 1000,
  memberId: 'm',
  groupInstanceId: null,
  protocolType: 'consumer',
  protocols: [],
  reason: null,
};
const OK = { throttleTimeMs: 0, errorCode: 0 };

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Rig {
  brokers: ScriptedBroker[];
  coordinator: Coordinator;
  lost: KafkaError[];
}

async function rig(count = 1): Promise<Rig> {
  const brokers: ScriptedBroker[] = [];
  for (let nodeId = 1; nodeId <= count; nodeId++) {
    const broker = await ScriptedBroker.start({ nodeId });
    broker.on(heartbeat, () => OK);
    brokers.push(broker);
    cleanups.push(() => broker.stop());
  }
  const lost: KafkaError[] = [];
  const cluster = new Cluster({
    bootstrapServers: brokers.slice(0, 1).map(({ host, port }) => ({ host, port })),
    clientId: 'test',
    softwareVersion: '0',
    requestTimeoutMs: 2000,
    connectTimeoutMs: 2000,
    maxFrameBytes: 1 << 20,
    reconnectBackoffMs: 10,
    reconnectBackoffMaxMs: 20,
    metadataRecoveryStrategy: 'rebootstrap',
    metadataRecoveryRebootstrapTriggerMs: 300_000,
    allowAutoCreateTopics: false,
    random: () => 0,
    onPassedOver: () => undefined,
    onWaiting: () => undefined,
    onOverdue: () => undefined,
    onOddity: () => undefined,
    onUnreachable: () => undefined,
  });
  cleanups.push(() => cluster.close(CLOSED));
  return { brokers, coordinator: new Coordinator(cluster, 'g', (error) => lost.push(error)), lost };
}

function failureOf(promise: Promise<unknown>): Promise<KafkaError> {
  return promise.then(
    () => Promise.reject(new Error('it was resolved')),
    (error: KafkaError) => error,
  );
}

function answerOf(broker: ScriptedBroker, errorCode = 0): FindCoordinatorResponse {
  const { nodeId, host, port } = broker;
  const coordinators = [{ key: 'g', nodeId, host, port, errorCode, errorMessage: null }];
  return { throttleTimeMs: 0, errorCode: 0, errorMessage: null, nodeId: 0, host: '', port: 0, coordinators };
}

function first<T>([item]: T[]): T {
  if (item === undefined) throw new Error('there is none');
  return item;
}

describe('look-up and connection', () => {
  it('one for all who ask at the same time', async () => {
    const { brokers, coordinator } = await rig();
    const broker = first(brokers);
    await Promise.all([
      coordinator.send(heartbeat, BEAT),
      coordinator.versionOf(heartbeat),
      coordinator.send(heartbeat, BEAT),
    ]);
    expect(broker.count(findCoordinator)).toBe(1);
    expect(broker.connectionCount).toBe(2);
    expect(coordinator.name).toBe(`1 (127.0.0.1:${broker.port})`);
  });

  it('an error code is thrown, and the next call looks again', async () => {
    const { brokers, coordinator } = await rig();
    const broker = first(brokers);
    broker.on(findCoordinator, () => answerOf(broker, broker.count(findCoordinator) === 1 ? 15 : 0));
    expect(await failureOf(coordinator.find())).toMatchObject({ code: 15, name: 'COORDINATOR_NOT_AVAILABLE' });
    expect(coordinator.name).toBe('unknown');
    await coordinator.find();
    await coordinator.send(heartbeat, BEAT);
  });

  it('a coordinator that cannot be reached is looked up again', async () => {
    const { brokers, coordinator } = await rig(2);
    const [seed, other] = brokers as [ScriptedBroker, ScriptedBroker];
    seed.on(findCoordinator, () => answerOf(seed.count(findCoordinator) === 1 ? other : seed));
    await other.stop();
    expect(await failureOf(coordinator.find())).toMatchObject({ name: 'ConnectionError', retriable: true });
    await coordinator.send(heartbeat, BEAT);
    expect(coordinator.name).toMatch(/^1 /);
  });
});

describe('loss', () => {
  it('of a connection in use is told once; the next request connects again, to the same broker', async () => {
    const { brokers, coordinator, lost } = await rig();
    const broker = first(brokers);
    await coordinator.send(heartbeat, BEAT);
    for (const socket of broker.sockets) socket.destroy();
    await until(() => lost.length === 1, { what: 'report', timeoutMs: 2000, intervalMs: 5 });
    await coordinator.send(heartbeat, BEAT);
    expect(broker.count(findCoordinator)).toBe(1);
    expect(lost).toHaveLength(1);
  });

  it('disconnect() fails what is in flight, tells nobody, and the next request leaves at once on a new connection', async () => {
    const { brokers, coordinator, lost } = await rig();
    const broker = first(brokers);
    broker.on(heartbeat, () => (broker.count(heartbeat) === 1 ? undefined : OK));
    await coordinator.find();
    const inFlight = failureOf(coordinator.send(heartbeat, BEAT));
    await until(() => broker.count(heartbeat) === 1, { what: 'Heartbeat', timeoutMs: 2000, intervalMs: 5 });
    // As the group machine does when it closes in the middle of a JoinGroup: drop, then LeaveGroup, in one breath.
    coordinator.disconnect();
    const next = coordinator.send(heartbeat, BEAT);
    await expect(next).resolves.toMatchObject(OK);
    expect(await inFlight).toMatchObject({ name: 'ConnectionError', retriable: true });
    expect(broker.count(findCoordinator)).toBe(1);
    expect(lost).toEqual([]);
    await until(() => broker.sockets.size === 2, { what: 'end of the old connection', timeoutMs: 2000 });
  });
});

describe('doubt', () => {
  /** Broker 1 coordinates; broker 2, who is asked next, says `moved.to`. */
  async function doubted() {
    const made = await rig(2);
    const [old, other] = made.brokers as [ScriptedBroker, ScriptedBroker];
    const moved = { to: old };
    for (const broker of made.brokers) broker.cluster = made.brokers;
    for (const broker of made.brokers) broker.on(findCoordinator, () => answerOf(moved.to));
    await made.coordinator.find();
    return { ...made, old, other, moved };
  }

  it('of a silent coordinator: where another broker has taken over, what is in flight fails and that is told', async () => {
    const { coordinator, lost, old, other, moved } = await doubted();
    old.on(heartbeat, silence);
    const inFlight = failureOf(coordinator.send(heartbeat, BEAT));
    await until(() => old.count(heartbeat) === 1, { what: 'Heartbeat', timeoutMs: 2000, intervalMs: 5 });
    await coordinator.doubt(1);
    expect(lost).toEqual([]); // it still is
    moved.to = other;
    await coordinator.doubt(2);
    expect(lost).toEqual([]); // another broker than the coordinator is silent
    await coordinator.doubt(1);
    expect(lost).toMatchObject([{ retriable: true, message: matching(/broker 2 now/) }]);
    expect(await inFlight).toMatchObject({ name: 'ConnectionError', retriable: true });
    await coordinator.send(heartbeat, BEAT);
    expect(other.count(heartbeat)).toBe(1);
  });

  it('of one that does not take the connection: whoever waits for it hears at once', async () => {
    const { coordinator, lost, old, other, moved } = await doubted();
    coordinator.disconnect();
    await until(() => old.sockets.size < 2, { what: 'end of the connection', timeoutMs: 2000, intervalMs: 5 });
    old.on(apiVersions, silence);
    const asked = old.count(apiVersions);
    const waiting = failureOf(coordinator.send(heartbeat, BEAT));
    await until(() => old.count(apiVersions) > asked, { what: 'ApiVersions', timeoutMs: 2000, intervalMs: 5 });
    moved.to = other;
    await coordinator.doubt(1);
    expect(await waiting).toMatchObject({ name: 'ConnectionError', retriable: true });
    expect(lost).toEqual([]);
    await coordinator.send(heartbeat, BEAT);
    expect(other.count(heartbeat)).toBe(1);
  });
});

describe('while the rest of the group is waited for', () => {
  it('a look-up goes over another connection, and over the same one otherwise', async () => {
    const { brokers, coordinator } = await rig();
    const broker = first(brokers);
    broker.on(joinGroup, silence);
    await coordinator.lookUp(heartbeat, BEAT);
    await coordinator.send(heartbeat, BEAT);
    const joining = failureOf(coordinator.send(joinGroup, JOIN));
    await until(() => broker.count(joinGroup) === 1, { what: 'JoinGroup', timeoutMs: 2000, intervalMs: 5 });
    await coordinator.lookUp(heartbeat, BEAT);
    const sockets = broker.received.filter(({ api }) => api === 'Heartbeat').map(({ socket }) => socket);
    const joined = broker.received.find(({ api }) => api === 'JoinGroup')?.socket;
    expect(sockets.map((socket) => socket === joined)).toEqual([true, true, false]);
    coordinator.disconnect();
    await joining;
  });
});

it('what depends on the version is said in that of the connection that carries it', async () => {
  const { brokers, coordinator } = await rig();
  const broker = first(brokers);
  broker.on(apiVersions, () => versionsOf({ Heartbeat: [0, broker.connectionCount <= 2 ? 4 : 1] }));
  const said: number[] = [];
  const beat = (version: number) => {
    said.push(version);
    return BEAT;
  };
  await coordinator.send(heartbeat, beat);
  coordinator.disconnect();
  await coordinator.send(heartbeat, beat);
  await coordinator.send(heartbeat, beat, { maxVersion: 0 });
  expect(said).toEqual([4, 1, 0]);
  expect(broker.received.filter(({ api }) => api === 'Heartbeat').map(({ version }) => version)).toEqual(said);
});

describe('forget() during a look-up', () => {
  it('what waited for the old one fails; the late answer neither counts nor leaves a connection behind', async () => {
    const { brokers, coordinator } = await rig(2);
    const [seed, old] = brokers as [ScriptedBroker, ScriptedBroker];
    let connectOld: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (connectOld = resolve));
    old.on(apiVersions, () => gate.then(() => versionsOf()));
    seed.on(findCoordinator, () => answerOf(seed.count(findCoordinator) === 1 ? old : seed));
    const early = failureOf(coordinator.send(heartbeat, BEAT));
    await until(() => old.count(apiVersions) === 1, {
      what: 'connection to the old one',
      timeoutMs: 2000,
      intervalMs: 5,
    });
    await coordinator.find();
    connectOld();
    expect(await early).toMatchObject({ name: 'ConnectionError', retriable: true });
    expect(coordinator.name).toMatch(/^1 /);
    await until(() => old.sockets.size === 0, { what: 'end of the late connection', timeoutMs: 2000 });
    expect(old.count(heartbeat)).toBe(0);
    await coordinator.send(heartbeat, BEAT);
  });

  it('the same broker found again keeps the connection that was on its way', async () => {
    const { brokers, coordinator, lost } = await rig();
    const broker = first(brokers);
    const early = failureOf(coordinator.send(heartbeat, BEAT));
    await coordinator.find();
    await early;
    await coordinator.send(heartbeat, BEAT);
    expect(lost).toEqual([]);
    await until(() => broker.sockets.size === 2, {
      what: 'one connection for look-ups, one for the group',
      timeoutMs: 2000,
    });
  });

  it('close of the cluster ends it', async () => {
    const { brokers, coordinator } = await rig();
    first(brokers).on(findCoordinator, silence);
    const pending = failureOf(coordinator.find());
    await until(() => first(brokers).count(findCoordinator) === 1, { what: 'look-up', timeoutMs: 2000, intervalMs: 5 });
    await cleanups.pop()?.();
    expect(await pending).toBe(CLOSED);
  });
});
