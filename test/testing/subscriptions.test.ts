import { afterEach, describe, expect, it } from 'vitest';
import { Consumer, type ConsumerOptions } from '../../src/index.ts';
import { MockCluster } from '../../src/testing/index.ts';
import { until } from '../harness/waiting.ts';

// What a consumer reads, as the topics of the cluster come and go.

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function startKafka(topics: Record<string, number>): Promise<MockCluster> {
  const kafka = await MockCluster.start({ brokers: 1, topics, autoCreateTopics: true });
  cleanups.push(() => kafka.close());
  return kafka;
}

function consumerOf(kafka: MockCluster, options: Partial<ConsumerOptions> = {}): Consumer {
  const consumer = new Consumer({
    bootstrapServers: kafka.bootstrapServers,
    groupId: 'g',
    autoOffsetReset: 'earliest',
    heartbeatIntervalMs: 20,
    retryBackoffMs: 5,
    retryBackoffMaxMs: 20,
    metadataMaxAgeMs: 50,
    logger: null,
    ...options,
  });
  consumer.on('error', () => undefined);
  cleanups.push(() => consumer.close({ timeoutMs: 0 }));
  return consumer;
}

/** Reads on and on; the values in the order of their arrival. */
function reading(consumer: Consumer): string[] {
  const values: string[] = [];
  void (async () => {
    for await (const record of consumer) values.push(record.text() ?? '');
  })();
  return values;
}

async function soon(condition: () => boolean, what: string): Promise<void> {
  await until(condition, { what, timeoutMs: 8000, intervalMs: 5 });
}

function assignedTo(consumer: Consumer): string {
  return consumer
    .assignment()
    .map(({ topic, partition }) => `${topic}-${partition}`)
    .sort()
    .join(' ');
}

describe('patterns', () => {
  it('and names: what matches now, what comes, and what goes; never an internal topic', async () => {
    const kafka = await startKafka({ orders: 1, 'audit.a': 1, other: 1, __consumer_offsets: 1 });
    const consumer = consumerOf(kafka);
    consumer.subscribe(['orders', /^audit\./, '^__cons']);
    const values = reading(consumer);
    await soon(() => assignedTo(consumer) === 'audit.a-0 orders-0', 'the topics that are there');
    expect(consumer.subscription()).toEqual(['audit.a', 'orders']);
    kafka.createTopic('audit.b', 2);
    await kafka.append('audit.b', 1, ['of b']);
    await soon(() => values.includes('of b'), 'the topic that came');
    expect(assignedTo(consumer)).toBe('audit.a-0 audit.b-0 audit.b-1 orders-0');
    kafka.deleteTopic('audit.a');
    await soon(() => assignedTo(consumer) === 'audit.b-0 audit.b-1 orders-0', 'the topic that went');
    expect(kafka.topics).not.toContain('audit.a'); // asking for it by name would have made it again
  });

  it('that match nothing: a member all the same, until something comes', async () => {
    const kafka = await startKafka({ orders: 1 });
    const consumer = consumerOf(kafka);
    consumer.subscribe('^audit');
    const values = reading(consumer);
    await kafka.untilStable('g', 1);
    expect(consumer.subscription()).toEqual([]);
    await kafka.append('audit', 0, ['first']).catch(() => kafka.createTopic('audit', 1));
    await kafka.append('audit', 0, ['second']);
    await soon(() => values.includes('second'), 'the topic that came');
  });

  it('internal topics with excludeInternalTopics: false', async () => {
    const kafka = await startKafka({ __consumer_offsets: 1 });
    const consumer = consumerOf(kafka, { excludeInternalTopics: false });
    consumer.subscribe(/^__consumer/);
    void reading(consumer);
    await soon(() => assignedTo(consumer) === '__consumer_offsets-0', 'the internal topic');
  });

  it('in place of names and the other way round', async () => {
    const kafka = await startKafka({ a: 1, b: 1 });
    const consumer = consumerOf(kafka);
    consumer.subscribe('a');
    void reading(consumer);
    await soon(() => assignedTo(consumer) === 'a-0', 'a');
    consumer.subscribe(/^[ab]$/);
    await soon(() => assignedTo(consumer) === 'a-0 b-0', 'a and b');
    consumer.subscribe('b');
    await soon(() => assignedTo(consumer) === 'b-0', 'b');
    kafka.createTopic('ab', 1);
    expect(consumer.subscription()).toEqual(['b']);
  });

  it('given up by unsubscribe() before the topics are known', async () => {
    const kafka = await startKafka({ a: 1 });
    const consumer = consumerOf(kafka);
    consumer.subscribe(/a/);
    consumer.unsubscribe();
    consumer.assign([{ topic: 'a', partition: 0 }]);
    await kafka.append('a', 0, ['one']);
    const values = reading(consumer);
    await soon(() => values.length === 1, 'the record');
    expect(kafka.group('g').members).toEqual([]);
  });
});

describe('the topics of a subscription', () => {
  it('get more partitions: noticed, and read from their beginning', async () => {
    const kafka = await startKafka({ a: 1 });
    const consumer = consumerOf(kafka);
    consumer.subscribe('a');
    const values = reading(consumer);
    await soon(() => assignedTo(consumer) === 'a-0', 'the partition');
    kafka.createPartitions('a', 3);
    await kafka.append('a', 2, ['of the new one']);
    await soon(() => values.length === 1, 'the record of the new partition');
    expect(assignedTo(consumer)).toBe('a-0 a-1 a-2');
  });

  it.each([
    { how: 'by name', subscription: 'a' },
    { how: 'by a pattern', subscription: /^a$/ },
  ])('are deleted and made again, $how: read from the beginning of the new one', async ({ subscription }) => {
    const kafka = await startKafka({ a: 1 });
    const consumer = consumerOf(kafka);
    consumer.subscribe(subscription);
    const values = reading(consumer);
    await kafka.append('a', 0, ['old 0', 'old 1', 'old 2']);
    await soon(() => values.length === 3, 'the records of the old topic');
    kafka.deleteTopic('a');
    kafka.createTopic('a', 1);
    await kafka.append('a', 0, ['new 0', 'new 1']);
    await soon(() => values.includes('new 1'), 'the records of the new topic');
    expect(values.slice(3)).toEqual(['new 0', 'new 1']);
  });
});
