import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import Long from 'long';
import { describe, expect, it } from 'vitest';
import { offsetCommit } from '../../src/protocol/api/offset-commit.ts';
import { encodeRecordBatch, MockCluster, type MockClusterOptions } from '../../src/testing/index.ts';
import { connect, fetchOne, join, NO_UUID, startKafka, sync, valuesIn } from './rig.ts';

const text = (bytes: Buffer | null): string | null => bytes?.toString() ?? null;

function commitRequest(groupId: string, topic: string, partition: number, offset: number, more = {}) {
  const committed = { committedOffset: Long.fromNumber(offset), committedLeaderEpoch: 2, committedMetadata: 'note' };
  return {
    groupId,
    generationIdOrMemberEpoch: -1,
    memberId: '',
    groupInstanceId: null,
    retentionTimeMs: Long.NEG_ONE,
    topics: [{ name: topic, topicId: NO_UUID, partitions: [{ partitionIndex: partition, ...committed }] }],
    ...more,
  };
}

/** The quickest of five starts: what it takes when nothing else is in the way. */
async function started(options: MockClusterOptions): Promise<{ kafka: MockCluster; ms: number }> {
  let ms = Infinity;
  for (let i = 1; ; i++) {
    const begin = performance.now();
    const kafka = await MockCluster.start(options);
    ms = Math.min(ms, performance.now() - begin);
    if (i === 5) return { kafka, ms };
    await kafka.close();
  }
}

describe('MockCluster', () => {
  it('starts in milliseconds, closes everything, and may be closed twice', async () => {
    const before = process.getActiveResourcesInfo().sort();
    const { kafka, ms } = await started({ brokers: 3, topics: { orders: 6, audit: { partitions: 2 } } });
    expect(ms).toBeLessThan(200);
    expect(kafka.bootstrapServers).toMatch(/^127\.0\.0\.1:\d+,127\.0\.0\.1:\d+,127\.0\.0\.1:\d+$/);
    expect(kafka.topics).toEqual(['orders', 'audit']);
    const client = await connect(kafka);
    const waiting = join(client, { rebalanceTimeoutMs: 60_000 });
    await waiting;
    const poll = fetchOne(client, { topic: 'orders', maxWaitMs: 60_000 }).catch((error: Error) => error.message);
    await new Promise((resolve) => kafka.once('request', resolve));
    await kafka.close();
    await kafka.close();
    expect(await poll).toMatch(/closed/);
    await new Promise((resolve) => setImmediate(resolve));
    // Nothing more than before; a timer of the test runner's own may have ended meanwhile.
    const left = process.getActiveResourcesInfo();
    for (const name of before) if (left.includes(name)) left.splice(left.indexOf(name), 1);
    expect(left).toEqual([]);
  });

  it('is closed at the end of its scope', async () => {
    const address = await (async () => {
      await using kafka = await MockCluster.start();
      return kafka.broker(1).address;
    })();
    const port = Number(address.split(':')[1]);
    await using again = await MockCluster.start({ port }); // it is free again
    expect(again.bootstrapServers).toBe(address);
    await expect(MockCluster.start({ port })).rejects.toThrow(/EADDRINUSE/);
  });

  it('makes the same ids of the same seed', async () => {
    const idsOf = async (seed: number): Promise<string[]> => {
      const kafka = await startKafka({ seed, topics: { t: 1 } });
      const { memberId } = await join(await connect(kafka));
      return [kafka.clusterId, kafka.topicId('t'), memberId];
    };
    expect(await idsOf(5)).toEqual(await idsOf(5));
    const others = await idsOf(6);
    (await idsOf(5)).forEach((id, index) => expect(id).not.toBe(others[index]));
  });

  it.each([
    [{ brokers: 0 }, /at least one/],
    [{ brokers: 2, replicationFactor: 3 }, /1 to 2/],
    [{ topics: { t: 0 } }, /at least one/],
  ])('%j cannot be', async (options, message) => {
    await expect(MockCluster.start(options)).rejects.toThrow(message);
  });
});

