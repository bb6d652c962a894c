import { afterEach, describe, expect, it } from 'vitest';
import { ConnectionError, type KafkaError } from '../../src/errors.ts';
import { Cluster, type ClusterOptions } from '../../src/network/cluster.ts';
import { apiVersions } from '../../src/protocol/api/api-versions.ts';
import { heartbeat } from '../../src/protocol/api/heartbeat.ts';
import { findCoordinator } from '../../src/protocol/api/find-coordinator.ts';
import { metadata } from '../../src/protocol/api/metadata.ts';
import { until } from '../harness/waiting.ts';
import { BlackHole } from './black-hole.ts';
import { ScriptedBroker, silence, versionsOf } from './scripted-broker.ts';
import { matching } from '../harness/matching.ts';

const CLOSED = new ConnectionError('closed', { retriable: false });
const TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAAAQ';
/** Chance that shuffles nothing: servers are asked in the order of their list. */
const IN_THIS_ORDER = (): number => 0.999;

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function startBroker(nodeId = 1): Promise<ScriptedBroker> {
  const broker = await ScriptedBroker.start({ nodeId });
  cleanups.push(() => broker.stop());
  return broker;
}

/** A port at which nothing listens. */
async function deadPort(): Promise<number> {
  const broker = await ScriptedBroker.start();
  await broker.stop();
  return broker.port;
}

interface TestCluster {
  cluster: Cluster;
  /** What `onUnreachable` was told. */
  troubles: KafkaError[];
  /** What `onPassedOver` was told. */
  passedOver: KafkaError[];
}

function clusterOf(ports: number[], options: Partial<ClusterOptions> = {}): TestCluster {
  const troubles: KafkaError[] = [];
  const passedOver: KafkaError[] = [];
  const cluster = new Cluster({
    bootstrapServers: ports.map((port) => ({ host: '127.0.0.1', port })),
    clientId: 'test',
    softwareVersion: '0',
    requestTimeoutMs: 2000,
    connectTimeoutMs: 2000,
    maxFrameBytes: 1 << 20,
    reconnectBackoffMs: 10,
    reconnectBackoffMaxMs: 50,
    metadataRecoveryStrategy: 'rebootstrap',
    metadataRecoveryRebootstrapTriggerMs: 300_000,
    allowAutoCreateTopics: false,
    random: IN_THIS_ORDER,
    onPassedOver: (error) => passedOver.push(error),
    onWaiting: () => undefined,
    onOverdue: () => undefined,
    onOddity: () => undefined,
    onUnreachable: (error) => troubles.push(error),
    ...options,
  });
  cleanups.push(() => cluster.close(CLOSED));
  return { cluster, troubles, passedOver };
}

function failureOf(promise: Promise<unknown>): Promise<KafkaError> {
  return promise.then(
    () => Promise.reject(new Error('it was resolved')),
    (error: KafkaError) => error,
  );
}

const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;

