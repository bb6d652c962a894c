import type { KafkaError } from '../../src/index.ts';
import { MockCluster, type MockClusterOptions } from '../../src/testing/index.ts';
import { LedgerOfTruth, nameOf } from './ledger-of-truth.ts';
import { Member, type MemberOptions, type Scene } from './member.ts';
import { pause, Promises, settles, until } from './promises.ts';
import type { Random } from './random.ts';
import { readOn, type Style } from './styles.ts';
import { Timeline } from './timeline.ts';

/** How long anything may take once nothing is wrong any more. An idle machine needs a hundredth of it. */
const LIMIT_MS = Number(process.env['SAMSA_LIMIT_MS'] ?? 40_000);
export const TOPIC = 't';
export const GROUP = 'g';

let stages = 0;

/**
 * A loopback address for each cluster, where the system has so many: a port that a broker gives up for a moment would else be another cluster's, and
 * the members would read and commit there.
 */
function hostOfItsOwn(): string {
  if (process.platform !== 'linux') return '127.0.0.1';
  const number = ++stages;
  return `127.${10 + (process.pid % 200)}.${(number >> 7) % 256}.${1 + (number % 128)}`;
}

/** A cluster, the members that read from it, and everything that has to be true of them. */
export class Stage {
  readonly kafka: MockCluster;
  readonly scene: Scene;
  readonly members: Member[] = [];
  readonly #reading: Promise<void>[] = [];
  #calmDown: () => void = () => undefined;

