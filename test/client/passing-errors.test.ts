import Long from 'long';
import { describe, expect, it } from 'vitest';
import type { Consumer, ConsumerOptions, KafkaError } from '../../src/index.ts';
import { Consumer as RealConsumer } from '../../src/index.ts';
import type { FetchResponse } from '../../src/protocol/api/fetch.ts';
import type { OffsetFetchResponse } from '../../src/protocol/api/offset-fetch.ts';
import { MockCluster } from '../../src/testing/index.ts';
import { cleanups, soon } from './consumer-rig.ts';

// An error that a broker says once, or for a while, on the whole consumer: what it is about waits, all else goes on, and once it has
// passed so does what it was about.

const CODES = [-1, 1, 2, 3, 5, 6, 9, 14, 15, 16, 29, 30, 38, 56, 74, 75, 76, 78, 88, 100, 103, 222];

interface Setting {
  readonly kafka: MockCluster;
  readonly consumer: Consumer;
  /** What came, as `TOPIC-PARTITION@OFFSET`. */
  readonly read: string[];
  readonly thrown: KafkaError[];
  readonly told: KafkaError[];
  /** Reads until all of these have come, whatever is thrown meanwhile. */
  readonly until: (...wanted: string[]) => Promise<void>;
  /** One more record of partition 0 of `a`. */
  readonly readOneMore: () => Promise<void>;
}

/** Topics `a` and `b`, three partitions each with three records. */
async function start(options: Partial<ConsumerOptions> = {}): Promise<Setting> {
  const kafka = await MockCluster.start({ brokers: 2, topics: { a: 3, b: 3 } });
  cleanups.push(() => kafka.close());
  for (const topic of ['a', 'b'])
    for (const partition of [0, 1, 2]) await kafka.append(topic, partition, ['x', 'y', 'z']);
  const consumer = new RealConsumer({
    bootstrapServers: kafka.bootstrapServers,
    autoOffsetReset: 'earliest',
    fetchMaxWaitMs: 20,
    heartbeatIntervalMs: 30,
    retryBackoffMs: 5,
    retryBackoffMaxMs: 20,
    logger: null,
    ...options,
  });
  cleanups.push(() => consumer.close({ timeoutMs: 0 }));
  const read: string[] = [];
  const thrown: KafkaError[] = [];
  const told: KafkaError[] = [];
  consumer.on('error', (error) => told.push(error));
  const until = async (...wanted: string[]): Promise<void> => {
    while (!wanted.every((each) => read.includes(each))) {
      try {
        const record = await consumer.read({ timeoutMs: 20 });
        if (record !== null) read.push(`${record.topic}-${record.partition}@${record.offset}`);
      } catch (error) {
        thrown.push(error as KafkaError);
      }
    }
  };
  const readOneMore = async (): Promise<void> => {
    await kafka.append('a', 0, ['more']);
    await until(`a-0@${(kafka.endOffsets('a')[0] ?? 0) - 1}`);
  };
  return { kafka, consumer, read, thrown, told, until, readOneMore };
}

const all = (topic: string): string[] =>
  [0, 1, 2].flatMap((partition) => [0, 1, 2].map((offset) => `${topic}-${partition}@${offset}`));

describe.each(['Fetch', 'ListOffsets', 'OffsetFetch'])('%s', (api) => {
  it.each(CODES)('error %i of one topic, once: everything is read', async (errorCode) => {
    const { kafka, consumer, read, thrown, until } = await start(api === 'OffsetFetch' ? { groupId: 'g' } : {});
    const fault = kafka.fail(api, { errorCode, topic: 'b' });
    if (api === 'OffsetFetch') consumer.subscribe(['a', 'b']);
    else {
      const startAt = api === 'Fetch' ? { offset: 0 } : {};
      consumer.assign(['a', 'b'].flatMap((topic) => [0, 1, 2].map((partition) => ({ topic, partition, ...startAt }))));
    }
    await until(...all('a'), ...all('b'));
    expect(fault.hits).toBe(1);
    expect(new Set(read).size).toBe(read.length);
    for (const { code } of thrown) expect(code).toBe(errorCode);
    expect(thrown.length).toBeLessThanOrEqual(1);
    expect(consumer.lag().map(({ error }) => error)).toEqual(Array(6).fill(null));
  });
});

it('a whole Fetch answer of UNKNOWN_SERVER_ERROR: told, and fetched again in a new session', async () => {
  const { kafka, consumer, thrown, told, until } = await start();
  consumer.assign([0, 1, 2].map((partition) => ({ topic: 'a', partition, offset: 0 })));
  await until(...all('a'));
  const fault = kafka.faults.add({
    api: 'Fetch',
    times: 2,
    answer: (response: FetchResponse) => ({
      ...response,
      errorCode: -1,
      sessionId: 0,
      responses: [],
      nodeEndpoints: [],
    }),
  });
  await fault.untilHit(2);
  for (const partition of [0, 1, 2]) await kafka.append('a', partition, ['new']);
  await until('a-0@3', 'a-1@3', 'a-2@3');
  expect(thrown).toEqual([]);
  await soon(() => told.some(({ code }) => code === -1), 'an error event');
});