describe('bootstrap', () => {
  it('goes past dead entries', async () => {
    const broker = await startBroker();
    const { cluster, troubles } = clusterOf([await deadPort(), await deadPort(), broker.port]);
    await cluster.refreshMetadata([]);
    expect([...cluster.metadata.brokers.values()]).toEqual([
      { nodeId: 1, host: '127.0.0.1', port: broker.port, rack: null },
    ]);
    expect(troubles).toEqual([]);
  });

  it('with all down tries for ever, says so, and recovers by itself', async () => {
    const broker = await startBroker();
    await broker.stop();
    const { cluster, troubles } = clusterOf([broker.port]);
    const refreshed = cluster.refreshMetadata(['t']);
    const second = cluster.refreshMetadata(['u']);
    await until(() => troubles.length >= 3, { what: 'third failure', timeoutMs: 3000, intervalMs: 5 });
    expect(troubles[0]).toMatchObject({
      name: 'ConnectionError',
      message: matching(/connection refused/),
    });
    await broker.listen();
    await Promise.all([refreshed, second]);
    // One question for both askers.
    expect(broker.count(metadata)).toBe(1);
    expect(broker.received.at(-1)?.body).toMatchObject({ topics: [{ name: 't' }, { name: 'u' }] });
  });

  it('several that are down are all named', async () => {
    const ports = [await deadPort(), await deadPort()];
    const { troubles, cluster } = clusterOf(ports);
    const failed = failureOf(cluster.refreshMetadata([]));
    await until(() => troubles.length > 0, { what: 'failure', timeoutMs: 3000, intervalMs: 5 });
    for (const port of ports) expect(troubles[0]?.message).toContain(String(port));
    cluster.close(CLOSED);
    expect(await failed).toBe(CLOSED);
  });

  it('comes back to it when every known broker is gone (KIP-899)', async () => {
    const seed = await startBroker(1);
    const member = await startBroker(2);
    seed.cluster = [member];
    const { cluster } = clusterOf([seed.port]);
    await cluster.refreshMetadata([]);
    await member.stop();
    for (const socket of seed.sockets) socket.destroy();
    await until(() => seed.sockets.size === 0, { what: 'loss of the connection', timeoutMs: 2000 });
    seed.cluster = [seed];
    await cluster.refreshMetadata([]);
    expect([...cluster.metadata.brokers.keys()]).toEqual([1]);
  });

  it('comes back to it when a broker wants that (KIP-1102)', async () => {
    const seed = await startBroker(1);
    const outdated = await startBroker(2);
    outdated.on(metadata, (request) => ({ ...outdated.describe(request), brokers: [], errorCode: 129 }));
    seed.cluster = [outdated];
    const { cluster } = clusterOf([seed.port]);
    await cluster.refreshMetadata([]);
    for (const socket of seed.sockets) socket.destroy();
    await until(() => seed.sockets.size === 0, { what: 'loss of the connection', timeoutMs: 2000 });
    await cluster.refreshMetadata([]);
    expect(outdated.count(metadata)).toBe(1);
    expect(seed.count(metadata)).toBe(2);
  });

  it('and does not where metadataRecoveryStrategy is none', async () => {
    const seed = await startBroker(1);
    const member = await startBroker(2);
    seed.cluster = [member];
    const { cluster, troubles } = clusterOf([seed.port], { metadataRecoveryStrategy: 'none' });
    await cluster.refreshMetadata([]);
    await member.stop();
    for (const socket of seed.sockets) socket.destroy();
    await until(() => seed.sockets.size === 0, { what: 'loss of the connection', timeoutMs: 2000 });
    const refreshed = cluster.refreshMetadata([]);
    await until(() => troubles.length >= 3, { what: 'third failure', timeoutMs: 2000, intervalMs: 5 });
    expect(seed.count(metadata)).toBe(1);
    await member.listen();
    await refreshed;
  });

  it('begins anew when no broker has given metadata for metadataRecoveryRebootstrapTriggerMs (KIP-1102)', async () => {
    const seed = await startBroker(1);
    const member = await startBroker(2);
    const { cluster } = clusterOf([seed.port], { metadataRecoveryRebootstrapTriggerMs: 150 });
    seed.cluster = [seed, member];
    await cluster.refreshMetadata([]);
    const inUse = await cluster.connection(2, 'fetch');
    // Both can be reached and neither is of any use: without the trigger, what is known of them would stay.
    let isUseless = true;
    const answer = (broker: ScriptedBroker) => {
      broker.on(metadata, (request) => ({ ...broker.describe(request), errorCode: isUseless ? 41 : 0 }));
    };
    answer(seed);
    answer(member);
    const refreshed = cluster.refreshMetadata([]);
    expect(await inUse.closed).toMatchObject({
      name: 'ConnectionError',
      retriable: true,
      message: matching(/begins anew/),
    });
    expect(cluster.metadata.brokers.size).toBe(0);
    isUseless = false;
    seed.cluster = [seed];
    await refreshed;
    expect([...cluster.metadata.brokers.keys()]).toEqual([1]);
  });

  it('whoever could not answer is asked last the next time, and a refusal counts when all have refused', async () => {
    const brokers = [await startBroker(1), await startBroker(2)] as const;
    const [bad, good] = brokers;
    bad.on(metadata, (request) => ({ ...bad.describe(request), errorCode: 999 }));
    const { cluster, troubles, passedOver } = clusterOf(brokers.map(({ port }) => port));
    bad.cluster = good.cluster = [...brokers];
    await cluster.refreshMetadata([]);
    expect(passedOver).toMatchObject([{ code: 999, name: 'UNKNOWN_ERROR_CODE' }]);
    expect(troubles).toEqual([]);
    for (let i = 0; i < 3; i++) {
      for (const socket of good.sockets) socket.destroy();
      await until(() => good.sockets.size === 0, { what: 'loss of the connection', timeoutMs: 2000 });
      await cluster.refreshMetadata([]);
    }
    expect(bad.count(metadata)).toBe(1);
    good.on(metadata, (request) => ({ ...good.describe(request), errorCode: 31 }));
    bad.on(metadata, (request) => ({ ...bad.describe(request), errorCode: 31 }));
    expect(await failureOf(cluster.refreshMetadata([]))).toMatchObject({
      name: 'CLUSTER_AUTHORIZATION_FAILED',
      retriable: false,
    });
  });

  it('several that are all too old end the trying', async () => {
    const brokers = [await startBroker(1), await startBroker(2)];
    for (const broker of brokers) broker.on(apiVersions, () => versionsOf({ Fetch: [0, 7] }));
    const { cluster } = clusterOf(brokers.map(({ port }) => port));
    const error = await failureOf(cluster.refreshMetadata([]));
    expect(error).toMatchObject({ code: 35, retriable: false, message: matching(/too old.*; .*too old/) });
  });

  it('a broker that is too old ends the trying', async () => {
    const broker = await startBroker();
    broker.on(apiVersions, () => versionsOf({ Metadata: null }));
    const { cluster } = clusterOf([broker.port]);
    expect(await failureOf(cluster.refreshMetadata([]))).toMatchObject({ name: 'UnsupportedVersionError' });
    broker.on(apiVersions, () => versionsOf());
    // and the next question begins anew
    for (const socket of broker.sockets) socket.destroy();
    await until(() => broker.sockets.size === 0, { what: 'loss of the connection', timeoutMs: 2000 });
    await cluster.refreshMetadata([]);
  });
});

