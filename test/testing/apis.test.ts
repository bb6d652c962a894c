import Long from 'long';
import { describe, expect, it } from 'vitest';
import { apiVersions } from '../../src/protocol/api/api-versions.ts';
import { createTopics } from '../../src/protocol/api/create-topics.ts';
import { findCoordinator } from '../../src/protocol/api/find-coordinator.ts';
import { listOffsets } from '../../src/protocol/api/list-offsets.ts';
import { metadata, type MetadataRequest } from '../../src/protocol/api/metadata.ts';
import { offsetForLeaderEpoch } from '../../src/protocol/api/offset-for-leader-epoch.ts';
import { produce } from '../../src/protocol/api/produce.ts';
import { encodeRecordBatch } from '../../src/testing/index.ts';
import { connect, NO_UUID, produceRequest, startKafka } from './rig.ts';
import { RawClient } from './raw-client.ts';

const SOFTWARE = { clientSoftwareName: 'raw', clientSoftwareVersion: '1' };

function asking(names: string[] | null, allowAutoTopicCreation = false): MetadataRequest {
  const topics = names?.map((name) => ({ topicId: NO_UUID, name })) ?? null;
  const operations = { includeClusterAuthorizedOperations: false, includeTopicAuthorizedOperations: false };
  return { topics, allowAutoTopicCreation, ...operations };
}

describe('ApiVersions', () => {
  it('names what is there in every version', async () => {
    const client = await connect(await startKafka());
    for (let version = 0; version <= apiVersions.maxVersion; version++) {
      const { errorCode, apiKeys } = await client.send(apiVersions, version, SOFTWARE);
      expect(errorCode).toBe(0);
      expect(apiKeys.map(({ apiKey }) => apiKey)).toEqual(
        expect.arrayContaining([0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 18, 19, 23]),
      );
      expect(apiKeys.find(({ apiKey }) => apiKey === 22)).toBeUndefined(); // InitProducerId: nobody does it here
    }
  });

  it('answers a version from the future in version 0, with the range of ApiVersions', async () => {
    const client = await connect(await startKafka());
    const frame = Buffer.from('0000000e' + '0012' + '0063' + '00000001' + '0003' + '616263' + '00', 'hex');
    client.socket.write(frame);
    const answer = await client.next();
    expect(answer?.toString('hex')).toBe('00000001' + '0023' + '00000001' + '001200000004');
    expect((await client.send(apiVersions, 4, SOFTWARE)).errorCode).toBe(0);
  });

  it('is what an old release had', async () => {
    const client = await connect(await startKafka({ versions: '2.1' }));
    const { apiKeys } = await client.send(apiVersions, 2, SOFTWARE);
    const range = (key: number): unknown => {
      const found = apiKeys.find(({ apiKey }) => apiKey === key);
      return found === undefined ? undefined : [found.minVersion, found.maxVersion];
    };
    expect([range(1), range(11), range(9), range(68)]).toEqual([[4, 10], [0, 3], [1, 5], undefined]);
  });

  it('is what the options say; what is not offered is refused with UNSUPPORTED_VERSION', async () => {
    const kafka = await startKafka({ topics: { t: 1 }, versions: { Metadata: [2, 5], OffsetForLeaderEpoch: null } });
    const client = await connect(kafka);
    const { apiKeys } = await client.send(apiVersions, 3, SOFTWARE);
    expect(apiKeys.find(({ apiKey }) => apiKey === 3)).toEqual({ apiKey: 3, minVersion: 2, maxVersion: 5 });
    expect(apiKeys.find(({ apiKey }) => apiKey === 23)).toBeUndefined();
    expect((await client.send(metadata, 9, asking(['t']))).topics[0]?.errorCode).toBe(35);
    const partitions = [{ partition: 0, currentLeaderEpoch: -1, leaderEpoch: 0 }];
    const epochs = await client.send(offsetForLeaderEpoch, 3, { replicaId: -1, topics: [{ topic: 't', partitions }] });
    expect(epochs.topics[0]?.partitions[0]?.errorCode).toBe(35);
    kafka.broker(1).setVersions('3.9');
    expect((await client.send(metadata, 9, asking(['t']))).topics[0]?.errorCode).toBe(0);
  });

  it.each(['1.0', 'newest'])('there is no release %s', async (versions) => {
    await expect(startKafka({ versions })).rejects.toThrow(/is not one of 2\.1, 2\.4/);
  });

  it.each([{ Nope: [0, 1] as const }, { Fetch: [0, 99] as const }, { Fetch: [6, 5] as const }])(
    '%j cannot be',
    async (versions) => {
      await expect(startKafka({ versions: versions as never })).rejects.toThrow(/versions: /);
    },
  );
});

