import { afterEach, describe, expect, inject, it } from 'vitest';
import { SubscriptionPattern } from '../../src/index.ts';
import { type Running, start } from '../cli/run.ts';
import { deleteTopic } from '../harness/cluster-admin.ts';
import { javaConsoleConsumer, type Tool } from '../harness/kafka-tools.ts';
import { useRig, waitFor } from './rig.ts';
import { missingIn, recordsIn, repeatedIn, SteadyMember } from './steady-member.ts';

// groupProtocol 'consumer' (KIP-848) on a broker that has it: Kafka 4.0 or newer.

const rig = useRig();
const others: { stop: () => Promise<unknown> }[] = [];
afterEach(async () => {
  await Promise.all(others.splice(0).map((each) => each.stop()));
});

const CONSUMER = { groupProtocol: 'consumer' } as const;
const CLASSIC = { groupProtocol: 'classic', sessionTimeoutMs: 6000 } as const;

/** Spread over the partitions in turn. */
async function fill(topic: string, count: number): Promise<void> {
  await rig.admin.fill(topic, count, (index) => ({ value: String(index) }));
}

async function java(topic: string, group: string): Promise<Tool> {
  const tool = await javaConsoleConsumer(inject('broker'), {
    topic,
    group,
    print: { 'print.partition': 'true', 'print.offset': 'true', 'print.value': 'false' },
    properties: { 'group.protocol': 'consumer', 'auto.offset.reset': 'earliest' },
  });
  others.push(tool);
  return tool;
}

function cli(topic: string, group: string): Running & { stop: () => Promise<unknown> } {
  const where = ['-b', rig.bootstrapServers, '-t', topic, '-g', group];
  const running = start(
    'consume',
    ...where,
    '-f',
    '%p@%o\\n',
    '-X',
    'group.protocol=consumer',
    '-X',
    'auto.offset.reset=earliest',
  );
  const stop = async (): Promise<void> => {
    running.process.kill('SIGKILL');
    await running.ended;
  };
  const tool = { ...running, stop };
  others.push(tool);
  return tool;
}

function sizes(members: readonly SteadyMember[]): string {
  return members
    .map(({ partitions }) => partitions.length)
    .sort((a, b) => a - b)
    .join();
}

describe('members that come and go', () => {
  it.each(['uniform', 'range'])(
    'two, then three share six partitions by %s; each record once, nobody stops for the others',
    async (groupRemoteAssignor) => {
      const topic = await rig.filled(0, { partitions: 6 });
      const options = { ...CONSUMER, groupRemoteAssignor, groupId: rig.name('group') };
      const members = [new SteadyMember(rig, [topic], options)];
      await waitFor('all partitions', () => sizes(members) === '6');
      await fill(topic, 600);
      await waitFor('records', () => members[0]?.records.length === 600);
      members.push(new SteadyMember(rig, [topic], options));
      await waitFor('halves', () => sizes(members) === '3,3');
      await fill(topic, 600);
      members.push(new SteadyMember(rig, [topic], options));
      await waitFor('thirds', () => sizes(members) === '2,2,2');
      await fill(topic, 600);
      const all = (): { partition: number; offset: number }[] => members.flatMap(({ records }) => records);
      await waitFor('1800 records', () => all().length >= 1800);
      const [first, second] = members;
      await second?.close();
      await waitFor('halves again', () => sizes(members) === '0,3,3');
      await fill(topic, 600);
      await waitFor('2400 records', () => all().length >= 2400);
      expect(missingIn(all(), 6, 400)).toEqual([]);
      expect(repeatedIn(all())).toEqual([]);
      // The first one gave up what went to the others and nothing else; by range its run may begin elsewhere afterwards, as the ids fall.
      const given = first?.events.filter((event) => event.startsWith('-')) ?? [];
      const count = given.flatMap((event) => event.slice(1).split(',')).length;
      expect(count).toBeGreaterThanOrEqual(4);
      if (groupRemoteAssignor === 'uniform') expect(count).toBe(4);
      expect(first?.events.filter((event) => event.startsWith('!'))).toEqual([]);
    },
  );

  it('samsa consume -X group.protocol=consumer; killed, its partitions come over when the session ends', async () => {
    const topic = await rig.filled(600, { partitions: 4 });
    const groupId = rig.name('group');
    const member = new SteadyMember(rig, [topic], { ...CONSUMER, groupId });
    await waitFor('all records', () => member.records.length === 600);
    const killed = cli(topic, groupId);
    let stdout = '';
    killed.process.stdout.on('data', (text: string) => (stdout += text));
    await waitFor('half of the partitions', () => member.partitions.length === 2);
    await fill(topic, 400);
    await waitFor('its half of the records', () => recordsIn(stdout.split('\n')).length === 200);
    await waitFor('our half of the records', () => member.records.length === 800);
    const before = performance.now();
    await killed.stop();
    await waitFor('all partitions', () => member.partitions.length === 4);
    expect(performance.now() - before).toBeGreaterThan(2000); // not before its session is over
    await fill(topic, 400);
    // What the killed one had not committed comes again, nothing else is missing.
    const all = (): { partition: number; offset: number }[] => [...member.records, ...recordsIn(stdout.split('\n'))];
    await waitFor('the rest', () => missingIn(all(), 4, 350).length === 0);
    expect(member.failure).toBeNull();
  });

  it('a static member that restarts in time has its partitions back, and the other one hears nothing of it', async () => {
    const topic = await rig.filled(400, { partitions: 4 });
    const options = { ...CONSUMER, groupId: rig.name('group') };
    const other = new SteadyMember(rig, [topic], options);
    const first = new SteadyMember(rig, [topic], { ...options, groupInstanceId: 'i' });
    await waitFor('halves', () => sizes([other, first]) === '2,2');
    const [before, events] = [first.partitions, [...other.events]];
    await first.close();
    const second = new SteadyMember(rig, [topic], { ...options, groupInstanceId: 'i' });
    await waitFor('its half', () => second.partitions.length === 2);
    expect(second.partitions).toEqual(before);
    expect(other.events).toEqual(events);
    // Two processes at a time are one too many: the second one is told.
    const third = new SteadyMember(rig, [topic], { ...options, groupInstanceId: 'i' });
    await third.loop;
    expect(third.failure?.message).toMatch(/another member holds groupInstanceId 'i'/);
  });
});