it('versions are each connection’s own: brokers of one cluster differ while it is upgraded', async () => {
  const old = await startBroker(1);
  const recent = await startBroker(2);
  old.on(apiVersions, () => versionsOf({ Heartbeat: [0, 2], Metadata: [0, 7], FindCoordinator: [0, 2] }));
  for (const broker of [old, recent]) broker.on(heartbeat, () => ({ throttleTimeMs: 0, errorCode: 0 }));
  old.cluster = recent.cluster = [old, recent];
  const { cluster } = clusterOf([old.port, recent.port]);
  await cluster.refreshMetadata([]);
  const beat = { groupId: 'g', generationId: 1, memberId: 'm', groupInstanceId: null };
  for (const nodeId of [1, 2]) await (await cluster.connection(nodeId, 'coordinator')).send(heartbeat, beat);
  const versions = [old, recent].map(({ received }) => received.find(({ api }) => api === 'Heartbeat')?.version);
  expect(versions).toEqual([2, 4]);
  // Upgraded meanwhile: the next connection asks anew.
  old.on(apiVersions, () => versionsOf());
  for (const socket of old.sockets) socket.destroy();
  await until(() => old.sockets.size === 0, { what: 'loss of the connections', timeoutMs: 2000 });
  await (await cluster.connection(1, 'coordinator')).send(heartbeat, beat);
  expect(old.received.at(-1)).toMatchObject({ api: 'Heartbeat', version: 4 });
});