it('a topic that may not be read is thrown as long as that stands; the other is read all the while', async () => {
  const { kafka, consumer, read, thrown, until, readOneMore } = await start();
  const fault = kafka.faults.add({
    api: 'Fetch',
    topic: 'b',
    errorCode: 'TOPIC_AUTHORIZATION_FAILED',
    times: Infinity,
  });
  consumer.assign(['a', 'b'].map((topic) => ({ topic, partition: 0, offset: 0 })));
  await until('a-0@2');
  while (thrown.length < 3) await readOneMore();
  expect(new Set(thrown.map(({ code }) => code))).toEqual(new Set([29]));
  expect(read.filter((each) => each.startsWith('b'))).toEqual([]);
  const [lag] = consumer.lag([{ topic: 'b', partition: 0 }]);
  expect(lag?.error).toMatchObject({ code: 29 });
  expect(consumer.metrics().partitions.find(({ topic }) => topic === 'b')?.error).toMatchObject({ code: 29 });
  fault.remove();
  await until('b-0@2');
  expect(consumer.lag().map(({ error }) => error)).toEqual([null, null]);
});

describe('Metadata', () => {
  it.each([-1, 3, 5, 17, 29, 38, 222])(
    'error %i of one topic for a while is that topic’s affair',
    async (errorCode) => {
      const { kafka, consumer, thrown, until, readOneMore } = await start();
      const fault = kafka.faults.add({ api: 'Metadata', topic: 'b', errorCode, times: Infinity });
      consumer.assign(['a', 'b'].map((topic) => ({ topic, partition: 0, offset: 0 })));
      await until('a-0@2');
      await fault.untilHit(3);
      await kafka.append('a', 0, ['more']);
      await until('a-0@3');
      const isRefused = errorCode === 17 || errorCode === 29;
      while (isRefused && thrown.length < 2) await readOneMore();
      expect(new Set(thrown.map(({ code }) => code))).toEqual(new Set(isRefused ? [errorCode] : []));
      fault.remove();
      await until('b-0@2');
    },
  );

  it('error 29 of one topic, once, in a group: it stays in the group and reads both', async () => {
    const { kafka, consumer, until } = await start({ groupId: 'g', metadataMaxAgeMs: 50 });
    consumer.subscribe(['a', 'b']);
    await until(...all('a'), ...all('b'));
    const fault = kafka.fail('Metadata', { errorCode: 29, topic: 'b' });
    await fault.untilHit(1);
    await kafka.append('a', 0, ['more']);
    await kafka.append('b', 0, ['more']);
    await until('a-0@3', 'b-0@3');
  });
});

it('forEach: what is refused for a while is an error event, and is handled once it is granted', async () => {
  const { kafka, consumer, told } = await start();
  const fault = kafka.faults.add({ api: 'Fetch', topic: 'b', errorCode: 29, times: Infinity });
  consumer.assign(['a', 'b'].map((topic) => ({ topic, partition: 0, offset: 0 })));
  const handled: string[] = [];
  const ended = consumer.forEach(({ topic, offset }) => void handled.push(`${topic}@${offset}`));
  await soon(() => handled.includes('a@2') && told.some(({ code }) => code === 29), 'the error event');
  fault.remove();
  await soon(() => handled.includes('b@2'), 'the records of b');
  await consumer.close();
  await ended;
});

describe('an offset beyond 2^53', () => {
  it('as committed: that partition is out of range and reset, the others begin where they were', async () => {
    const { kafka, consumer, read, until } = await start({ groupId: 'g' });
    const fault = kafka.faults.add({
      api: 'OffsetFetch',
      times: Infinity,
      answer: (response: OffsetFetchResponse) => {
        for (const { name, partitions } of response.groups.flatMap(({ topics }) => topics))
          for (const each of partitions)
            if (name === 'b' && each.partitionIndex === 1) each.committedOffset = Long.MAX_VALUE;
        return response;
      },
    });
    consumer.subscribe(['a', 'b']);
    await until(...all('a'), ...all('b'));
    expect(read).toHaveLength(18);
    await expect(consumer.committed([{ topic: 'b', partition: 1 }])).rejects.toThrow(/b-1 is beyond 2\^53/);
    fault.remove();
  });

  it('as high watermark: everything is read', async () => {
    const { kafka, consumer, until } = await start();
    kafka.faults.add({
      api: 'Fetch',
      times: Infinity,
      answer: (response: FetchResponse) => {
        for (const { partitions } of response.responses)
          for (const each of partitions) if (each.partitionIndex === 1) each.highWatermark = Long.MAX_VALUE;
        return response;
      },
    });
    consumer.assign([0, 1, 2].map((partition) => ({ topic: 'a', partition, offset: 0 })));
    await until(...all('a'));
  });
});
