import { afterEach, describe, expect, test } from 'vitest';
import { useRig, waitFor } from './rig.ts';
import { type Event, java, samsa, type Start, type Verifiable } from './verifiable.ts';

const START_MS = 40_000;

const rig = useRig();
let running: Verifiable[] = [];
afterEach(async () => {
  const left = running;
  running = [];
  await Promise.all(left.map((each) => each.stop()));
});

async function begin(program: Start, ...args: string[]): Promise<Verifiable> {
  const started = await program(...args);
  running.push(started);
  return started;
}

/** Without what differs by nature: the time, and the order of partitions, which is a hash set's. */
function comparable(lines: readonly string[]): string[] {
  return lines.map((line) => {
    const event = JSON.parse(line) as Event;
    event.timestamp = 0;
    event.partitions?.sort((a, b) => a.partition - b.partition);
    return JSON.stringify(event);
  });
}

describe.each([
  ['commits after every poll', []],
  ['--enable-autocommit --verbose', ['--enable-autocommit', '--verbose']],
  ['--max-messages 7 --verbose', ['--max-messages', '7', '--verbose']],
  ['--group-instance-id', ['--group-instance-id', 'one']],
  ['--group-protocol consumer', ['--group-protocol', 'consumer', '--group-remote-assignor', 'range']],
])('%s', (_, flags) => {
  test('every line is the one that Java prints', { timeout: 2 * START_MS + 10_000 }, async () => {
    const topic = await rig.filled(20);
    const last = flags.includes('--enable-autocommit') ? 'records_consumed' : 'offsets_committed';
    const run = async (program: Start): Promise<readonly string[]> => {
      const started = await begin(program, '--topic', topic, '--group-id', rig.name('group'), ...flags);
      await waitFor(`a line ${last}`, () => started.has(last), START_MS);
      await (flags.includes('--max-messages') ? started.untilEnd() : started.stop());
      return started.lines;
    };
    const [ours, javas] = [await run(samsa), await run(java)];
    expect(comparable(ours)).toEqual(comparable(javas));
    expect(ours.length).toBeGreaterThan(4);
    for (const { timestamp } of ours.map((line) => JSON.parse(line) as Event))
      expect(timestamp).toBeGreaterThan(1.7e12);
  });
});

function strategy(name: string): readonly string[] {
  return ['--assignment-strategy', `org.apache.kafka.clients.consumer.${name}Assignor`];
}

describe.each([
  ['range', strategy('Range'), 'Java leads', [java, samsa, samsa]],
  ['roundrobin', strategy('RoundRobin'), 'samsa leads', [samsa, java, samsa]],
  ['sticky', strategy('Sticky'), 'Java leads', [java, samsa, samsa]],
  ['sticky', strategy('Sticky'), 'samsa leads', [samsa, java, samsa]],
  ['cooperative-sticky', strategy('CooperativeSticky'), 'Java leads', [java, samsa, samsa]],
  ['cooperative-sticky', strategy('CooperativeSticky'), 'samsa leads', [samsa, java, samsa]],
  ['the broker (KIP-848)', ['--group-protocol', 'consumer'], 'Java is first', [java, samsa, samsa]],
] as const)('a mixed group by %s', (assignor, given, title, [first, second, third]) => {
  test(`${title}: each gets its part, together everything once`, { timeout: 5 * START_MS }, async () => {
    const topic = await rig.filled(0, { partitions: 6 });
    const flags = ['--topic', topic, '--group-id', rig.name('group'), ...given];
    const isSticky = assignor.endsWith('sticky');
    const members: Verifiable[] = [];
    const untilShared = async (size: number): Promise<number[][]> => {
      const shares = (): number[][] => members.map((each) => each.partitions);
      const isShared = (): boolean => {
        const all = shares().flat();
        return shares().every((share) => share.length === size) && new Set(all).size === 6 && all.length === 6;
      };
      await waitFor(`${size} partitions for each of ${members.length} members`, isShared, START_MS);
      return shares();
    };
    let filled = 0;
    /** Records that came meanwhile, by member: each partition has a hundred, so it is a hundred a partition. */
    const fill = async (): Promise<void> => {
      const before = members.map((each) => each.consumed);
      await rig.admin.fill(topic, 600, (index) => ({ value: String(filled + index) }));
      filled += 600;
      const after = (): number[] => members.map((each, index) => each.consumed - (before[index] ?? 0));
      await waitFor('the records', () => after().reduce((sum, count) => sum + count, 0) >= 600);
      expect(after()).toEqual(members.map((each) => each.partitions.length * 100));
    };
    const kept = (old: readonly number[] | undefined, now: readonly number[] | undefined): number =>
      (old ?? []).filter((partition) => now?.includes(partition)).length;

    // Whoever is first leads the group, and goes on leading it.
    members.push(await begin(first, ...flags));
    await untilShared(6);
    members.push(await begin(second, ...flags));
    const byTwo = await untilShared(3);
    await fill();
    members.push(await begin(third, ...flags));
    const byThree = await untilShared(2);
    // Only members that read each other's claims can see to that.
    if (isSticky) expect(byTwo.map((share, index) => kept(share, byThree[index]))).toEqual([2, 2]);
    await fill();

    // The leader goes: another one takes over, with what the others say they have.
    await members.shift()?.stop();
    const left = await untilShared(3);
    if (isSticky) expect(left.map((share, index) => kept(byThree[index + 1], share))).toEqual([2, 2]);
    await fill();
  });
});