describe('a broker that is silent', () => {
  it.each(['that accepts connections', 'that lets no connection through'])(
    'as the first of the list, one %s: the next one is asked beside it',
    async (kind) => {
      const broker = await startBroker(2);
      const isHole = kind === 'that lets no connection through';
      const hole = isHole ? await BlackHole.open() : null;
      if (hole !== null) cleanups.push(() => hole.close());
      const mute = await startBroker(1);
      mute.on(apiVersions, silence);
      const { cluster, troubles, passedOver } = clusterOf([hole?.port ?? mute.port, broker.port], {
        requestTimeoutMs: 60_000,
        connectTimeoutMs: 60_000,
      });
      await cluster.refreshMetadata([]);
      expect([...cluster.metadata.brokers.keys()]).toEqual([2]);
      // It has not failed: nobody has waited for its deadline.
      expect({ troubles, passedOver }).toEqual({ troubles: [], passedOver: [] });
      expect(await cluster.findCoordinator('g')).toBe(2);
    },
  );

  it('in the middle of a connection: the next one is asked beside it, and the silent one is last from then on', async () => {
    const brokers = [await startBroker(1), await startBroker(2)] as const;
    for (const broker of brokers) broker.cluster = [...brokers];
    const [mute, good] = brokers;
    const { cluster, passedOver } = clusterOf([mute.port], { requestTimeoutMs: 60_000 });
    await cluster.refreshMetadata([]);
    mute.on(metadata, silence).on(findCoordinator, silence);
    await cluster.refreshMetadata([]);
    expect(passedOver).toEqual([]);
    const asked = mute.received.length;
    expect(await cluster.findCoordinator('g')).toBe(2);
    await cluster.refreshMetadata([]);
    expect(good.count(metadata)).toBe(2);
    expect(mute.received.length).toBe(asked);
  });

  it('on the connection of the group is not the first to be asked for the coordinator', async () => {
    const brokers = [await startBroker(1), await startBroker(2)] as const;
    for (const broker of brokers) broker.cluster = [...brokers];
    const [mute, good] = brokers;
    const { cluster } = clusterOf([mute.port]);
    await cluster.refreshMetadata([]);
    mute.on(heartbeat, silence);
    const connection = await cluster.connection(1, 'coordinator');
    const beat = { groupId: 'g', generationId: 1, memberId: 'm', groupInstanceId: null };
    await failureOf(connection.send(heartbeat, beat, { timeoutMs: 20 }));
    expect(await cluster.findCoordinator('g')).toBe(2);
    expect([mute, good].map((broker) => broker.count(findCoordinator))).toEqual([0, 1]);
  });
});