describe('append', () => {
  it('takes values, records, iterables; gives the first offset', async () => {
    const kafka = await startKafka({ topics: { t: 2 } });
    expect(await kafka.append('t', 1, ['a', Buffer.from('b')])).toBe(0);
    const record = { key: 'k', value: null, headers: [['h', 'x'] as const], timestamp: 9 };
    expect(await kafka.append('t', 1, new Set([record]))).toBe(2);
    expect(kafka.records('t', 1).map(({ value }) => text(value))).toEqual(['a', 'b', null]);
    expect(kafka.records('t', 1)[2]).toMatchObject({
      offset: 2,
      key: Buffer.from('k'),
      timestamp: 9,
      headers: [['h', Buffer.from('x')]],
    });
    expect([kafka.startOffsets('t'), kafka.endOffsets('t')]).toEqual([
      [0, 0],
      [0, 3],
    ]);
    await expect(kafka.append('u', 0, [])).rejects.toThrow(/topic 'u' does not exist.*There is t/);
    await expect(kafka.append('t', 2, [])).rejects.toThrow(/'t' has 2/);
  });

  it('makes batches of many records, lets others have their turn, and is fast', async () => {
    const kafka = await startKafka({ topics: { t: 1 } });
    const value = Buffer.alloc(100, 'x');
    function* records(): Generator<Buffer> {
      for (let index = 0; index < 200_000; index++) yield value;
    }
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    const begin = performance.now();
    await kafka.append('t', 0, records());
    const ms = performance.now() - begin;
    clearInterval(timer);
    expect(turns).toBeGreaterThan(0);
    expect(kafka.endOffsets('t')).toEqual([200_000]);
    expect(ms).toBeLessThan(2000); // some 100 on an idle machine
  });

  it.each(['none', 'gzip', 'snappy', 'snappy-xerial', 'lz4', 'zstd'] as const)(
    'compresses: %s',
    async (compression) => {
      const kafka = await startKafka({ topics: { t: 1 } });
      // The last one is longer than any block of any of these formats.
      const values = [...Array.from({ length: 100 }, (_, index) => `value ${index}`), 'x'.repeat(300_000)];
      await kafka.append('t', 0, values, { compression, batchRecords: 30 });
      expect(kafka.records('t', 0).map(({ value }) => text(value))).toEqual(values);
    },
  );

  it('appends batches byte for byte, corrupt ones too', async () => {
    const kafka = await startKafka({ topics: { t: 1 } });
    const batch = encodeRecordBatch([{ value: 'x' }]);
    expect(kafka.appendBatch('t', 0, batch)).toBe(0);
    batch[65] = (batch[65] ?? 0) ^ 0xff;
    expect(kafka.appendBatch('t', 0, batch)).toBe(1);
    const { records } = await fetchOne(await connect(kafka));
    expect(() => valuesIn(records)).toThrow(/CRC/);
  });
});

describe('appendJsonl', () => {
  const lines = [
    '{"key":"k1","value":"plain","headers":{"a":"1","none":null},"timestamp":5}',
    '',
    '{"key":null,"value":{"is":"json"},"topic":"u","headers":[["b","2"],["b","//8=","base64"]]}',
    '{"value":"/w==","valueEncoding":"base64","partition":1}',
    '{"value":null,"partition":0}',
  ];

  it('reads a file: a record a line', async () => {
    const kafka = await startKafka({ topics: { t: 2, u: 1 } });
    const folder = await mkdtemp(joinPath(tmpdir(), 'samsa-jsonl-'));
    const file = joinPath(folder, 'records.jsonl');
    await writeFile(file, lines.join('\n'));
    expect(await kafka.appendJsonl(file, { topic: 't' })).toBe(4);
    await rm(folder, { recursive: true });
    expect(kafka.records('u', 0)[0]).toMatchObject({
      value: Buffer.from('{"is":"json"}'),
      headers: [
        ['b', Buffer.from('2')],
        ['b', Buffer.from([255, 255])],
      ],
    });
    const all = [...kafka.records('t', 0), ...kafka.records('t', 1)];
    expect(all.map(({ value }) => value?.toString('latin1') ?? null).sort()).toEqual(['plain', 'ÿ', null].sort());
    expect(all.find(({ key }) => text(key) === 'k1')).toMatchObject({
      timestamp: 5,
      headers: [
        ['a', Buffer.from('1')],
        ['none', null],
      ],
    });
  });

  // Kafka's own: Utils.toPositive(Utils.murmur2(key)) % 12, from its tests' vectors of murmur2.
  it('puts keys where Kafka puts them, and records without one in turns', async () => {
    const kafka = await startKafka({ topics: { t: 12 } });
    const hashes: Record<string, number> = {
      '21': -973932308,
      foobar: -790332482,
      'a-little-bit-long-string': -985981536,
    };
    for (const [key, hash] of Object.entries(hashes)) {
      const before = kafka.endOffsets('t');
      await kafka.appendJsonl({ text: JSON.stringify({ key, value: 'x' }) }, { topic: 't' });
      const at = kafka.endOffsets('t').findIndex((end, index) => end > (before[index] ?? 0));
      expect([key, at]).toEqual([key, (hash & 0x7fffffff) % 12]);
    }
    const turns = await startKafka({ topics: { t: 2 } });
    await turns.appendJsonl({ text: '{"value":1}\n{"value":2}\n{"value":3}' }, { topic: 't' });
    expect(turns.endOffsets('t')).toEqual([2, 1]);
  });

  it.each([
    ['nonsense', /line 1: no JSON/],
    ['[1]', /line 1: no object/],
    ['{"key":"k"}', /line 1: no "value"/],
    ['{"value":1}\n{"value":1,"topic":5}', /line 2: "topic"/],
    ['{"value":1,"partition":"x"}', /"partition"/],
    ['{"value":1,"timestamp":"x"}', /"timestamp"/],
    ['{"value":1,"headers":[1]}', /"headers"/],
    ['{"value":1,"partition":7}', /partition 7: 't' has 1/],
    ['{"value":1,"topic":"u"}', /topic 'u' does not exist/],
  ])('%s is refused', async (line, message) => {
    const kafka = await startKafka({ topics: { t: 1 } });
    await expect(kafka.appendJsonl({ text: line }, { topic: 't' })).rejects.toThrow(message);
    await expect(kafka.appendJsonl({ text: '{"value":1}' })).rejects.toThrow(/no "topic"/);
  });
});