  private constructor(kafka: MockCluster, partitions: number) {
    this.kafka = kafka;
    const timeline = new Timeline();
    const truth = new LedgerOfTruth();
    const calm = new Promise<void>((resolve) => (this.#calmDown = resolve));
    const promises = new Promises(timeline);
    this.scene = { topic: TOPIC, truth, timeline, promises, isCalm: false, calm };
    for (let partition = 0; partition < partitions; partition++) truth.grow({ topic: TOPIC, partition }, 0);
    this.#watchCommits();
  }

  static async set(partitions: number, options: MockClusterOptions = {}): Promise<Stage> {
    const kafka = await MockCluster.start({
      brokers: 2,
      replicationFactor: 2,
      topics: { [TOPIC]: partitions },
      groups: { consumer: { heartbeatIntervalMs: 30, sessionTimeoutMs: 1500 } },
      host: hostOfItsOwn(),
      ...options,
    });
    return new Stage(kafka, partitions);
  }

  get isOver(): boolean {
    return this.scene.timeline.violations.length > 0;
  }

  /** A member that is there, and reads. */
  begin(random: Random, options: MemberOptions, styles?: Readonly<Record<string, Style>>): Member {
    const member = new Member(`m${this.members.length}`, this.scene, random, options);
    this.members.push(member);
    member.begin();
    this.#reading.push(readOn(member, styles));
    return member;
  }

  /** Every value says where it is. */
  async append(random: Random, partition: number, count: number, batchRecords: number): Promise<void> {
    if (count === 0) return;
    const { truth } = this.scene;
    const at = { topic: TOPIC, partition };
    const from = truth.end(at);
    const records = Array.from({ length: count }, (_, index) => ({
      key: random.chance(0.2) ? null : `k${random.int(0, 3)}`,
      value: `${nameOf(at)}@${from + index}`,
    }));
    truth.grow(at, from + count);
    const compression = random.pick(['none', 'none', 'gzip', 'lz4'] as const);
    const options = { batchRecords, ...(compression === 'none' ? {} : { compression }) };
    await this.kafka.append(TOPIC, partition, records, options);
  }

  /** From here on nothing is wrong. */
  calmDown(): void {
    if (this.scene.isCalm) return;
    this.scene.timeline.note('', 'all is calm');
    this.scene.isCalm = true;
    this.#calmDown();
    for (const member of this.members) if (!member.isClosed) member.calmDown();
  }

  /** All that was written is handled, all that is handled is committed, all that is closed is gone. Otherwise there are violations. */
  async finish(): Promise<void> {
    const { truth, timeline } = this.scene;
    if (this.isOver) return;
    if (!(await until(() => this.isOver || truth.unhandled.length === 0, LIMIT_MS)))
      timeline.violation(`stuck: nobody has handled ${truth.unhandled.join(', ')}`);
    timeline.note('', 'all is handled');
    const open = this.members.filter(({ isClosed }) => !isClosed);
    await this.#commitAll(open);
    if (!this.isOver) await this.#closeAll(open);
  }

  /** Whatever has become of it. */
  async strike(): Promise<void> {
    this.calmDown();
    await settles(Promise.allSettled(this.members.map((member) => member.close(0))), LIMIT_MS);
    await settles(Promise.all(this.#reading), LIMIT_MS);
    await this.kafka.close();
  }

  async #commitAll(open: readonly Member[]): Promise<void> {
    let isCommitting = true;
    const commits = open.map(async (member) => {
      while (isCommitting && !member.isClosed) {
        if (member.isMarking) member.markAll();
        if (member.options.consumer.enableAutoCommit === false)
          await member.consumer.commit().catch((error: KafkaError) => member.note(`commit(): ${error.message}`));
        await pause(10);
      }
    });
    if (!(await until(() => this.isOver || this.#uncommitted().length === 0, LIMIT_MS)))
      this.scene.timeline.violation(`stuck: the group has committed ${this.#uncommitted().join(', ')}`);
    isCommitting = false;
    await settles(Promise.all(commits), LIMIT_MS);
  }

  async #closeAll(open: readonly Member[]): Promise<void> {
    const { timeline, promises } = this.scene;
    const ids = open.map(({ consumer, options }) =>
      options.consumer.groupInstanceId === undefined ? consumer.groupMetadata().memberId : 'nobody',
    );
    await settles(Promise.allSettled(open.map((member) => member.close())), LIMIT_MS);
    await settles(Promise.all(this.#reading), LIMIT_MS);
    // Look-ups and commits of members that were closed before settle as well, within `defaultApiTimeoutMs`.
    if (!(await until(() => promises.open.length === 0, LIMIT_MS)))
      timeline.violation(`never settled: ${promises.open.join('; ')}`);
    // Who has lost the coordinator just then leaves by its session.
    const left = (): string[] =>
      this.kafka
        .members(GROUP)
        .flatMap(({ memberId, clientId }) => (memberId !== '' && ids.includes(memberId) ? [clientId] : []));
    if (!(await until(() => left().length === 0, LIMIT_MS)))
      timeline.violation(`closed, and still in the group: ${left().join()}`);
    const connections = (): number => this.kafka.broker(1).connections + this.kafka.broker(2).connections;
    if (!(await until(() => connections() === 0, LIMIT_MS)))
      timeline.violation(`${connections()} connections are open after all was closed`);
    if (this.#uncommitted().length > 0)
      timeline.violation(`after close() the group has committed ${this.#uncommitted().join(', ')}`);
  }

  #uncommitted(): string[] {
    const { truth } = this.scene;
    const committed = this.kafka.committed(GROUP)[TOPIC];
    return truth.partitions
      .filter((each) => (committed?.[each.partition] ?? 0) < truth.end(each))
      .map((each) => `${nameOf(each)} to ${committed?.[each.partition] ?? 'nothing'} of ${truth.end(each)}`);
  }

  /** Whatever the brokers accept: nothing may be passed that no application has finished. */
  #watchCommits(): void {
    const { truth, timeline } = this.scene;
    const before = new Map<number, number>();
    this.kafka.on('committed', (groupId) => {
      for (const [index, offset] of Object.entries(this.kafka.committed(groupId)[TOPIC] ?? {})) {
        const partition = { topic: TOPIC, partition: Number(index) };
        if (before.get(partition.partition) === offset) continue;
        before.set(partition.partition, offset);
        const first = truth.firstUnhandled(partition);
        timeline.note('broker', `has ${nameOf(partition)}@${offset}, handled to ${first}`);
        if (offset > first) timeline.violation(`committed ${nameOf(partition)}@${offset}, but ${first} is not handled`);
      }
    });
  }
}
