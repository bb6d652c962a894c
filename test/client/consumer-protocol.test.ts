import { afterEach, describe, expect, it } from 'vitest';
import {
  Consumer,
  type ConsumerOptions,
  type RebalanceListener,
  SubscriptionPattern,
  type TopicPartition,
} from '../../src/index.ts';
import { MockCluster, type MockClusterOptions } from '../../src/testing/index.ts';

// groupProtocol 'consumer' (KIP-848): the real consumer on the mock cluster's coordinator.

const closing: { close: () => Promise<unknown> }[] = [];
afterEach(async () => {
  for (const each of closing.splice(0).reverse()) await each.close();
});

async function startKafka(options: MockClusterOptions): Promise<MockCluster> {
  const consumer = { heartbeatIntervalMs: 20, ...options.groups?.consumer };
  const kafka = await MockCluster.start({ ...options, groups: { consumer } });
  closing.push(kafka);
  return kafka;
}

/** A member that reads all the time, and keeps what it was given and what it has read. */
class Member {
  readonly consumer: Consumer;
  /** `+t-0,t-1` assigned, `-…` revoked, `!…` lost. */
  readonly events: string[] = [];
  readonly values: string[] = [];
  readonly log: string[] = [];
  failure: Error | null = null;
  /** What `onRevoked` waits for. */
  /** What `onRevoked` was called with last. */
  givingUp: string[] = [];
  revocation: Promise<void> = Promise.resolve();
  readonly loop: Promise<void>;

  constructor(
    kafka: MockCluster,
    topics: Parameters<Consumer['subscribe']>[0],
    options: Partial<ConsumerOptions> = {},
  ) {
    this.consumer = new Consumer({
      bootstrapServers: kafka.bootstrapServers,
      groupId: 'g',
      groupProtocol: 'consumer',
      autoOffsetReset: 'earliest',
      retryBackoffMs: 5,
      retryBackoffMaxMs: 50,
      reconnectBackoffMs: 5,
      reconnectBackoffMaxMs: 50,
      logger: null,
      ...options,
    });
    closing.push({ close: () => this.consumer.close({ timeoutMs: 100 }) });
    this.consumer.on('error', () => undefined);
    this.consumer.on('log', ({ message }) => this.log.push(message));
    this.consumer.subscribe(topics, this.#listener());
    this.loop = this.#read();
  }

  get partitions(): string[] {
    return this.consumer.assignment().map(nameOf).sort();
  }

  #listener(): RebalanceListener {
    const note = (sign: string, partitions: TopicPartition[]): void => {
      this.events.push(`${sign}${partitions.map(nameOf).sort().join()}`);
    };
    return {
      onAssigned: (partitions) => note('+', partitions),
      onRevoked: async (partitions) => {
        this.givingUp = partitions.map(nameOf);
        await this.revocation;
        note('-', partitions);
      },
      onLost: (partitions) => note('!', partitions),
    };
  }

