import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { FencedError, KafkaError } from '../../src/index.ts';
import { growTopic } from './create-partitions.ts';
import { GroupMember, type HowToRead } from './group-member.ts';
import { failureOf, offsetsByPartition, upTo, useRig, waitFor } from './rig.ts';

const rig = useRig();

function allRecords(members: readonly GroupMember[]): { partition: number; offset: number }[] {
  return members.flatMap(({ records }) => records);
}

/** Everything once, and in order within each turn. */
function expectOnce(members: readonly GroupMember[], count: number, partitions: number): void {
  for (const { turns } of members) {
    for (const turn of turns) {
      for (const [partition, offsets] of offsetsByPartition(turn.records)) {
        expect(turn.partitions).toContain(partition);
        expect(offsets).toEqual(upTo(offsets.length, offsets[0]));
      }
    }
  }
  const byPartition = offsetsByPartition(allRecords(members));
  expect([...byPartition.keys()].sort()).toEqual(upTo(partitions));
  for (const offsets of byPartition.values()) {
    expect(offsets.toSorted((a, b) => a - b)).toEqual(upTo(count / partitions));
  }
}

/** Keeps the process busy, timers and sockets included. */
function spin(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

const slowly: HowToRead = { onRecord: () => sleep(1) };

describe('members that come and go', () => {
  it.each([
    ['range', ['0,1', '2,3', '4,5']],
    ['roundrobin', ['0,3', '1,4', '2,5']],
  ] as const)('three share six partitions by %s, each record once over all rebalances', async (assignor, shares) => {
    const topic = await rig.filled(6000, { partitions: 6 });
    const options = { groupId: rig.name('group'), partitionAssignmentStrategy: assignor };
    const join = (): GroupMember => new GroupMember(rig, [topic], options, slowly);
    const first = join();
    await waitFor('records for the first', () => first.records.length > 50);
    const second = join();
    await waitFor('records for the second', () => second.records.length > 50);
    const third = join();
    await waitFor('records for the third', () => third.records.length > 50);
    const members = [first, second, third];
    expect(members.map(({ partitions }) => partitions.join()).sort()).toEqual([...shares]);

    await second.close();
    await waitFor('its partitions elsewhere', () => first.partitions.length === 3 && third.partitions.length === 3);
    await waitFor('the end', () => allRecords(members).length >= 6000);
    await Promise.all([first.close(), third.close()]);
    expectOnce(members, 6000, 6);

    expect(first.events.slice(0, 4)).toEqual([
      '+0,1,2,3,4,5',
      '-0,1,2,3,4,5',
      expect.stringMatching(/^\+/),
      expect.stringMatching(/^-/),
    ]);
    for (const { events, consumer } of members) {
      // Every assignment is given back before the next one, the last one on close.
      events.forEach((event, index) => expect(event[0]).toBe(index % 2 === 0 ? '+' : '-'));
      expect(events.length % 2).toBe(0);
      events.forEach((event, index) => index % 2 === 1 && expect(event.slice(1)).toBe(events[index - 1]?.slice(1)));
      expect(consumer.assignment()).toEqual([]);
    }
    // Joined once, left once; the close of the two others at the same time may cost each one more rebalance.
    expect(second.events).toHaveLength(4);
    expect(members.flatMap(({ errors }) => errors)).toEqual([]);
  });

  it('a member too many has nothing, and takes over when another one leaves', async () => {
    const topic = await rig.filled(200, { partitions: 1 });
    const options = { groupId: rig.name('group') };
    const members = upTo(2).map(() => new GroupMember(rig, [topic], options));
    const idle = (): GroupMember | undefined =>
      members.find(({ partitions, events }) => events.length > 0 && partitions.length === 0);
    await waitFor(
      'one reader and one idle member',
      () => idle() !== undefined && members.some(({ partitions }) => partitions.length === 1),
    );
    const taker = idle();
    await members.find((member) => member !== taker)?.close();
    await rig.admin.produce(topic, 0, [{ value: 'new' }]);
    await waitFor('the new record', () => taker?.records.some(({ offset }) => offset === 200) === true);
    await taker?.close();
    expectOnce(members, 201, 1);
  });

  it('members that want different topics get only what they want', async () => {
    const [one, two] = [await rig.filled(40, { partitions: 2 }), await rig.filled(40, { partitions: 2 })];
    const groupId = rig.name('group');
    const topicsOf = (member: GroupMember): string[] =>
      [...new Set(member.consumer.assignment().map(({ topic }) => topic))].sort();
    const first = new GroupMember(rig, [one], { groupId });
    const both = new GroupMember(rig, [one, two], { groupId });
    await waitFor('the shares', () => first.partitions.length === 1 && both.partitions.length === 3);
    expect(topicsOf(first)).toEqual([one]);
    expect(topicsOf(both)).toEqual([one, two].sort());
    // A new subscription of a member is a new share for all.
    first.consumer.subscribe([two]);
    await waitFor('the new shares', () => topicsOf(first).join() === two && first.consumer.assignment().length === 1);
    await waitFor('the rest', () => both.consumer.assignment().length === 3);
    expect(topicsOf(both)).toEqual([one, two].sort());
  });

  it('unsubscribe() gives everything back, commits, and lets the others have it', async () => {
    const topic = await rig.filled(2000, { partitions: 2 });
    const options = { groupId: rig.name('group') };
    const first = new GroupMember(rig, [topic], options, slowly);
    await waitFor('records', () => first.records.length > 50);
    first.consumer.unsubscribe();
    await waitFor('revocation', () => first.events.length === 2);
    const second = new GroupMember(rig, [topic], options);
    await waitFor('the end', () => first.records.length + second.records.length >= 2000);
    expectOnce([first, second], 2000, 2);
    expect(second.events).toEqual(['+0,1']);
  });

  it('groupMetadata() is what the broker made of the member', async () => {
    const topic = await rig.filled(10);
    const groupId = rig.name('group');
    const member = new GroupMember(rig, [topic], { groupId });
    expect(member.consumer.groupMetadata()).toEqual({ groupId, memberId: '', generationId: -1, groupInstanceId: null });
    await waitFor('assignment', () => member.events.length === 1);
    const { memberId, generationId } = member.consumer.groupMetadata();
    expect(memberId).toMatch(/^samsa-/);
    expect(generationId).toBe(1);
  });
});

describe('listeners', () => {
  it('the group waits for onRevoked; what is committed in it is where the next one begins', async () => {
    const topic = await rig.filled(400, { partitions: 2 });
    const groupId = rig.name('group');
    const steps: string[] = [];
    const first = new GroupMember(
      rig,
      [topic],
      { groupId, enableAutoCommit: false },
      {
        onRevoked: async () => {
          steps.push('revoking');
          await sleep(300);
          await first.consumer.commit();
          steps.push('revoked');
        },
      },
    );
    await waitFor('all records', () => first.records.length === 400);
    const second = new GroupMember(rig, [topic], { groupId }, { onAssigned: () => steps.push('second assigned') });
    await waitFor('assignment of the second', () => second.partitions.length === 1);
    expect(steps).toEqual(['revoking', 'revoked', 'second assigned']);
    await second.close();
    await first.close();
    expect(allRecords([first, second])).toHaveLength(400);
  });

  it('one that throws: onAssigned to each read until it succeeds; onRevoked, at close(), as an error event', async () => {
    const topic = await rig.filled(10);
    const consumer = rig.consumer({ groupId: rig.name('group'), sessionTimeoutMs: rig.sessionTimeoutMs });
    const errors: string[] = [];
    consumer.on('error', ({ message }) => errors.push(message));
    let calls = 0;
    consumer.subscribe([topic], {
      onAssigned: () => (++calls < 3 ? Promise.reject(new Error('out of luck')) : undefined),
      onRevoked: () => {
        throw new Error('out of luck again');
      },
    });
    for (let i = 0; i < 2; i++) await expect(consumer.read()).rejects.toThrow('onAssigned has thrown: out of luck');
    for (let i = 0; i < 10; i++) expect(await consumer.read()).not.toBeNull();
    await consumer.close();
    expect(errors).toEqual(['onRevoked has thrown: out of luck again']);
  });

  it('a rebalance waits for the handler of the record in hand, and nothing more is delivered of what goes', async () => {
    const topic = await rig.filled(1000, { partitions: 2 });
    const groupId = rig.name('group');
    let isBusy = false;
    let release: () => void = () => undefined;
    const first = new GroupMember(
      rig,
      [topic],
      { groupId },
      {
        onRecord: ({ offset }) => {
          if (offset !== 30 || isBusy) return;
          isBusy = true;
          return new Promise<void>((resolve) => (release = resolve));
        },
      },
    );
    await waitFor('a busy handler', () => isBusy);
    const second = new GroupMember(rig, [topic], { groupId });
    await sleep(1000);
    expect(second.events).toEqual([]);
    const before = first.records.length;
    release();
    await waitFor('both have something', () => first.partitions.length === 1 && second.partitions.length === 1);
    expect(first.turns[0]?.records).toHaveLength(before);
    await waitFor('the end', () => allRecords([first, second]).length >= 1000);
    expectOnce([first, second], 1000, 2);
  });
});

describe('time', () => {
  it('a handler that takes longer than sessionTimeoutMs keeps its membership', async () => {
    const topic = await rig.filled(3);
    const member = new GroupMember(
      rig,
      [topic],
      { groupId: rig.name('group') },
      {
        onRecord: ({ offset }) => (offset === 0 ? sleep(rig.sessionTimeoutMs * 2.5) : undefined),
      },
    );
    await waitFor('all records', () => member.records.length === 3, rig.sessionTimeoutMs * 5);
    await member.consumer.commit();
    expect(member.events).toEqual(['+0']);
    expect(member.errors).toEqual([]);
  });

  it('a loop that never waits still heartbeats', async () => {
    const topic = await rig.filled(20_000);
    let count = 0;
    const member = new GroupMember(
      rig,
      [topic],
      { groupId: rig.name('group') },
      {
        onRecord: () => {
          if (++count % 5 === 0) spin(1);
        },
      },
    );
    await waitFor('all records', () => member.records.length === 20_000, 55_000);
    expect(member.events).toEqual(['+0']);
  });

  it('a process that stood still for longer than its session: lost, told, back, and from what was committed', async () => {
    const topic = await rig.filled(100);
    let isFirst = true;
    const member: GroupMember = new GroupMember(
      rig,
      [topic],
      { groupId: rig.name('group'), enableAutoCommit: false },
      {
        onRecord: async (record) => {
          if (record.offset === 9 && isFirst) await member.consumer.commit(record);
          if (record.offset !== 20 || !isFirst) return;
          isFirst = false;
          spin(rig.sessionTimeoutMs * 1.8);
        },
      },
    );
    await waitFor('all records, in the second turn', () => member.turns[1]?.records.length === 90, 30_000);
    expect(member.events).toEqual(['+0', '!0', '+0']);
    expect(member.turns[1]?.records.map(({ offset }) => offset)).toEqual(upTo(90, 10));
    const before = member.turns[0]?.records.map(({ offset }) => offset) ?? [];
    expect(before).toEqual(upTo(before.length));
  });

  it('maxPollIntervalMs: told, out of the group, and back when it reads again', async () => {
    const topic = await rig.filled(100, { partitions: 2 });
    const groupId = rig.name('group');
    const messages: string[] = [];
    let isFirst = true;
    let failure: unknown;
    const stuck: GroupMember = new GroupMember(
      rig,
      [topic],
      {
        groupId,
        maxPollIntervalMs: rig.sessionTimeoutMs,
        logger: {
          debug: () => undefined,
          info: () => undefined,
          warn: () => undefined,
          error: (text: string) => messages.push(text),
        },
      },
      {
        onRecord: async (record) => {
          if (!isFirst) return;
          isFirst = false;
          await waitFor('onLost', () => stuck.events.includes('!0,1'));
          failure = await failureOf(stuck.consumer.commit(record));
        },
      },
    );
    await waitFor('the other one to have all', () => stuck.events.length >= 2); // it may be back already
    const other = new GroupMember(rig, [topic], { groupId });
    await waitFor('both to have something', () => stuck.partitions.length === 1 && other.partitions.length === 1);
    await waitFor(
      'the end',
      () => new Set(allRecords([stuck, other]).map(({ partition, offset }) => `${partition}@${offset}`)).size === 100,
    );
    expect(messages.join('\n')).toMatch(/maxPollIntervalMs/);
    expect(failure).toBeInstanceOf(KafkaError);
    expect(failure).toBeInstanceOf(FencedError);
    expect(stuck.events.slice(0, 2)).toEqual(['+0,1', '!0,1']);
    // Only the record in hand was delivered twice.
    expect(allRecords([stuck, other])).toHaveLength(101);
  });
});

describe('topics that change', () => {
  it('one that is not there yet is read once it is', async () => {
    const topic = rig.name('later');
    const member = new GroupMember(rig, [topic], { groupId: rig.name('group'), allowAutoCreateTopics: false });
    await waitFor('word of it', () => member.errors.length > 0);
    expect(member.errors[0]).toMatchObject({ name: 'UNKNOWN_TOPIC_OR_PARTITION' });
    expect(member.errors[0]?.message).toContain(topic);
    await rig.admin.createTopic(topic, 2);
    await rig.admin.fill(topic, 20, (index) => ({ value: `${index}` }));
    await waitFor('its records', () => member.records.length === 20);
    expectOnce([member], 20, 2);
  });

  it('new partitions are noticed after metadataMaxAgeMs, by all members', async () => {
    const topic = await rig.filled(20, { partitions: 2 });
    const options = { groupId: rig.name('group'), metadataMaxAgeMs: 500 };
    const members = upTo(2).map(() => new GroupMember(rig, [topic], options));
    await waitFor('all records', () => allRecords(members).length === 20);
    await growTopic(rig.admin, topic, 4);
    await waitFor('new shares', () => members.every(({ partitions }) => partitions.length === 2));
    expect(await rig.admin.endOffsets(topic)).toEqual([10, 10, 0, 0]);
    await rig.admin.produce(topic, 3, [{ value: 'new' }]);
    await waitFor('the new record', () => allRecords(members).some(({ partition }) => partition === 3));
    expect(allRecords(members)).toHaveLength(21);
  });
});

describe('static members', () => {
  it('one that comes back within its session gets its partitions without a rebalance of the others', async () => {
    const topic = await rig.filled(400, { partitions: 2 });
    const groupId = rig.name('group');
    const sessionTimeoutMs = 10_000;
    const join = (groupInstanceId: string): GroupMember =>
      new GroupMember(rig, [topic], { groupId, groupInstanceId, sessionTimeoutMs }, slowly);
    const stays = join('stays');
    const leaves = join('leaves');
    await waitFor('both have something', () => stays.partitions.length === 1 && leaves.partitions.length === 1);
    await waitFor('records', () => leaves.records.length > 10);
    const had = leaves.partitions;
    const eventsBefore = stays.events.length;
    await leaves.close();
    const back = join('leaves');
    await waitFor('its partitions back', () => back.partitions.length === 1);
    expect(back.partitions).toEqual(had);
    await waitFor('the end', () => allRecords([stays, leaves, back]).length >= 400);
    expect(stays.events).toHaveLength(eventsBefore);
    expectOnce([stays, leaves, back], 400, 2);
  });

  it('a second process with the same id fences the first, which says so', async () => {
    const topic = await rig.filled(10);
    const options = { groupId: rig.name('group'), groupInstanceId: 'same' };
    const first = rig.consumer(options);
    first.subscribe([topic]);
    expect((await first.poll({ timeoutMs: 10_000 })).length).toBe(1);
    const fenced = failureOf(
      (async () => {
        for (;;) await first.poll({ timeoutMs: 1000 });
      })(),
    );
    const second = new GroupMember(rig, [topic], options);
    const error = await fenced;
    expect(error).toBeInstanceOf(FencedError);
    expect(error).toMatchObject({ name: 'FENCED_INSTANCE_ID', code: 82 });
    await waitFor('assignment of the second', () => second.partitions.length === 1);
  });
});
