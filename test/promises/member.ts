import {
  Consumer,
  type ConsumerOptions,
  CorruptRecordError,
  HandlerError,
  type KafkaRecord,
  type RebalanceListener,
  type TopicPartition,
} from '../../src/index.ts';
import type { LedgerOfTruth } from './ledger-of-truth.ts';
import { nameOf } from './ledger-of-truth.ts';
import { pause, Promises, textOf } from './promises.ts';
import type { Random } from './random.ts';
import type { Timeline } from './timeline.ts';
import { type Held, Watch } from './watch.ts';

/** What the members of a history share. */
export interface Scene {
  readonly topic: string;
  readonly truth: LedgerOfTruth;
  readonly timeline: Timeline;
  readonly promises: Promises;
  /** From here on nobody misbehaves: what hangs is let go, what was stopped goes on. */
  isCalm: boolean;
  /** Settles then. */
  readonly calm: Promise<void>;
}

export interface MemberOptions {
  readonly consumer: ConsumerOptions;
  /** Reads all partitions without a subscription. */
  readonly isManual: boolean;
}

/** An error of the application's own. */
export class Mishap extends Error {
  override readonly name = 'Mishap';
}

/** One application: a consumer, what it has in hand, and its habits. */
export class Member {
  readonly name: string;
  readonly scene: Scene;
  readonly random: Random;
  readonly consumer: Consumer;
  readonly watch: Watch;
  readonly options: MemberOptions;
  /** Their `onAssigned` has ended. */
  readonly #ready = new Set<string>();
  /** Handed out by `poll()` or `read()` and not handled yet: a plain `commit()` would cover them. */
  readonly unhandledPolls = new Set<string>();
  /** With `enableAutoOffsetStore: false`: handled, and not marked yet. */
  toMark: KafkaRecord[] = [];
  /** Partitions that a failed handler has stopped: where to go on. */
  readonly stopped = new Map<string, TopicPartition & { offset: number }>();
  /** A loop is under way: no other reader may come. */
  isInLoop = false;
  /** Ends `forEach` or `run`. */
  stop: AbortController | null = null;
  /** `run` goes on with what it has stopped only when it is called again. */
  isRun = false;
  isClosed = false;
  isManual: boolean;
  lastError: unknown = null;
  /** It decides by itself about what cannot be read. */
  isDeciding = false;
  /** A read has thrown. */
  onReadError: (error: unknown) => void = () => undefined;
  /** What befalls it with this record in hand, before anything else: `'leave'` for going away without finishing it. */
  trap: (record: KafkaRecord) => Promise<'leave' | 'handle'> | 'leave' | 'handle' = () => 'handle';

  constructor(name: string, scene: Scene, random: Random, options: MemberOptions) {
    this.name = name;
    this.scene = scene;
    this.random = random;
    this.options = options;
    this.isManual = options.isManual;
    this.consumer = new Consumer({ ...options.consumer, clientId: name });
    const isReady = (partition: TopicPartition): boolean => this.isManual || this.#ready.has(nameOf(partition));
    const isPaused = (partition: TopicPartition): boolean =>
      this.consumer.paused().some((each) => nameOf(each) === nameOf(partition));
    this.watch = new Watch(name, scene.truth, scene.timeline, { isReady, isPaused });
    this.#listen();
    const { bootstrapServers: _, logger: __, ...told } = options.consumer;
    this.note(JSON.stringify(told));
  }

  get isMarking(): boolean {
    return this.options.consumer.enableAutoOffsetStore === false;
  }

  get hasGroup(): boolean {
    return this.options.consumer.groupId !== undefined;
  }

  note(text: string): void {
    this.scene.timeline.note(this.name, text);
  }

  violation(text: string): void {
    this.scene.timeline.violation(`${this.name}: ${text}`);
  }

  /** Calls the library: a promise that nobody waits for, or an error that is thrown at once, is only noted. */
  call(what: string, act: () => unknown): void {
    try {
      const result = act();
      if (result instanceof Promise) this.scene.promises.start(this.name, what, result);
      else this.note(what);
    } catch (error) {
      this.note(`${what} threw ${textOf(error)}`);
    }
  }

  // Where it reads from

  begin(): void {
    if (this.options.isManual) this.assign();
    else this.subscribe();
  }