  async #read(): Promise<void> {
    try {
      for await (const record of this.consumer) this.values.push(`${nameOf(record)}:${record.text() ?? ''}`);
    } catch (error) {
      this.failure = error as Error;
    }
  }
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`;
}

async function until(condition: () => boolean): Promise<void> {
  await expect.poll(condition, { timeout: 4000, interval: 5 }).toBe(true);
}

async function fill(kafka: MockCluster, topic: string, values: readonly string[]): Promise<void> {
  for (const partition of kafka.endOffsets(topic).keys()) await kafka.append(topic, partition, values);
}

describe('members that come and go', () => {
  it('one reads all; a second takes over half without the first one stopping; a clean leave gives it back, committed', async () => {
    const kafka = await startKafka({ brokers: 3, topics: { t: 4 } });
    await fill(kafka, 't', ['a', 'b']);
    const one = new Member(kafka, ['t']);
    await until(() => one.values.length === 8);
    expect(one.events).toEqual(['+t-0,t-1,t-2,t-3']);
    expect(kafka.group('g')).toMatchObject({ protocol: 'consumer', state: 'Stable' });

    const two = new Member(kafka, ['t']);
    await until(() => two.partitions.length === 2 && one.partitions.length === 2);
    await until(() => one.events.length === 3);
    expect(one.events[1]).toMatch(/^-t-\d,t-\d$/); // and nothing else: what stays is not touched
    expect(one.events[2]).toBe('+'); // the end of the rebalance, as in Java
    expect(two.events.at(-1)).toBe(`+${two.partitions.join()}`);
    await fill(kafka, 't', ['c']);
    await until(() => one.values.length + two.values.length === 12);
    expect([...one.values, ...two.values].sort()).toEqual(
      [0, 1, 2, 3].flatMap((partition) => ['a', 'b', 'c'].map((value) => `t-${partition}:${value}`)),
    );

    await two.consumer.close();
    await two.loop;
    await until(() => one.partitions.length === 4);
    expect(two.events.at(-1)).toMatch(/^-t-\d,t-\d$/);
    await fill(kafka, 't', ['d']);
    await until(() => one.values.length + two.values.length === 16);
    await one.consumer.close();
    expect(kafka.committed('g')).toEqual({ t: { 0: 4, 1: 4, 2: 4, 3: 4 } });
    expect(kafka.members('g')).toEqual([]);
  });

  it('what stays is delivered while a listener holds up what goes', async () => {
    const kafka = await startKafka({ topics: { t: 2 } });
    const one = new Member(kafka, ['t']);
    await until(() => one.partitions.length === 2);
    let release: () => void = () => undefined;
    one.revocation = new Promise((resolve) => (release = resolve));
    const two = new Member(kafka, ['t']);
    await until(() => one.givingUp.length === 1);
    expect(one.partitions).toEqual(['t-0', 't-1']); // assigned until the listener has returned, as in Java
    const kept = one.partitions.find((each) => !one.givingUp.includes(each));
    await fill(kafka, 't', ['x']);
    await until(() => one.values.length === 1);
    expect(one.values).toEqual([`${kept ?? ''}:x`]);
    expect(two.partitions).toEqual([]);
    release();
    await until(() => two.values.length === 1);
    expect(two.values[0]).not.toBe(one.values[0]);
  });

  it('a member that is gone without a word is replaced when its session ends', async () => {
    const kafka = await startKafka({ topics: { t: 2 }, groups: { consumer: { sessionTimeoutMs: 300 } } });
    const mortal = new Member(kafka, ['t'], { clientId: 'mortal' });
    await until(() => mortal.partitions.length === 2);
    const heir = new Member(kafka, ['t']);
    await until(() => heir.partitions.length === 1 && mortal.partitions.length === 1);
    kafka.faults.add({ clientId: 'mortal', drop: true, on: 'arrival', times: Infinity });
    kafka.broker(1).disconnectAll();
    await until(() => heir.partitions.length === 2);
    // It comes back: what it had is lost, and it gets its share again.
    kafka.faults.clear();
    await until(() => mortal.events.some((event) => event.startsWith('!')) && mortal.partitions.length === 1);
    await until(() => heir.partitions.length === 1);
  });

  it('a changed subscription, unsubscribe and subscribe again', async () => {
    const kafka = await startKafka({ topics: { t: 1, u: 1 } });
    const one = new Member(kafka, ['t']);
    await until(() => one.partitions.join() === 't-0');
    one.consumer.subscribe(['t', 'u']);
    await until(() => one.partitions.join() === 't-0,u-0');
    one.consumer.unsubscribe();
    await until(() => kafka.members('g').length === 0);
    expect(one.partitions).toEqual([]);
    one.consumer.subscribe(['u']);
    await until(() => one.partitions.join() === 'u-0');
  });

  it('a static member comes back to its partitions, and nobody else notices', async () => {
    const kafka = await startKafka({ topics: { t: 4 } });
    const other = new Member(kafka, ['t']);
    const first = new Member(kafka, ['t'], { groupInstanceId: 'i' });
    await until(() => first.partitions.length === 2 && other.partitions.length === 2);
    const before = first.partitions;
    const events = [...other.events];
    const { generation } = kafka.group('g');
    await first.consumer.close();
    const second = new Member(kafka, ['t'], { groupInstanceId: 'i' });
    await until(() => second.partitions.length === 2);
    expect(second.partitions).toEqual(before);
    expect(other.events).toEqual(events);
    expect(kafka.group('g').generation).toBe(generation);
  });

  it('a second process with the same groupInstanceId is refused, and told why', async () => {
    const kafka = await startKafka({ topics: { t: 1 } });
    const first = new Member(kafka, ['t'], { groupInstanceId: 'i' });
    await until(() => first.partitions.length === 1);
    const second = new Member(kafka, ['t'], { groupInstanceId: 'i' });
    await second.loop;
    expect(second.failure?.message).toMatch(/groupInstanceId 'i'.*UNRELEASED_INSTANCE_ID 111/);
    expect(first.partitions).toEqual(['t-0']);
  });
});

describe('patterns', () => {
  it('the broker matches them, also against topics that come later and go again', async () => {
    const kafka = await startKafka({ topics: { 'audit.a': 1, 'audit.b': 2, other: 1 }, autoCreateTopics: true });
    await fill(kafka, 'audit.b', ['x']);
    const one = new Member(kafka, new SubscriptionPattern('audit\\..*'));
    await until(() => one.partitions.join() === 'audit.a-0,audit.b-0,audit.b-1');
    await until(() => one.values.length === 2);
    kafka.createTopic('audit.c', { partitions: 1 });
    await fill(kafka, 'audit.c', ['y']);
    await until(() => one.values.includes('audit.c-0:y'));
    kafka.deleteTopic('audit.a');
    await until(() => !one.partitions.includes('audit.a-0'));
    // Asking for its leader has not made it again.
    await until(() => one.log.some((message) => message.includes('audit.a-0: the broker does not host')));
    kafka.createTopic('audit.d', { partitions: 1 });
    await until(() => one.partitions.includes('audit.d-0'));
    expect(() => kafka.endOffsets('audit.a')).toThrow();
    one.consumer.subscribe(['other']);
    await until(() => one.partitions.join() === 'other-0');
  });

  it('beside names and RegExps', async () => {
    const kafka = await startKafka({ topics: { a: 1, bb: 1, cc: 1, d: 1 } });
    const one = new Member(kafka, ['a', /^b/, new SubscriptionPattern('c+')]);
    await until(() => one.partitions.join() === 'a-0,bb-0,cc-0');
    expect(one.consumer.subscription()).toEqual(['a', 'bb']);
  });

  it('one that is none is told, with what the broker says', async () => {
    const kafka = await startKafka({ topics: { t: 1 } });
    const one = new Member(kafka, new SubscriptionPattern('('));
    await one.loop;
    expect(one.failure?.message).toMatch(/pattern '\(' must be one that RE2J.*INVALID_REGULAR_EXPRESSION 128/);
  });

  it('takes groupProtocol consumer', async () => {
    const kafka = await startKafka({ topics: { t: 1 } });
    const consumer = new Consumer({ bootstrapServers: kafka.bootstrapServers, groupId: 'g' });
    closing.push(consumer);
    expect(() => consumer.subscribe(new SubscriptionPattern('a'))).toThrow(/groupProtocol 'consumer'/);
  });
});

describe('topics', () => {
  it('deleted and made again: everything of the new one is read', async () => {
    const kafka = await startKafka({ topics: { t: 1 } });
    await fill(kafka, 't', ['old']);
    const one = new Member(kafka, ['t'], { metadataMaxAgeMs: 50 });
    await until(() => one.values.length === 1);
    kafka.deleteTopic('t');
    await until(() => one.partitions.length === 0);
    kafka.createTopic('t', { partitions: 2 });
    await until(() => one.partitions.join() === 't-0,t-1');
  });

  it('more partitions are noticed', async () => {
    const kafka = await startKafka({ topics: { t: 1 } });
    const one = new Member(kafka, ['t']);
    await until(() => one.partitions.length === 1);
    kafka.createPartitions('t', 3);
    await fill(kafka, 't', ['x']);
    await until(() => one.values.length === 3);
    expect(one.events).toEqual(['+t-0', '+t-1,t-2']);
  });
});

describe('trouble', () => {
  it.each(['ConsumerGroupHeartbeat', 'FindCoordinator', 'OffsetFetch', 'OffsetCommit', 'Metadata'])(
    'survives errors, closed connections and cut answers of %s',
    async (api) => {
      const kafka = await startKafka({ brokers: 2, topics: { t: 2 } });
      const errorCode = api === 'Metadata' ? 'LEADER_NOT_AVAILABLE' : 'COORDINATOR_NOT_AVAILABLE';
      const faults = [
        kafka.fail(api, { errorCode }),
        kafka.drop(api, { after: 1 }),
        kafka.cut(api, 9, { after: 2 }),
        kafka.drop(api, { after: 3, on: 'arrival' }),
      ];
      const one = new Member(kafka, ['t']);
      await until(() => one.partitions.length === 2);
      for (const [index, fault] of faults.entries()) {
        kafka.moveCoordinator('g', 1 + (index % 2));
        await fill(kafka, 't', [String(index)]);
        await until(() => one.values.length === 2 * (index + 1));
        await one.consumer.commit();
        if (api === 'ConsumerGroupHeartbeat') await fault.untilHit();
      }
      expect(kafka.committed('g')).toEqual({ t: { 0: 4, 1: 4 } });
      expect(one.failure).toBeNull();
    },
  );

  it('fenced: onLost, nothing is committed, and it joins again with the same member id', async () => {
    const kafka = await startKafka({ topics: { t: 1 } });
    const one = new Member(kafka, ['t']);
    await until(() => one.partitions.length === 1);
    const { memberId } = one.consumer.groupMetadata();
    const fault = kafka.fail('ConsumerGroupHeartbeat', { errorCode: 'FENCED_MEMBER_EPOCH' });
    await fault.untilHit();
    await until(() => one.events.length === 3);
    expect(one.events).toEqual(['+t-0', '!t-0', '+t-0']);
    expect(one.consumer.groupMetadata().memberId).toBe(memberId);
    expect(memberId).toMatch(/^[0-9a-f]{8}-/);
  });

  it('STALE_MEMBER_EPOCH of a commit and of OffsetFetch: again, with the newest epoch', async () => {
    const kafka = await startKafka({ topics: { t: 1, u: 1 } });
    await fill(kafka, 't', ['x']);
    const fetched = kafka.fail('OffsetFetch', { errorCode: 'STALE_MEMBER_EPOCH' });
    const one = new Member(kafka, ['t'], { enableAutoCommit: false });
    await until(() => one.values.length === 1);
    await fetched.untilHit();
    const committed = kafka.fail('OffsetCommit', { errorCode: 'STALE_MEMBER_EPOCH' });
    await one.consumer.commit([{ topic: 't', partition: 0, offset: 1 }]);
    expect(committed.hits).toBe(1);
    expect(kafka.committed('g')).toEqual({ t: { 0: 1 } });
    const { generation } = kafka.group('g');
    one.consumer.subscribe(['t', 'u']);
    await until(() => one.partitions.length === 2);
    await until(() => one.consumer.groupMetadata().generationId > generation);
  });

  it('an application that does not come back loses its partitions, and gets them again when it does', async () => {
    const kafka = await startKafka({ topics: { t: 1 } });
    await fill(kafka, 't', ['x', 'y']);
    const consumer = new Consumer({
      bootstrapServers: kafka.bootstrapServers,
      groupId: 'g',
      groupProtocol: 'consumer',
      autoOffsetReset: 'earliest',
      maxPollIntervalMs: 150,
      logger: null,
    });
    closing.push(consumer);
    const events: string[] = [];
    consumer.subscribe(['t'], {
      onAssigned: () => events.push('assigned'),
      onRevoked: () => events.push('revoked'),
      onLost: () => events.push('lost'),
    });
    const values: string[] = [];
    for await (const record of consumer) {
      values.push(record.text() ?? '');
      if (values.length === 1) await until(() => events.includes('lost') && kafka.members('g').length === 0);
      if (values.length === 3) break;
    }
    expect(events).toEqual(['assigned', 'lost', 'assigned']);
    expect(values).toEqual(['x', 'x', 'y']);
  });

  it('a broker that does not know the protocol: which can, and what to do until then', async () => {
    const kafka = await startKafka({ topics: { t: 1 }, versions: '3.5' });
    const one = new Member(kafka, ['t']);
    await one.loop;
    expect(one.failure?.message).toMatch(/Kafka 4\.0 or newer.*groupProtocol to 'classic'/);
  });

  it('a group with classic members, where the broker does not change its kind', async () => {
    const kafka = await startKafka({ topics: { t: 1 } });
    const classic = new Member(kafka, ['t'], { groupProtocol: 'classic' });
    await until(() => classic.partitions.length === 1);
    const one = new Member(kafka, ['t']);
    await one.loop;
    expect(one.failure?.message).toMatch(/group\.consumer\.migration\.policy/);
  });

  it('closes while it joins, and twice', async () => {
    const kafka = await startKafka({ topics: { t: 1 } });
    kafka.faults.add({ api: 'ConsumerGroupHeartbeat', delayMs: 50 });
    const one = new Member(kafka, ['t']);
    await kafka.faults.add({ api: 'FindCoordinator' }).untilHit();
    await Promise.all([one.consumer.close(), one.consumer.close()]);
    await one.loop;
    expect(kafka.members('g')).toEqual([]);
  });
});