describe('what takes too long', () => {
  it('is told while it lasts: an answer, and a connection', async () => {
    const brokers = [await startBroker(1), await startBroker(2)] as const;
    for (const broker of brokers) broker.cluster = [...brokers];
    const told: [number, string | null][] = [];
    const { cluster } = clusterOf([brokers[1].port], {
      requestTimeoutMs: 60_000,
      connectTimeoutMs: 60_000,
      onOverdue: (...each) => told.push(each),
    });
    await cluster.refreshMetadata([]);
    const hole = await BlackHole.open();
    cleanups.push(() => hole.close());
    cluster.metadata.brokers.set(3, { nodeId: 3, host: '127.0.0.1', port: hole.port, rack: null });
    const connecting = failureOf(cluster.connection(3, 'fetch'));
    brokers[0].on(heartbeat, silence);
    const beat = { groupId: 'g', generationId: 1, memberId: 'm', groupInstanceId: null };
    const sent = failureOf((await cluster.connection(1, 'coordinator')).send(heartbeat, beat));
    await until(() => [1, 3].every((nodeId) => told.filter((each) => each[0] === nodeId).length >= 2), {
      what: 'both, twice',
      timeoutMs: 20_000,
    });
    expect(told.find(([nodeId]) => nodeId === 1)?.[1]).toMatch(/Heartbeat is overdue after \d+ ms/);
    expect(told.find(([nodeId]) => nodeId === 3)?.[1]).toMatch(/a connection is overdue after \d+ ms/);
    expect(told.filter(([, message]) => message !== null)).toHaveLength(2);
    cluster.close(CLOSED);
    expect(await Promise.all([connecting, sent])).toEqual([CLOSED, CLOSED]);
  });

  it('a fetch at a silent broker ends when others lead what it led', async () => {
    const brokers = [await startBroker(1), await startBroker(2)] as const;
    for (const broker of brokers) broker.cluster = [...brokers];
    const [silent, other] = brokers;
    silent.topics.set('t', { topicId: TOPIC_ID, leaderEpochs: [1] });
    other.topics.set('t', { topicId: TOPIC_ID, leaderEpochs: [2] });
    const told: number[] = [];
    const { cluster } = clusterOf([silent.port], {
      requestTimeoutMs: 600_000,
      onOverdue: (nodeId) => told.push(nodeId),
    });
    await cluster.refreshMetadata(['t']);
    silent.on(heartbeat, silence); // as good as any other request
    const beat = { groupId: 'g', generationId: 1, memberId: 'm', groupInstanceId: null };
    const fetching = failureOf((await cluster.connection(1, 'fetch')).send(heartbeat, beat));
    await until(() => told.length > 0, { what: 'an overdue answer', timeoutMs: 20_000 });
    expect((await cluster.connection(1, 'fetch')).isOpen).toBe(true); // it leads still
    await cluster.refreshMetadata(['t']);
    expect(cluster.metadata.partition('t', 0)).toMatchObject({ leader: 2 });
    expect(await fetching).toMatchObject({ retriable: true, message: matching(/is silent, and others lead/) });
  });

  it('a connection to where a broker was ends when metadata says where it is', async () => {
    const broker = await startBroker(1);
    const { cluster } = clusterOf([broker.port], { connectTimeoutMs: 600_000, reconnectBackoffMs: 1 });
    await cluster.refreshMetadata([]);
    const hole = await BlackHole.open();
    cleanups.push(() => hole.close());
    cluster.metadata.brokers.set(1, { nodeId: 1, host: '127.0.0.1', port: hole.port, rack: null });
    const connecting = failureOf(cluster.connection(1, 'fetch'));
    await until(() => cluster.traffic().some(({ address }) => address.endsWith(`:${hole.port}`)), {
      what: 'an attempt',
      timeoutMs: 5000,
    });
    await cluster.refreshMetadata([]);
    expect(await connecting).toMatchObject({ retriable: true, message: matching(/broker 1 is at 127.0.0.1:\d+ now/) });
    expect((await cluster.connection(1, 'fetch')).address).toBe(`127.0.0.1:${broker.port}`);
  });
});

describe('whom to ask', () => {
  it('is chance, at the first time and whenever there is no connection', async () => {
    const brokers = [await startBroker(1), await startBroker(2), await startBroker(3)];
    for (const broker of brokers) broker.cluster = brokers;
    const ports = brokers.map(({ port }) => port);
    for (const random of [0, 0.4, 0.999]) await clusterOf(ports, { random: () => random }).cluster.refreshMetadata([]);
    expect(brokers.map((broker) => broker.count(metadata))).toEqual([1, 1, 1]);
  });

  it('is another broker after an answer that did not help, until all have been asked', async () => {
    const brokers = [await startBroker(1), await startBroker(2), await startBroker(3)];
    for (const broker of brokers) broker.cluster = brokers;
    const { cluster } = clusterOf(brokers.map(({ port }) => port));
    await cluster.refreshMetadata([]);
    await cluster.refreshMetadata([]);
    expect(brokers.map((broker) => broker.count(metadata))).toEqual([2, 0, 0]);
    for (let i = 0; i < 2; i++) {
      cluster.doubtMetadata();
      await cluster.refreshMetadata([]);
    }
    expect(brokers.map((broker) => broker.count(metadata))).toEqual([2, 1, 1]);
  });

  it('is another broker where one knows of no coordinator', async () => {
    const brokers = [await startBroker(1), await startBroker(2)];
    for (const broker of brokers) broker.cluster = brokers;
    brokers[0]?.on(findCoordinator, () => {
      const unknown = { key: 'g', nodeId: -1, host: '', port: -1, errorCode: 15, errorMessage: null };
      const nothing = { errorCode: 0, errorMessage: null, nodeId: 0, host: '', port: 0 };
      return { throttleTimeMs: 0, ...nothing, coordinators: [unknown] };
    });
    const { cluster } = clusterOf(brokers.map(({ port }) => port));
    expect(await failureOf(cluster.findCoordinator('g'))).toMatchObject({ name: 'COORDINATOR_NOT_AVAILABLE' });
    expect(await cluster.findCoordinator('g')).toBe(2);
  });
});

