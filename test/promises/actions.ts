import type { Member } from './member.ts';
import { pause, textOf } from './promises.ts';

/** What an application does beside its reading. */
type Action = (member: Member) => void;

const seekBack: Action = (member) => {
  const { random, scene } = member;
  const partition = random.pick(scene.truth.partitions);
  member.seek(partition, random.int(0, scene.truth.firstUnhandled(partition)));
};

const pauseSome: Action = (member) => {
  const partitions = member.consumer.assignment().filter(() => member.random.chance(0.5));
  const names = partitions.map(({ partition }) => partition).join();
  member.call(`pause ${names}`, () => member.consumer.pause(partitions));
  const resume = (): void => member.call('resume', () => !member.isClosed && member.consumer.resume());
  void pause(member.random.int(0, 60)).then(resume);
};

const commit: Action = (member) => member.commitSomething(null);

const ask: Action = (member) => {
  const { consumer, random, scene } = member;
  const partitions = scene.truth.partitions;
  const what = random.pick(['committed', 'position', 'endOffsets', 'beginningOffsets', 'partitionsFor'] as const);
  member.call(`${what}()`, () => {
    switch (what) {
      case 'committed':
        return member.hasGroup ? consumer.committed(partitions) : null;
      case 'position':
        return consumer.position(random.pick(partitions));
      case 'endOffsets':
        return consumer.endOffsets(partitions);
      case 'beginningOffsets':
        return consumer.beginningOffsets(partitions);
      case 'partitionsFor':
        return consumer.partitionsFor(scene.topic);
    }
  });
  consumer.lag();
  consumer.metrics();
};

/** Somebody else reads from the same consumer: refused, or a record like any other. */
const secondReader: Action = (member) => {
  if (!member.isInLoop) return;
  const read = member.consumer.read({ timeoutMs: 0 }).then(
    (record) => {
      if (record !== null && member.isInLoop) member.violation('a second reader got a record beside a loop');
    },
    (error: unknown) => {
      if (!member.isClosed && !/Concurrent|Closed/.test(textOf(error))) throw error;
    },
  );
  member.scene.promises.start(member.name, 'read() beside a loop', read);
};

const resubscribe: Action = (member) => {
  if (!member.options.isManual && !member.isManual) member.subscribe();
};

const unsubscribe: Action = (member) => {
  if (member.options.isManual) return;
  member.unsubscribe();
  const back = (): void => {
    if (!member.isClosed && !member.isManual) member.subscribe();
  };
  if (member.random.chance(0.4)) back();
  else void pause(member.random.int(0, 60)).then(back);
};

/** From the group to partitions by hand, and back. */
const assign: Action = (member) => {
  if (member.options.isManual) {
    const partitions = member.scene.truth.partitions.filter(() => member.random.chance(0.7));
    if (partitions.length > 0) member.assign(partitions);
    return;
  }
  if (member.isManual) {
    member.unsubscribe();
    member.subscribe();
    return;
  }
  member.unsubscribe();
  member.assign(member.scene.truth.partitions.filter(() => member.random.chance(0.5)));
};

const close: Action = (member) => {
  void member.close(member.random.pick([0, 30, 300, 3000, undefined])).catch(() => undefined);
};

/** Does things at random until all is calm. */
export async function interfere(member: Member, closings: number): Promise<void> {
  const { random, scene } = member;
  const mood = random.pick([0.1, 0.3, 1]);
  for (;;) {
    await pause(random.int(5, 60));
    if (scene.isCalm || member.isClosed) return;
    if (!random.chance(mood)) continue;
    const action = random.weighted([
      [10, seekBack],
      [8, pauseSome],
      [12, commit],
      [6, ask],
      [6, secondReader],
      [3, resubscribe],
      [3, unsubscribe],
      [3, assign],
      [closings, close],
    ] as const);
    action(member);
  }
}
