import type { KafkaRecord, TopicPartition } from '../../src/index.ts';
import { nameOf, type LedgerOfTruth } from './ledger-of-truth.ts';
import type { Timeline } from './timeline.ts';

export interface WatchOptions {
  /** Records of a partition come one after the other; with `'key'` those of a key do. */
  ordering: 'partition' | 'key' | 'none';
}

interface Run {
  /** Grows whenever the position may jump: an assignment, a seek, the end of a loop. */
  epoch: number;
  /** The offset that has to come next; `null` for any that passes nothing over. */
  next: number | null;
  last: Map<string, number>;
  busy: Map<string, number>;
}

/** A record in the application's hands. */
export interface Held {
  readonly partition: TopicPartition;
  readonly offset: number;
  readonly lane: string | null;
  readonly epoch: number;
}

/** Looks at every record that one consumer hands out, and at the order in which it does. */
export class Watch {
  readonly #member: string;
  readonly #truth: LedgerOfTruth;
  readonly #timeline: Timeline;
  readonly #isReady: (partition: TopicPartition) => boolean;
  readonly #isPaused: (partition: TopicPartition) => boolean;
  readonly #runs = new Map<string, Run>();
  ordering: WatchOptions['ordering'] = 'partition';

  constructor(
    member: string,
    truth: LedgerOfTruth,
    timeline: Timeline,
    ask: { isReady: (partition: TopicPartition) => boolean; isPaused: (partition: TopicPartition) => boolean },
  ) {
    this.#member = member;
    this.#truth = truth;
    this.#timeline = timeline;
    this.#isReady = ask.isReady;
    this.#isPaused = ask.isPaused;
  }

  /** From here on the position of this partition may be another one. @param next where, if that is certain */
  jump(partition: TopicPartition, next: number | null = null): void {
    const run = this.#run(partition);
    run.epoch++;
    run.next = next;
    run.last.clear();
    run.busy.clear();
  }

  jumpAll(): void {
    for (const partition of this.#truth.partitions) this.jump(partition);
  }

  /** A record is in the application's hands. @param isFirst of what was handed out together: may it come now at all? */
  take(record: KafkaRecord, isFirst = true): Held {
    const { topic, partition: index, offset } = record;
    const partition = { topic, partition: index };
    const where = `${nameOf(partition)}@${offset}`;
    const run = this.#run(partition);
    // What was overtaken in the lanes of a key is begun although its partition is being given back.
    const mayBeLeaving = this.ordering === 'key';
    if (isFirst && !mayBeLeaving && !this.#isReady(partition))
      this.#violation(`${where} came before onAssigned had ended`);
    if (isFirst && this.#isPaused(partition)) this.#violation(`${where} came although the partition is paused`);
    const text = record.value?.toString();
    if (text !== where) this.#violation(`${where} has the value of ${text ?? 'nothing'}`);
    if (offset >= this.#truth.end(partition)) this.#violation(`${where} was never written`);
    if (this.ordering === 'partition') {
      if (run.next === null) {
        const first = this.#truth.firstUnhandled(partition);
        if (offset > first) this.#violation(`${where} came first, although ${first} is not handled`);
      } else if (offset !== run.next) this.#violation(`${where} came where ${run.next} was next`);
      run.next = offset + 1;
    }
    const lane = this.#laneOf(record);
    if (lane !== null) {
      const last = run.last.get(lane) ?? -1;
      if (offset <= last) this.#violation(`${where} came after ${last} of the same ${this.ordering}`);
      run.last.set(lane, offset);
      const busy = run.busy.get(lane);
      if (busy !== undefined) this.#violation(`${where} came while ${busy} of the same ${this.ordering} was in work`);
    }
    return { partition, offset, lane, epoch: run.epoch };
  }

  /** Its handler runs: no other of its lane may. */
  begin({ partition, lane, offset, epoch }: Held): void {
    const run = this.#run(partition);
    if (lane !== null && run.epoch === epoch) run.busy.set(lane, offset);
  }

  end({ partition, lane, epoch }: Held): void {
    const run = this.#run(partition);
    if (lane !== null && run.epoch === epoch) run.busy.delete(lane);
  }

  /** This was left in hand: it comes again, unless it was marked, or committed explicitly. */
  again({ partition, epoch }: Held): void {
    if (this.#run(partition).epoch === epoch) this.jump(partition);
  }

  #laneOf(record: KafkaRecord): string | null {
    if (this.ordering === 'none') return null;
    if (this.ordering === 'partition') return '';
    return record.key?.toString() ?? null;
  }

  #run(partition: TopicPartition): Run {
    const known = this.#runs.get(nameOf(partition));
    if (known !== undefined) return known;
    const run: Run = { epoch: 0, next: null, last: new Map(), busy: new Map() };
    this.#runs.set(nameOf(partition), run);
    return run;
  }

  #violation(text: string): void {
    this.#timeline.violation(`${this.#member}: ${text}`);
  }
}