describe('garbage', () => {
  it.each([
    ['an API that is not there', '0000000a' + '0016' + '0000' + '00000001' + '0000'],
    ['a version that nobody knows', '0000000a' + '0003' + '0063' + '00000001' + '0000'],
    ['a body that makes no sense', '0000000e' + '0003' + '0001' + '00000001' + '0000' + '7fffffff'],
    ['a length that cannot be', '7fffffff'],
  ])('%s closes the connection, and is told', async (_what, hex) => {
    const kafka = await startKafka();
    const client = await connect(kafka);
    const refused = new Promise((resolve) => kafka.once('refused', resolve));
    client.socket.write(Buffer.from(hex, 'hex'));
    expect(await client.next()).toBeNull();
    await expect(refused).resolves.toBeInstanceOf(Error);
  });

  it('is no reason to stop serving others; requests may come in pieces, and several at once', async () => {
    const kafka = await startKafka({ topics: { t: 1 } });
    const bad = await RawClient.open(kafka.broker(1).address);
    bad.socket.write('GET / HTTP/1.1\r\n\r\n');
    expect(await bad.next()).toBeNull();
    const client = await connect(kafka);
    for (let i = 0; i < 50; i++) client.post(metadata, 9, asking(['t']));
    for (let i = 1; i <= 50; i++) expect((await client.next())?.readInt32BE(0)).toBe(i);
  });
});

describe('Metadata', () => {
  it('names brokers, leaders and ids in every version', async () => {
    const kafka = await startKafka({
      brokers: [{ rack: 'a' }, {}, {}],
      topics: { t: 3, u: { partitions: 1, replicationFactor: 1 } },
    });
    const client = await connect(kafka);
    for (let version = 0; version <= metadata.maxVersion; version++) {
      const answer = await client.send(metadata, version, asking(['t'], version < 4));
      expect(answer.brokers.map(({ nodeId, host, port }) => `${nodeId}@${host}:${port}`)).toEqual(
        [1, 2, 3].map((id) => `${id}@${kafka.broker(id).address}`),
      );
      const [topic] = answer.topics;
      expect(topic?.partitions.map(({ leaderId }) => leaderId)).toEqual([1, 2, 3]);
      expect(topic?.partitions[0]?.replicaNodes).toEqual([1, 2, 3]);
      if (version >= 10) expect(topic?.topicId).toBe(kafka.topicId('t'));
      if (version >= 1) expect(answer.brokers[0]?.rack).toBe('a');
    }
    const all = await client.send(metadata, 12, asking(null));
    expect(all.topics.map(({ name }) => name)).toEqual(['t', 'u']);
    expect((await client.send(metadata, 0, asking([], true))).topics).toHaveLength(2);
    expect((await client.send(metadata, 12, asking(['t', 'u', 't']))).topics.map(({ name }) => name)).toEqual([
      't',
      'u',
    ]);
    expect((await client.send(metadata, 1, asking([], true))).topics).toHaveLength(0);
    const byId = { ...asking([]), topics: [{ topicId: kafka.topicId('u'), name: null }] };
    expect((await client.send(metadata, 12, byId)).topics[0]?.name).toBe('u');
    const unknown = { ...asking([]), topics: [{ topicId: 'AAAAAAAAAAAAAAAAAAAAAQ', name: null }] };
    expect((await client.send(metadata, 12, unknown)).topics[0]?.errorCode).toBe(100);
  });

  it('creates topics only if both sides want it', async () => {
    const kafka = await startKafka({ autoCreateTopics: true, defaultPartitions: 2 });
    const client = await connect(kafka);
    expect((await client.send(metadata, 9, asking(['new']))).topics[0]?.errorCode).toBe(3);
    expect((await client.send(metadata, 9, asking(['no spaces'], true))).topics[0]?.errorCode).toBe(17);
    expect((await client.send(metadata, 9, asking(['new'], true))).topics[0]?.partitions).toHaveLength(2);
    const strict = await connect(await startKafka());
    expect((await strict.send(metadata, 9, asking(['new'], true))).topics[0]?.errorCode).toBe(3);
  });

  it('follows topics that come, grow and go', async () => {
    const kafka = await startKafka();
    const client = await connect(kafka);
    kafka.createTopic('t');
    kafka.createPartitions('t', 3);
    const id = kafka.topicId('t');
    expect((await client.send(metadata, 10, asking(['t']))).topics[0]?.partitions).toHaveLength(3);
    kafka.deleteTopic('t');
    expect((await client.send(metadata, 10, asking(['t']))).topics[0]?.errorCode).toBe(3);
    kafka.createTopic('t');
    expect(kafka.topicId('t')).not.toBe(id);
    expect(() => kafka.createTopic('t')).toThrow(/exists already/);
    expect(() => kafka.createPartitions('t', 1)).toThrow(/can only get more/);
    expect(() => kafka.deleteTopic('u')).toThrow(/does not exist/);
  });
});