describe('groups', () => {
  it('are seen as they are', async () => {
    const kafka = await startKafka();
    expect(kafka.group('g')).toEqual({
      groupId: 'g',
      protocol: 'classic',
      state: 'Empty',
      generation: 0,
      assignor: null,
      members: [],
    });
    const client = await connect(kafka);
    const joined = await join(client);
    await sync(client, joined);
    expect(kafka.group('g')).toMatchObject({ state: 'Stable', generation: 1, assignor: 'range' });
    expect(kafka.members('g')).toMatchObject([
      { memberId: joined.memberId, clientId: 'raw', clientHost: '/127.0.0.1', assignment: [] },
    ]);
    await kafka.untilStable('g', 1);
    await expect(kafka.untilStable('g', 2, { timeoutMs: 5 })).rejects.toThrow(
      /'g' is Stable in generation 1 with 1 members/,
    );
  });

  it('committed, and waiting for it', async () => {
    const kafka = await startKafka({ topics: { t: 2, u: 1 } });
    const client = await connect(kafka);
    expect([kafka.committed('g'), kafka.commits('g')]).toEqual([{}, []]);
    const waiting = kafka.untilCommitted('g', { t: { 1: 5 }, u: { 0: 2 } });
    const events: string[] = [];
    kafka.on('committed', (group) => events.push(group));
    await client.send(offsetCommit, 8, commitRequest('g', 't', 1, 7));
    await client.send(offsetCommit, 8, commitRequest('g', 'u', 0, 2));
    await waiting;
    expect(kafka.committed('g')).toEqual({ t: { 1: 7 }, u: { 0: 2 } });
    expect(kafka.commits('g')[0]).toEqual({ topic: 't', partition: 1, offset: 7, leaderEpoch: 2, metadata: 'note' });
    expect(events).toEqual(['g', 'g']);
    await kafka.untilCommitted('g', { topic: 't', partition: 1, offset: 7 });
    const late = kafka.untilCommitted('g', { topic: 't', partition: 0, offset: 1 }, { timeoutMs: 5 });
    await expect(late).rejects.toThrow(/not within 5 ms; committed is \{"t":\{"1":7\},"u":\{"0":2\}\}/);
    const closed = expect(kafka.untilCommitted('g', { topic: 't', partition: 0, offset: 1 })).rejects.toThrow(/closed/);
    kafka.deleteTopic('t');
    expect(kafka.committed('g')).toEqual({ u: { 0: 2 } });
    await kafka.close();
    await closed;
  });

  it('refuse commits that do not fit', async () => {
    const kafka = await startKafka({ brokers: 2, topics: { t: 1 } });
    kafka.moveCoordinator('g', 1);
    const client = await connect(kafka);
    const code = async (version: number, more: object, partition = 0): Promise<number | undefined> => {
      const { topics } = await client.send(offsetCommit, version, commitRequest('g', 't', partition, 1, more));
      return topics[0]?.partitions[0]?.errorCode;
    };
    expect(await code(8, {}, 5)).toBe(3);
    expect(await code(8, { memberId: 'x', generationIdOrMemberEpoch: 3 })).toBe(22);
    expect(await code(8, { memberId: 'x', generationIdOrMemberEpoch: -1 })).toBe(0);
    expect(await code(8, { memberId: 'x', generationIdOrMemberEpoch: 3 })).toBe(25);
    kafka.moveCoordinator('', 1);
    expect(await code(8, { groupId: '' })).toBe(0);
    kafka.moveCoordinator('g', 2);
    expect(await code(8, {})).toBe(16);
    kafka.moveCoordinator('g', 1);
    const long = commitRequest('g', 't', 0, 1);
    const [partition] = long.topics[0]?.partitions ?? [];
    if (partition !== undefined) partition.committedMetadata = 'x'.repeat(5000);
    expect((await client.send(offsetCommit, 8, long)).topics[0]?.partitions[0]?.errorCode).toBe(12);
    const unknown = commitRequest('g', '', 0, 1, {
      topics: [{ ...long.topics[0], name: '', topicId: 'AAAAAAAAAAAAAAAAAAAAAQ' }],
    });
    expect((await client.send(offsetCommit, 10, unknown)).topics[0]?.partitions[0]?.errorCode).toBe(100);
    for (let version = 2; version <= 10; version++) {
      const named =
        version >= 10
          ? { topics: [{ ...commitRequest('g', '', 0, version).topics[0], topicId: kafka.topicId('t') }] }
          : {};
      const { topics } = await client.send(offsetCommit, version, commitRequest('g', 't', 0, version, named));
      expect(topics[0]?.partitions[0]?.errorCode).toBe(0);
      expect(kafka.committed('g')).toEqual({ t: { 0: version } });
    }
  });
});