  subscribe(): void {
    this.call('subscribe', () => {
      this.isManual = false;
      this.consumer.subscribe([this.scene.topic], this.#listener());
    });
  }

  assign(partitions = this.scene.truth.partitions): void {
    this.call(`assign ${partitions.map(({ partition }) => partition).join()}`, () => {
      this.consumer.assign(partitions);
      this.isManual = true;
      for (const each of partitions) this.watch.jump(each);
      this.stop?.abort(); // `run` reads what was assigned by hand before it began
    });
  }

  unsubscribe(): void {
    this.call('unsubscribe', () => {
      this.consumer.unsubscribe();
      this.watch.jumpAll();
    });
  }

  seek(partition: TopicPartition, offset: number): void {
    this.call(`seek ${partition.partition}@${offset}`, () => {
      this.consumer.seek(partition, offset);
      // Of what is being given back it says only that this is not finished.
      const isLeaving = !this.consumer.assignment().some((each) => nameOf(each) === nameOf(partition));
      this.watch.jump(partition, isLeaving ? null : offset);
      if (!this.isRun) this.stopped.delete(nameOf(partition));
    });
  }

  /** Goes back to what nobody has handled. */
  seekBack(partition: TopicPartition): void {
    this.seek(partition, this.scene.truth.firstUnhandled(partition));
  }

  /** What was stopped or paused goes on, and it reads again what all the others do. */
  calmDown(): void {
    this.call('resume', () => this.consumer.resume());
    if (this.isMarking) this.markAll();
    if (!this.options.isManual && (this.isManual || this.consumer.subscription().length === 0)) {
      if (this.isManual) this.unsubscribe();
      this.subscribe();
    }
    if (this.options.isManual && this.consumer.assignment().length < this.scene.truth.partitions.length) this.assign();
    for (const each of [...this.stopped.values()]) this.goOn(each);
  }

  /** A failed handler has stopped this partition: it is read again from what nobody has handled. */
  goOn(partition: TopicPartition): void {
    if (this.isClosed || !this.stopped.has(nameOf(partition))) return;
    this.seekBack(partition);
    this.stopped.delete(nameOf(partition));
    if (this.isRun) this.stop?.abort();
  }

  // What is in hand

  take(record: KafkaRecord, isFirst = true): Held {
    this.note(`has ${nameOf(record)}@${record.offset}`);
    return this.watch.take(record, isFirst);
  }

  /** The application has finished it. */
  finish(record: KafkaRecord): void {
    this.scene.truth.handle(record, record.offset);
    this.unhandledPolls.delete(`${nameOf(record)}@${record.offset}`);
    if (!this.isMarking) return;
    this.toMark.push(record);
    if (this.scene.isCalm || this.random.chance(0.6)) this.markAll();
  }

  markAll(): void {
    const records = this.random.chance(0.5) ? this.toMark.reverse() : this.toMark;
    this.toMark = [];
    for (const record of records) {
      try {
        this.consumer.markConsumed(record);
      } catch (error) {
        this.note(`markConsumed threw ${textOf(error)}`);
      }
    }
  }

  /** Works on a record for a while. @throws Mishap now and then: then it is not finished */
  async work(record: KafkaRecord, signal?: AbortSignal): Promise<void> {
    const { random, scene } = this;
    if (scene.isCalm) return this.finish(record);
    const kind = random.weighted([
      [60, 'at once'],
      [15, 'soon'],
      [15, 'slowly'],
      [1, 'never'],
      [signal === undefined ? 0 : 1, 'untilAborted'],
      [3, 'mishap'],
    ] as const);
    if (kind === 'soon') await Promise.resolve();
    if (kind === 'slowly') await pause(random.int(0, 6));
    if (kind === 'never') {
      this.note(`hangs at ${nameOf(record)}@${record.offset}`);
      await scene.calm;
    }
    if (kind === 'untilAborted' && signal !== undefined) await untilAborted(signal, scene.calm);
    if (kind === 'mishap') throw new Mishap(`${nameOf(record)}@${record.offset}`);
    this.finish(record);
  }

  /** What may be committed without passing what is in hand. */
  commitSomething(record: KafkaRecord | null): void {
    const { random, consumer } = this;
    if (!this.hasGroup) return;
    const isHandled = record !== null && this.scene.truth.isHandled(record, record.offset);
    const kind = random.weighted([
      [this.unhandledPolls.size === 0 ? 3 : 0, 'commit'],
      [this.unhandledPolls.size === 0 ? 3 : 0, 'commitAsync'],
      [isHandled ? 2 : 0, 'record'],
      [isHandled ? 1 : 0, 'recordAsync'],
      [record === null ? 1 : 0, 'offset'],
    ] as const);
    const mine = consumer.assignment();
    if (mine.length === 0) return;
    const { topic, partition } = record ?? random.pick(mine);
    const offset = this.scene.truth.firstUnhandled({ topic, partition });
    if (kind === 'commit') this.call('commit()', () => consumer.commit());
    if (kind === 'commitAsync') this.call('commitAsync()', () => consumer.commitAsync());
    if (kind === 'offset')
      this.call(`commit ${partition}@${offset}`, () => consumer.commit({ topic, partition, offset }));
    if (record === null) return;
    if (kind === 'record') this.call(`commit(record ${partition}@${record.offset})`, () => consumer.commit(record));
    if (kind === 'recordAsync') {
      this.call(`commitAsync(record ${partition}@${record.offset})`, () =>
        consumer.commitAsync(record, () => this.note(`commitAsync(${partition}@${record.offset}) is done`)),
      );
    }
  }

  // How it ends

  close(timeoutMs?: number): Promise<void> {
    this.isClosed = true;
    const options = timeoutMs === undefined ? {} : { timeoutMs };
    const closed = this.consumer.close(options) as Promise<unknown>;
    return this.scene.promises.watch(this.name, `close(${timeoutMs ?? ''})`, closed).then(() => undefined);
  }

  #listener(): RebalanceListener {
    return {
      onAssigned: async (partitions) => {
        for (const each of partitions) this.watch.jump(each);
        await this.#inListener('onAssigned', partitions);
        for (const each of partitions) this.#ready.add(nameOf(each));
      },
      onRevoked: async (partitions) => {
        for (const each of partitions) this.#ready.delete(nameOf(each));
        for (const each of partitions) this.watch.jump(each);
        await this.#inListener('onRevoked', partitions);
      },
      onLost: async (partitions) => {
        for (const each of partitions) this.#ready.delete(nameOf(each));
        for (const each of partitions) this.watch.jump(each);
        await this.#inListener('onLost', partitions);
      },
    };
  }