describe('ListOffsets', () => {
  it('finds first, last, by time and the largest time, in every version', async () => {
    const kafka = await startKafka({ topics: { t: 1 } });
    const records = [100, 300, 200].map((timestamp) => ({ value: 'x', timestamp }));
    await kafka.append('t', 0, records);
    await kafka.append('t', 0, ['open'], { transaction: 'open', timestamp: 50 });
    kafka.deleteRecords('t', 0, 1);
    const client = await connect(kafka);
    const ask = async (version: number, timestamp: number, isolationLevel = 0, epoch = -1): Promise<number[]> => {
      const partitions = [{ partitionIndex: 0, currentLeaderEpoch: epoch, timestamp: Long.fromNumber(timestamp) }];
      const body = { replicaId: -1, isolationLevel, topics: [{ name: 't', partitions }], timeoutMs: 0 };
      const found = (await client.send(listOffsets, version, body)).topics[0]?.partitions[0];
      return [found?.errorCode ?? -99, found?.offset.toNumber() ?? -99, found?.timestamp.toNumber() ?? -99];
    };
    for (let version = 1; version <= 10; version++) {
      expect(await ask(version, -2)).toEqual([0, 1, -1]);
      expect(await ask(version, -1)).toEqual([0, 4, -1]);
      expect(await ask(version, 150)).toEqual([0, 1, 300]);
      expect(await ask(version, 301)).toEqual([0, -1, -1]);
      expect((await ask(version, -3))[0]).toBe(version >= 7 ? 0 : 35);
    }
    expect(await ask(7, -3)).toEqual([0, 1, 300]);
    expect(await ask(2, -1, 1)).toEqual([0, 3, -1]);
    expect((await ask(4, -1, 0, 9))[0]).toBe(75);
    expect((await ask(11, -1))[0]).toBe(35);
  });

  it('is answered by leaders only', async () => {
    const kafka = await startKafka({ brokers: 2, topics: { t: 1 } });
    const partitions = [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp: Long.NEG_ONE }];
    const body = {
      replicaId: -1,
      isolationLevel: 0,
      topics: [
        { name: 't', partitions },
        { name: 'u', partitions },
      ],
      timeoutMs: 0,
    };
    const answer = await (await connect(kafka, 2)).send(listOffsets, 6, body);
    expect(answer.topics.map((topic) => topic.partitions[0]?.errorCode)).toEqual([6, 3]);
  });
});

