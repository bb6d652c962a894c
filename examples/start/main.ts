// The main job, as `npm start` shows it: a topic is filled while a group reads it, a second member joins on the way, and at the
// end everything is committed. Needs nothing but Node.js: the cluster is a mock in this process.
//
//   npm start -- [--topic TOPIC] [--group GROUP] [--records COUNT]
//
// With KAFKA_BOOTSTRAP_SERVERS=host:9092 the same on that cluster; a topic that is there already is only read.
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { StatusLine } from '../../src/cli/status-line.ts';
import { Consumer } from '../../src/index.ts';
import { TestAdmin } from '../../test/harness/admin.ts';
import { demoCluster, fill } from './cluster.ts';
import { Member } from './member.ts';

const PARTITIONS = 6;
/** The producer keeps to this, so that there is something to be watched: the group alone would be done in a second. */
const PRODUCED_PER_SECOND = 200_000;
const SECOND_JOINS_AFTER_MS = 1500;
const isTerminal = process.stdout.isTTY;
const STATUS_MS = isTerminal ? 200 : 1000;

const { values } = parseArgs({
  options: {
    topic: { type: 'string', default: `samsa-start-${Date.now()}` },
    group: { type: 'string', default: 'samsa-start' },
    records: { type: 'string', default: '1000000' },
  },
});
const { topic, group: groupId } = values;
const wanted = Number(values.records);

const screen = new StatusLine(process.stdout);
const began = performance.now();
const secondsSince = (start: number): number => (performance.now() - start) / 1000;
const say = (text: string): void => screen.note(`${secondsSince(began).toFixed(2).padStart(6)} s  ${text}`);
const grouped = (value: number): string => Math.round(value).toLocaleString('en-US');

const cluster = await demoCluster();
const { bootstrapServers } = cluster;
say(`${cluster.what}: ${bootstrapServers}`);
const admin = await TestAdmin.connect(bootstrapServers);
// Looks on: what is there, where partitions end, what the group has committed.
const onlooker = new Consumer({ bootstrapServers, groupId, allowAutoCreateTopics: false });
const isThere = await onlooker.partitionsFor(topic).then(
  () => true,
  () => false,
);
if (!isThere) await admin.createTopic(topic, PARTITIONS);
const partitions = await onlooker.partitionsFor(topic);
const what = isThere
  ? 'is there already: it is read to its present end'
  : `is made; ${grouped(wanted)} records follow, ${grouped(PRODUCED_PER_SECOND)} a second`;
say(`topic '${topic}' with ${partitions.length} partitions ${what}`);
const endsAtStart = await endOffsets();

async function endOffsets(): Promise<Map<number, number>> {
  const ends = await onlooker.endOffsets(partitions);
  return new Map(ends.map(({ partition, offset }) => [partition, offset]));
}

const members: Member[] = [];
const seen = new Map<number, number>();
function join(): void {
  const name = `member ${members.length + 1}`;
  say(`${name} joins group '${groupId}'`);
  members.push(new Member(name, { bootstrapServers, topic, groupId }, seen, say));
}
const handled = (): number => members.reduce((sum, member) => sum + member.handled, 0);

/** How many offsets lie between the members' positions and these ends; `null` while a rebalance is on. */
async function lagBefore(ends: ReadonlyMap<number, number>): Promise<number | null> {
  const positions = await Promise.all(members.map((member) => member.positions())).then((each) => each.flat());
  if (positions.length !== partitions.length) return null;
  return positions.reduce((sum, [partition, position]) => sum + Math.max(0, (ends.get(partition) ?? 0) - position), 0);
}

join();
const readingBegan = performance.now();
let isProduced = false;
const producing = (async () => {
  if (!isThere)
    await fill(admin, topic, partitions.length, wanted, async (produced) => {
      const ahead = produced / PRODUCED_PER_SECOND - secondsSince(readingBegan);
      if (ahead > 0) await sleep(ahead * 1000);
    });
  isProduced = true;
})();
setTimeout(join, SECOND_JOINS_AFTER_MS);

let last = { at: readingBegan, handled: 0 };
for (let isDone = false; !isDone;) {
  await sleep(STATUS_MS);
  const isLastLook = isProduced && members.every((member) => member.hasJoined) && members.length > 1;
  const lag = await lagBefore(isThere ? endsAtStart : await endOffsets());
  const rate = (handled() - last.handled) / secondsSince(last.at);
  last = { at: performance.now(), handled: handled() };
  const behind = lag === null ? 'rebalancing' : `lag ${grouped(lag)}`;
  screen.status(`          ${grouped(last.handled)} records handled, ${grouped(rate)} records/s, ${behind}`);
  isDone = isLastLook && lag === 0;
}
screen.end();
await producing;
const seconds = secondsSince(readingBegan);

say('the end is reached: both members commit, leave the group and close');
await Promise.all(members.map((member) => member.close()));
const ends = isThere ? endsAtStart : await endOffsets();
const committed = await onlooker.committed(partitions);
const missing = committed.filter(({ partition, offset }) => (offset ?? 0) < (ends.get(partition) ?? 0)).length;
const again = members.reduce((sum, member) => sum + member.again, 0);
await onlooker.close();
admin.close();
await cluster.close();

console.log(`
  records handled   ${grouped(handled())}${isThere ? '' : ` of ${grouped(wanted)}`}
  handled again     ${grouped(again)}
  by member         ${members.map((member) => `${member.name}: ${grouped(member.handled)}`).join(', ')}
  time              ${seconds.toFixed(1)} s with joins and a rebalance: ${grouped(handled() / seconds)} records/s, producer included
  committed         ${missing === 0 ? 'to the end of every partition' : `short of the end in ${missing} partitions`}
`);
if (missing > 0) process.exitCode = 1;