  /** A listener's own habits: it is slow, seeks, commits, asks, throws. */
  async #inListener(what: string, partitions: readonly TopicPartition[]): Promise<void> {
    const { random, scene, consumer } = this;
    this.note(`${what} ${partitions.map(({ partition }) => partition).join()}`);
    if (scene.isCalm || partitions.length === 0) return;
    const kind = random.weighted([
      [50, 'nothing'],
      [10, 'slow'],
      [10, what === 'onAssigned' ? 'seek' : 'nothing'],
      [8, 'commit'],
      [8, 'ask'],
      [4, what === 'onAssigned' ? 'pause' : 'nothing'],
      [4, 'throw'],
    ] as const);
    const partition = random.pick(partitions);
    if (kind === 'slow') await pause(random.int(1, 40));
    if (kind === 'seek') {
      await pause(random.int(0, 5));
      this.seek(partition, random.int(0, scene.truth.firstUnhandled(partition)));
    }
    if (kind === 'commit' && this.hasGroup && this.unhandledPolls.size === 0) {
      await scene.promises.watch(this.name, `commit() in ${what}`, consumer.commit()).catch(() => undefined);
    }
    if (kind === 'ask') {
      const position = consumer.position(partition);
      await scene.promises.watch(this.name, `position() in ${what}`, position).catch(() => undefined);
    }
    if (kind === 'pause') this.call(`pause ${partition.partition}`, () => consumer.pause([partition]));
    if (kind === 'throw') throw new Mishap(what);
  }

  #listen(): void {
    const { consumer } = this;
    const jump =
      (what: string) =>
      (partitions: TopicPartition[]): void => {
        this.note(`${what} ${partitions.map(({ partition }) => partition).join()}`);
        for (const each of partitions) {
          this.watch.jump(each);
          this.stopped.delete(nameOf(each));
        }
      };
    consumer.on('assigned', jump('assigned'));
    consumer.on('revoked', jump('revoked'));
    consumer.on('lost', jump('lost'));
    consumer.on('positionReset', (reset) => {
      this.note(`positionReset ${reset.partition} from ${reset.from} to ${reset.to}, ${reset.reason}`);
      this.watch.jump(reset);
    });
    consumer.on('committed', (offsets) => {
      this.note(`committed ${offsets.map(({ partition, offset }) => `${partition}@${offset}`).join(' ')}`);
    });
    consumer.on('log', ({ level, message }) => this.note(`  ${level}: ${message}`));
    consumer.on('error', (error) => {
      this.note(`error event ${textOf(error)}`);
      if (error instanceof HandlerError && error.partition >= 0) this.#onStopped(error);
    });
  }

  /** Whoever has stopped a partition goes back to what is not handled, at once or later. */
  #onStopped(error: HandlerError): void {
    const { topic, partition } = error;
    if (topic === null || (this.isDeciding && error.cause instanceof CorruptRecordError)) return;
    this.stopped.set(nameOf({ topic, partition }), { topic, partition, offset: error.offset });
    const goOn = (): void => this.goOn({ topic, partition });
    if (this.scene.isCalm || this.random.chance(0.3)) goOn();
    else if (this.random.chance(0.5)) void pause(this.random.int(0, 30)).then(goOn);
  }
}

async function untilAborted(signal: AbortSignal, orElse: Promise<void>): Promise<void> {
  const aborted = new Promise<'aborted'>((resolve) => {
    if (signal.aborted) resolve('aborted');
    else signal.addEventListener('abort', () => resolve('aborted'), { once: true });
  });
  if ((await Promise.race([aborted, orElse])) !== 'aborted') return;
  throw Object.assign(new Error('The operation was aborted'), { name: 'AbortError' });
}