describe('OffsetForLeaderEpoch', () => {
  it('tells where epochs end', async () => {
    const kafka = await startKafka({ brokers: 2, topics: { t: 1 } });
    await kafka.append('t', 0, ['a', 'b']);
    kafka.moveLeader('t', 0, 2);
    await kafka.append('t', 0, ['c']);
    const client = await connect(kafka, 2);
    const ask = async (leaderEpoch: number, currentLeaderEpoch = 1): Promise<number[]> => {
      const partitions = [{ partition: 0, currentLeaderEpoch, leaderEpoch }];
      const answer = await client.send(offsetForLeaderEpoch, 4, {
        replicaId: -1,
        topics: [{ topic: 't', partitions }],
      });
      const found = answer.topics[0]?.partitions[0];
      return [found?.errorCode ?? -99, found?.leaderEpoch ?? -99, found?.endOffset.toNumber() ?? -99];
    };
    expect(await ask(0)).toEqual([0, 0, 2]);
    expect(await ask(1)).toEqual([0, 1, 3]);
    expect(await ask(7)).toEqual([0, -1, -1]);
    expect(await ask(0, 0)).toEqual([74, -1, -1]);
    expect(await ask(0, 2)).toEqual([75, -1, -1]);
  });
});

describe('Produce', () => {
  const batch = (): Buffer => encodeRecordBatch([{ key: 'k', value: 'v', headers: [['h', null]] }], { timestamp: 77 });

  it('appends in every version', async () => {
    const kafka = await startKafka({ topics: { t: 1 } });
    const client = await connect(kafka);
    for (let version = 3; version <= 13; version++) {
      const topic = version >= 13 ? { topic: '', topicId: kafka.topicId('t') } : {};
      const answer = await client.send(produce, version, produceRequest(batch(), topic));
      const result = answer.responses[0]?.partitionResponses[0];
      expect([result?.errorCode, result?.baseOffset.toNumber()]).toEqual([0, version - 3]);
    }
    expect(kafka.endOffsets('t')).toEqual([11]);
    const [first] = kafka.records('t', 0);
    expect(first).toEqual({
      offset: 0,
      timestamp: 77,
      key: Buffer.from('k'),
      value: Buffer.from('v'),
      headers: [['h', null]],
    });
  });

  it.each(['gzip', 'snappy', 'snappy-xerial', 'lz4', 'zstd'] as const)(
    'keeps %s as it was received',
    async (compression) => {
      const kafka = await startKafka({ topics: { t: 1 } });
      const bytes = encodeRecordBatch([{ value: 'x'.repeat(300) }], { compression });
      const answer = await (await connect(kafka)).send(produce, 9, produceRequest(bytes));
      expect(answer.responses[0]?.partitionResponses[0]?.errorCode).toBe(0);
    },
  );

  it('does not answer to acks 0', async () => {
    const kafka = await startKafka({ topics: { t: 1 } });
    const client = await connect(kafka);
    client.post(produce, 9, produceRequest(batch(), { acks: 0 }));
    const answer = await client.send(metadata, 9, asking(['t']));
    expect(answer.topics).toHaveLength(1);
    expect(kafka.endOffsets('t')).toEqual([1]);
  });

  it.each([
    ['a wrong CRC', { change: (bytes: Buffer) => (bytes[70] = (bytes[70] ?? 0) ^ 1) }, {}, 2],
    ['a batch cut off', { cut: 5 }, {}, 2],
    ['an old magic', { change: (bytes: Buffer) => (bytes[16] = 1) }, {}, 87],
    ['two batches', { twice: true }, {}, 87],
    ['nothing', { cut: 1000 }, {}, 87],
    ['impossible acks', {}, { acks: 2 }, 21],
    ['a transaction', {}, { transactionalId: 'x' }, 49],
    ['an unknown topic', {}, { topic: 'u' }, 3],
    ['an unknown partition', {}, { partition: 5 }, 3],
    ['another leader', {}, { partition: 1 }, 6],
  ])(
    'refuses %s',
    async (
      _what,
      bytes: { change?: (bytes: Buffer) => unknown; cut?: number; twice?: boolean },
      options,
      errorCode,
    ) => {
      const kafka = await startKafka({ brokers: 2, topics: { t: 2 } });
      const records = batch();
      bytes.change?.(records);
      const whole =
        bytes.twice === true
          ? Buffer.concat([records, records])
          : records.subarray(0, Math.max(0, records.length - (bytes.cut ?? 0)));
      const answer = await (await connect(kafka)).send(produce, 10, produceRequest(whole, options));
      expect(answer.responses[0]?.partitionResponses[0]?.errorCode).toBe(errorCode);
      expect(kafka.endOffsets('t')).toEqual([0, 0]);
      expect(answer.nodeEndpoints.map(({ nodeId }) => nodeId)).toEqual(errorCode === 6 ? [2] : []);
    },
  );

  it('writes its own time into topics that want it, and keeps to their largest batch', async () => {
    const configs = { 'message.timestamp.type': 'LogAppendTime', 'max.message.bytes': '200' };
    const kafka = await startKafka({ topics: { t: { configs } } });
    const client = await connect(kafka);
    const answer = await client.send(produce, 9, produceRequest(batch()));
    const at = answer.responses[0]?.partitionResponses[0]?.logAppendTimeMs.toNumber();
    expect(at).toBeGreaterThan(77);
    expect(kafka.records('t', 0)[0]?.timestamp).toBe(at);
    const large = encodeRecordBatch([{ value: 'x'.repeat(200) }]);
    const refused = await client.send(produce, 9, produceRequest(large));
    expect(refused.responses[0]?.partitionResponses[0]?.errorCode).toBe(10);
  });
});

