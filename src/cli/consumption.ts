import { Consumer, type KafkaError, type RecordBatch, type TopicPartition } from '../index.ts';
import { ERROR_CODES } from '../protocol/index.ts';
import { Chunk } from './chunk.ts';
import type { ConsumeArguments } from './consume-arguments.ts';
import { explain } from './explain.ts';
import type { Output } from './output.ts';
import { Progress } from './progress.ts';
import { assignmentsFrom } from './start.ts';
import type { StatusLine } from './status-line.ts';
import { CommandError } from './usage-error.ts';

/** A batch is printed in pieces of about this many bytes. */
const PIECE_BYTES = 256 * 1024;

/** One run of `samsa consume`: from the first look at the topics to the closed consumer. */
export class Consumption {
  readonly #arguments: ConsumeArguments;
  readonly #output: Output;
  readonly #status: StatusLine;
  readonly #consumer: Consumer<unknown, unknown>;
  readonly #chunk = new Chunk(2 * PIECE_BYTES);
  readonly #atEnd = new Set<string>();
  #progress: Progress | null = null;
  #pieceBytes: number;
  #printed = 0;
  /** Partitions were given and their leaders answer: from here on trouble is waited out. */
  #hasStarted = false;
  #isStopping = false;
  #isOver = false;

  /** @throws ConfigError */
  constructor(args: ConsumeArguments, output: Output, status: StatusLine) {
    this.#arguments = args;
    this.#output = output;
    this.#status = status;
    this.#pieceBytes = output.isPipe ? 1 : PIECE_BYTES; // the first record alone: it may be all that is wanted
    const log = (text: string): void => this.#warn(text);
    const silent = (): void => undefined;
    this.#consumer = new Consumer<unknown, unknown>({
      ...args.options,
      logger: { debug: silent, info: silent, warn: log, error: log },
    });
  }

  /** Ends in an orderly way: what was printed is committed. `run` resolves soon after. */
  stop(): void {
    this.#isStopping = true;
    void this.#consumer.close();
  }

  /** @throws whatever ends it before it is stopped or done */
  async run(): Promise<void> {
    if (this.#arguments.progress) this.#progress = new Progress(this.#status);
    const trouble = this.#untilFatalTrouble();
    try {
      await Promise.race([this.#consume(), trouble]);
    } catch (error) {
      this.#isOver = true; // one line is enough, and it is on its way
      if (!this.#isStopping || (error as KafkaError).name !== 'ConsumerClosedError') throw error;
    } finally {
      await this.#consumer.close();
      this.#progress?.end();
    }
  }

  /** The library tries for ever; before anything has worked that helps nobody at a terminal. Never resolves. */
  #untilFatalTrouble(): Promise<never> {
    return new Promise((_, reject) => {
      this.#consumer.on('error', (error) => {
        if (this.#hasStarted) this.#warn(error.message);
        else reject(error);
      });
    });
  }

  async #consume(): Promise<void> {
    const { topics, options, partitions } = this.#arguments;
    const isMember = options.groupId !== undefined && partitions.length === 0;
    const names = topics.filter((topic) => !topic.startsWith('^'));
    const patterns = topics.filter((topic) => topic.startsWith('^'));
    // A member waits for the topics that match; whoever reads without a group wants those that are there.
    const matched = isMember || patterns.length === 0 ? [] : await this.#matching(patterns);
    const wanted = [...new Set([...names, ...matched])];
    const found = (await Promise.all(wanted.map((topic) => this.#partitionsOf(topic)))).flat();
    if (this.#arguments.exitsAtEnd) this.#stopAtEnd();
    if (!isMember) await this.#assign(found);
    else {
      this.#consumer.once('assigned', () => (this.#hasStarted = true));
      this.#consumer.subscribe(topics);
    }
    await this.#print();
  }

  async #matching(patterns: readonly string[]): Promise<string[]> {
    const { excludeInternalTopics = true } = this.#arguments.options;
    const topics = (await this.#consumer.listTopics()).filter(
      ({ isInternal }) => !excludeInternalTopics || !isInternal,
    );
    return patterns.flatMap((pattern) => {
      const matched = topics.filter(({ topic }) => new RegExp(pattern).test(topic));
      if (matched.length === 0) throw new CommandError(`no topic matches '${pattern}'`);
      return matched.map(({ topic }) => topic);
    });
  }

  async #partitionsOf(topic: string): Promise<TopicPartition[]> {
    const wanted = this.#arguments.partitions;
    let all: TopicPartition[];
    try {
      all = await this.#consumer.partitionsFor(topic);
    } catch (error) {
      if ((error as KafkaError).code !== ERROR_CODES.UNKNOWN_TOPIC_OR_PARTITION) throw error;
      const text = `topic '${topic}' is not there (UNKNOWN_TOPIC_OR_PARTITION): check the name; samsa makes no topics`;
      throw new CommandError(text, { cause: error });
    }
    const missing = wanted.find((each) => !all.some(({ partition }) => partition === each));
    if (missing !== undefined)
      throw new CommandError(`topic '${topic}' has no partition ${missing}: it has ${all.length}, from 0 on`);
    return wanted.length === 0 ? all : all.filter(({ partition }) => wanted.includes(partition));
  }

  async #assign(partitions: readonly TopicPartition[]): Promise<void> {
    const warn = (text: string): void => this.#warn(text);
    const assignments = await assignmentsFrom(this.#arguments.start, partitions, this.#consumer, warn);
    this.#consumer.assign(assignments);
    // A broker that gives a wrong address of itself is waited for without end by the reads. A look-up tells of it at once.
    this.#consumer.beginningOffsets(partitions).catch(() => undefined);
    Promise.any(partitions.map((each) => this.#consumer.position(each))).then(
      () => (this.#hasStarted = true),
      () => undefined, // told by the reads, which meet the same
    );
  }

  async #print(): Promise<void> {
    for await (const batch of this.#consumer.batches()) {
      const { topic, partition, recordCount } = batch;
      this.#atEnd.delete(keyOf(batch));
      const left = this.#arguments.count - this.#printed;
      const nextOffset = await this.#printBatch(batch, Math.min(left, recordCount));
      if (nextOffset === null) break; // nobody reads: what was not written is not finished either
      this.#printed += Math.min(left, recordCount);
      if (left > recordCount) continue;
      // The rest of the batch is not ours to finish: what the group commits is where we stand.
      if (left < recordCount && this.#arguments.options.groupId !== undefined) this.#seek(topic, partition, nextOffset);
      this.stop();
    }
  }

  /** @returns the offset after the last one that was printed; null where the output is closed */
  async #printBatch(batch: RecordBatch<unknown, unknown>, count: number): Promise<number | null> {
    const { format } = this.#arguments;
    let nextOffset = batch.nextOffset;
    let left = count;
    try {
      for (const record of batch) {
        format(record, this.#chunk);
        nextOffset = record.offset + 1;
        if (--left === 0) break;
        if (this.#chunk.length >= this.#pieceBytes && !(await this.#flush())) return null;
      }
    } catch (error) {
      await this.#flush(); // the good ones before the bad one
      throw error;
    }
    this.#progress?.add(count, 0);
    return (await this.#flush()) ? nextOffset : null;
  }

  #flush(): Promise<boolean> {
    this.#progress?.add(0, this.#chunk.length);
    this.#pieceBytes = PIECE_BYTES;
    return this.#output.write(this.#chunk.take());
  }

  #seek(topic: string, partition: number, offset: number): void {
    try {
      this.#consumer.seek({ topic, partition }, offset);
    } catch (error) {
      this.#warn(`not committed up to ${topic}-${partition} offset ${offset}: ${(error as Error).message}`);
    }
  }

  #stopAtEnd(): void {
    const stopIfAtEnd = (): void => {
      if (this.#consumer.assignment().every((each) => this.#atEnd.has(keyOf(each)))) this.stop();
    };
    const forget = (partitions: readonly TopicPartition[]): void => {
      for (const each of partitions) this.#atEnd.delete(keyOf(each));
    };
    this.#consumer.on('partitionEnd', (end) => {
      this.#atEnd.add(keyOf(end));
      stopIfAtEnd();
    });
    this.#consumer.on('revoked', forget);
    this.#consumer.on('lost', forget);
    // A member without a partition, for others have them all, is at the end of what it has.
    this.#consumer.on('assigned', stopIfAtEnd);
  }

  #warn(text: string): void {
    // Later, for what ends the command is often warned of first, and one line is enough.
    setImmediate(() => {
      if (!this.#isOver) this.#status.note(`samsa: warning: ${explain(text)}`);
    });
  }
}

function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}