describe('subscriptions', () => {
  it('a pattern that the broker matches: topics that are there, that come, and that go', async () => {
    const prefix = rig.name('pattern');
    for (const name of ['a', 'b']) await rig.admin.createTopic(`${prefix}.${name}`, 2);
    await rig.admin.createTopic(`${prefix}-other`, 1);
    const groupId = rig.name('group');
    const member = new SteadyMember(rig, new SubscriptionPattern(`${prefix}\\..*`), { ...CONSUMER, groupId });
    const topics = (): string =>
      [...new Set(member.consumer.assignment().map(({ topic }) => topic.slice(prefix.length)))].sort().join();
    await waitFor('two topics', () => topics() === '.a,.b', 40_000);
    await fill(`${prefix}.a`, 10);
    await waitFor('records', () => member.records.length === 10);
    await rig.admin.createTopic(`${prefix}.c`, 1);
    await fill(`${prefix}.c`, 5);
    await waitFor('the new topic’s records', () => member.records.length === 15, 40_000);
    await deleteTopic(rig.admin, `${prefix}.b`);
    await waitFor('the topic to be gone', () => topics() === '.a,.c', 40_000);
    // No longer by a pattern: the broker has to forget it.
    member.consumer.subscribe([`${prefix}-other`]);
    await waitFor('names in place of the pattern', () => topics() === '-other', 40_000);
    expect(member.failure).toBeNull();
  });

  it('a pattern that is none, and an assignor that the broker has not: told with the remedy', async () => {
    const groupId = rig.name('group');
    const pattern = new SteadyMember(rig, new SubscriptionPattern('(?!x)'), { ...CONSUMER, groupId });
    await pattern.loop;
    expect(pattern.failure?.message).toMatch(/RE2J.*INVALID_REGULAR_EXPRESSION 128/);
    const assignor = new SteadyMember(rig, ['t'], { ...CONSUMER, groupId, groupRemoteAssignor: 'random' });
    await assignor.loop;
    expect(assignor.failure?.message).toMatch(/groupRemoteAssignor 'random'.*UNSUPPORTED_ASSIGNOR 112/);
  });
});

describe('together with others', () => {
  it('Java consumers of the same protocol: everything once, from one to the other and back', async () => {
    const topic = await rig.filled(0, { partitions: 6 });
    const groupId = rig.name('group');
    const members = [0, 1].map(() => new SteadyMember(rig, [topic], { ...CONSUMER, groupId }));
    await waitFor('halves', () => sizes(members) === '3,3');
    await fill(topic, 600);
    const ours = (): { partition: number; offset: number }[] => members.flatMap(({ records }) => records);
    await waitFor('600 records', () => ours().length === 600);
    const tool = await java(topic, groupId);
    await waitFor('thirds', () => sizes(members) === '2,2', 40_000);
    await fill(topic, 600);
    const lines = recordsIn(await tool.untilLines(200));
    await waitFor('our 400 records', () => ours().length === 1000);
    expect(missingIn([...ours(), ...lines], 6, 200)).toEqual([]);
    expect(repeatedIn([...ours(), ...lines])).toEqual([]);
    await tool.stop();
    await waitFor('halves again', () => sizes(members) === '3,3');
    await fill(topic, 600);
    await waitFor('all is ours', () => ours().length === 1600);
    expect(missingIn([...ours(), ...lines], 6, 300)).toEqual([]);
    expect(repeatedIn([...ours(), ...lines])).toEqual([]);
  });

  it('a live group goes from classic to consumer and back, member by member; each record once', async () => {
    const topic = await rig.filled(0, { partitions: 6 });
    const groupId = rig.name('group');
    const join = (options: typeof CLASSIC | typeof CONSUMER): SteadyMember =>
      new SteadyMember(rig, [topic], { ...options, groupId });
    const everybody: SteadyMember[] = [];
    let members = [join(CLASSIC), join(CLASSIC)];
    everybody.push(...members);
    await waitFor('halves', () => sizes(members) === '3,3');
    let count = 0;
    const readsOn = async (what: string): Promise<void> => {
      await fill(topic, 300);
      count += 300;
      const all = (): { partition: number; offset: number }[] => everybody.flatMap(({ records }) => records);
      await waitFor(`${what}: ${count} records`, () => missingIn(all(), 6, count / 6).length === 0);
      expect(repeatedIn(all())).toEqual([]);
    };
    await readsOn('classic');
    for (const options of [CONSUMER, CLASSIC]) {
      for (const leaving of [...members]) {
        const next = join(options);
        everybody.push(next);
        await waitFor('three of them', () => sizes([...members, next]) === '2,2,2', 40_000);
        await leaving.close();
        members = [...members.filter((each) => each !== leaving), next];
        await waitFor('two of them', () => sizes(members) === '3,3', 40_000);
        await readsOn(`on the way to ${options.groupProtocol}`);
      }
    }
    expect(everybody.map(({ failure }) => failure)).toEqual(everybody.map(() => null));
    expect(everybody.flatMap(({ events }) => events.filter((event) => event.startsWith('!')))).toEqual([]);
  });
});