describe('CreateTopics', () => {
  const topic = { name: 'new', numPartitions: 2, replicationFactor: 1, assignments: [], configs: [] };

  it.each([
    [topic, 0, 2],
    [{ ...topic, numPartitions: -1, replicationFactor: -1 }, 0, 1],
    [{ ...topic, numPartitions: -1, assignments: [{ partitionIndex: 0, brokerIds: [2, 1] }] }, 0, 1],
    [{ ...topic, numPartitions: -1, assignments: [{ partitionIndex: 0, brokerIds: [9] }] }, 39, 0],
    [{ ...topic, name: 'a b' }, 17, 0],
    [{ ...topic, name: 't' }, 36, 0],
    [{ ...topic, numPartitions: 0 }, 37, 0],
    [{ ...topic, numPartitions: 2_000_000_000 }, 37, 0],
    [{ ...topic, replicationFactor: 3 }, 38, 0],
  ])('%j gives %i', async (asked, errorCode, partitions) => {
    const kafka = await startKafka({ brokers: 2, topics: { t: 1 } });
    const client = await connect(kafka);
    for (const version of [2, 5, 7]) {
      const body = { topics: [asked], timeoutMs: 1000, validateOnly: version !== 7 };
      const answer = await client.send(createTopics, version, body);
      expect(answer.topics[0]?.errorCode).toBe(errorCode);
    }
    expect(kafka.topics.includes('new') ? kafka.endOffsets('new').length : 0).toBe(partitions);
    if (asked.assignments[0]?.brokerIds[0] === 2) expect(kafka.leaderOf('new', 0)).toBe(2);
  });
});

describe('FindCoordinator', () => {
  it('finds the same broker for a group in every version, also for an empty id, and none for a transaction', async () => {
    const kafka = await startKafka({ brokers: 3 });
    kafka.moveCoordinator('g', 3);
    const client = await connect(kafka);
    for (let version = 0; version <= findCoordinator.maxVersion; version++) {
      const isMany = version >= 4;
      const body = { key: isMany ? '' : 'g', keyType: 0, coordinatorKeys: isMany ? ['g', 'h'] : [] };
      const answer = await client.send(findCoordinator, version, body);
      const found = answer.coordinators[0] ?? answer;
      expect([found.errorCode, found.nodeId, `${found.host}:${found.port}`]).toEqual([0, 3, kafka.broker(3).address]);
      if (isMany) expect(answer.coordinators[1]?.nodeId).toBe(kafka.coordinatorOf('h'));
    }
    expect((await client.send(findCoordinator, 1, { key: 'x', keyType: 1, coordinatorKeys: [] })).errorCode).toBe(42);
    expect((await client.send(findCoordinator, 1, { key: '', keyType: 0, coordinatorKeys: [] })).errorCode).toBe(0);
  });
});
