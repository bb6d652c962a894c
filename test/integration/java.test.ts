import { afterEach, expect, inject, it } from 'vitest';
import { type Tool, javaConsoleConsumer } from '../harness/kafka-tools.ts';
import { GroupMember } from './group-member.ts';
import { useRig, waitFor } from './rig.ts';

const rig = useRig();
let tool: Tool | undefined;
afterEach(async () => {
  await tool?.stop();
  tool = undefined;
});

/** `PARTITION@VALUE`, as both sides are made to tell it. */
function fromJava(lines: readonly string[]): string[] {
  return lines.map((line) => line.replace(/^Partition:(\d+)\t/, '$1@'));
}

it('a Java console consumer and samsa share one group by range: each gets its part, together everything, once', async () => {
  const topic = await rig.filled(0, { partitions: 6 });
  const groupId = rig.name('group');
  const valueAt = (index: number): { value: string } => ({ value: `${index}` });
  const seen: string[] = [];
  const member = new GroupMember(
    rig,
    [topic],
    { groupId, sessionTimeoutMs: 10_000 },
    {
      onRecord: ({ partition, value }) => seen.push(`${partition}@${value?.toString() ?? ''}`),
    },
  );
  await waitFor('all partitions here', () => member.partitions.length === 6);
  await rig.admin.fill(topic, 600, valueAt);
  await waitFor('all records here', () => seen.length === 600);

  // Which of the two is first among members is up to their ids; Java's member id begins with its client id.
  tool = await javaConsoleConsumer(inject('broker'), {
    topic,
    group: groupId,
    print: { 'print.partition': 'true' },
    properties: {
      'partition.assignment.strategy': 'org.apache.kafka.clients.consumer.RangeAssignor',
      'auto.offset.reset': 'earliest',
      'client.id': 'java',
    },
  });
  await waitFor('half of the partitions here', () => member.partitions.length === 3, 40_000);
  await rig.admin.fill(topic, 1200, valueAt);
  await waitFor('half of the records here', () => seen.length === 600 + 600);
  const lines = fromJava(await tool.untilLines(600));
  expect(member.partitions).toEqual([3, 4, 5]);
  expect(new Set(lines.map((line) => line[0]))).toEqual(new Set(['0', '1', '2']));
  const expected = Array.from({ length: 1200 }, (_, index) => `${index % 6}@${index}`);
  expect([...seen.slice(600), ...lines].sort()).toEqual(expected.sort());

  // Java leaves: all is here again, from where Java had committed.
  await tool.stop();
  await waitFor('all partitions here again', () => member.partitions.length === 6);
  await rig.admin.fill(topic, 60, valueAt);
  await waitFor('all records here again', () => seen.length === 1200 + 60);
  expect(fromJava(tool.lines)).toHaveLength(600);
  expect(member.errors).toEqual([]);
});