describe('connections', () => {
  const BEAT = { groupId: 'g', generationId: 1, memberId: 'm', groupInstanceId: null };

  async function known(options: Partial<ClusterOptions> = {}): Promise<TestCluster & { broker: ScriptedBroker }> {
    const broker = await startBroker();
    const made = clusterOf([broker.port], options);
    await made.cluster.refreshMetadata([]);
    return { broker, ...made };
  }

  it('one per broker and purpose, shared by all who ask', async () => {
    const { broker, cluster } = await known();
    const [first, second, other] = await Promise.all([
      cluster.connection(1, 'fetch'),
      cluster.connection(1, 'fetch'),
      cluster.connection(1, 'coordinator'),
    ]);
    expect(second).toBe(first);
    expect(other).not.toBe(first);
    expect(broker.sockets.size).toBe(3);
  });

  it('one that was closed is replaced, also within the same moment', async () => {
    const { cluster } = await known();
    const first = await cluster.connection(1, 'coordinator');
    first.close();
    const second = await cluster.connection(1, 'coordinator');
    expect(second).not.toBe(first);
    expect(second.isOpen).toBe(true);
  });

  it('one whose request timed out is replaced', async () => {
    const { broker, cluster } = await known();
    broker.on(heartbeat, silence);
    const first = await cluster.connection(1, 'coordinator');
    expect(await failureOf(first.send(heartbeat, BEAT, { timeoutMs: 50 }))).toMatchObject({
      name: 'RequestTimeoutError',
    });
    broker.on(heartbeat, () => ({ throttleTimeMs: 0, errorCode: 0 }));
    const second = await cluster.connection(1, 'coordinator');
    await second.send(heartbeat, BEAT);
  });

  it('to a broker that nobody knows', async () => {
    const { cluster } = await known();
    expect(await failureOf(cluster.connection(9, 'fetch'))).toMatchObject({ name: 'ConnectionError', retriable: true });
  });

  it('back off after failures, the longer the more there were, and take up a new address', async () => {
    const { broker, cluster } = await known({ reconnectBackoffMs: 40, reconnectBackoffMaxMs: 80 });
    await broker.stop();
    await failureOf(cluster.connection(1, 'fetch'));
    const start = performance.now();
    await failureOf(cluster.connection(1, 'fetch'));
    await failureOf(cluster.connection(1, 'fetch'));
    expect(performance.now() - start).toBeGreaterThan(40 + 80 - 5);
    const moved = await startBroker(1);
    const waiting = cluster.connection(1, 'fetch');
    cluster.metadata.update({ ...moved.describe({ ...ASK_NOTHING }) });
    expect((await waiting).address).toBe(`127.0.0.1:${moved.port}`);
  });
});

const ASK_NOTHING = {
  topics: [],
  allowAutoTopicCreation: false,
  includeClusterAuthorizedOperations: false,
  includeTopicAuthorizedOperations: false,
};

describe('close()', () => {
  it('ends a back-off, leaves no timer, and rejects what is pending and what comes', async () => {
    const before = timers();
    const { cluster, troubles } = clusterOf([await deadPort()], {
      reconnectBackoffMs: 60_000,
      reconnectBackoffMaxMs: 60_000,
    });
    const first = failureOf(cluster.refreshMetadata([]));
    await until(() => troubles.length === 1, { what: 'failure', timeoutMs: 2000, intervalMs: 5 });
    const second = failureOf(cluster.refreshMetadata(['t']));
    cluster.close(CLOSED);
    cluster.close(new ConnectionError('twice'));
    expect(await Promise.all([first, second])).toEqual([CLOSED, CLOSED]);
    expect(await failureOf(cluster.refreshMetadata([]))).toBe(CLOSED);
    expect(await failureOf(cluster.findCoordinator('g'))).toBe(CLOSED);
    expect(timers()).toBeLessThanOrEqual(before);
  });

  it('ends connections that are open, on their way and waiting, and a request in flight', async () => {
    const broker = await startBroker();
    const { cluster } = clusterOf([broker.port]);
    await cluster.refreshMetadata([]);
    await cluster.connection(1, 'fetch');
    broker.on(apiVersions, silence).on(metadata, silence);
    const pending = [cluster.connection(1, 'lookup'), cluster.refreshMetadata(['t']), cluster.refreshMetadata(['u'])];
    const failures = Promise.all(pending.map(failureOf));
    await until(() => broker.count(metadata) === 2 && broker.count(apiVersions) === 3, {
      what: 'requests',
      timeoutMs: 2000,
      intervalMs: 5,
    });
    cluster.close(CLOSED);
    expect(await failures).toEqual([CLOSED, CLOSED, CLOSED]);
    await until(() => broker.sockets.size === 0, { what: 'end of the connections', timeoutMs: 2000 });
  });
});

describe('the coordinator look-up', () => {
  it.each([
    ['one key at a time', { FindCoordinator: [0, 3] as [number, number] }],
    ['many keys at once (KIP-699)', {}],
  ])('%s', async (_, ranges) => {
    const broker = await startBroker(7);
    broker.on(apiVersions, () => versionsOf(ranges));
    const { cluster } = clusterOf([broker.port]);
    expect(await cluster.findCoordinator('g')).toBe(7);
    expect((await cluster.connection(7, 'coordinator')).address).toBe(`127.0.0.1:${broker.port}`);
  });
});

describe('topics', () => {
  it('are taken in with leaders, epochs and ids', async () => {
    const broker = await startBroker(3);
    broker.topics.set('t', { topicId: TOPIC_ID, leaderEpochs: [4, 5] });
    const { cluster } = clusterOf([broker.port]);
    await cluster.refreshMetadata(['t', 'missing']);
    expect(cluster.metadata.partition('t', 1)).toMatchObject({ leader: 3, leaderEpoch: 5 });
    expect(cluster.metadata.topicId('t')).toBe(TOPIC_ID);
    expect(cluster.metadata.topicName(TOPIC_ID)).toBe('t');
    expect(cluster.metadata.topics.get('missing')).toMatchObject({ errorCode: 3, partitions: [] });
    expect(cluster.metadata.topicId('missing')).toBeNull();
  });
});

it('traffic is counted by address, and that of brokers which are gone is forgotten one day', async () => {
  const broker = await startBroker(1);
  const { cluster } = clusterOf([broker.port]);
  await cluster.refreshMetadata([]);
  for (let port = 1; port <= 40; port++) {
    cluster.metadata.brokers.set(1, { nodeId: 1, host: '127.0.0.1', port, rack: null });
    await failureOf(cluster.connection(1, 'fetch'));
  }
  await cluster.refreshMetadata([]);
  await cluster.connection(1, 'fetch');
  const rows = cluster.traffic();
  expect(rows.length).toBeLessThan(40);
  expect(rows.find(({ nodeId }) => nodeId === 1)).toMatchObject({ connections: 2, requests: 4 });
});
