import { ConfigError } from '../errors.ts';
import { KafkaRecord } from '../protocol/record.ts';
import * as check from './arguments.ts';
import type { TopicPartitionOffset } from './events.ts';
import { RecordBatch } from './record-batch.ts';

/** What `commit` and `markConsumed` take. */
export type Consumed<K, V> =
  | KafkaRecord<K, V>
  | RecordBatch<K, V>
  | TopicPartitionOffset
  | readonly (KafkaRecord<K, V> | RecordBatch<K, V> | TopicPartitionOffset)[];

/** One of them, as the commits need it. Offsets are the next ones to be consumed. */
export interface Target extends Required<TopicPartitionOffset> {
  metadata: string;
  kind: 'record' | 'batch' | 'offset';
  /** Of the record, or of the batch's first; of an offset, itself. */
  firstOffset: number;
  /** The partition's, when the record or batch was handed out; −1 for an offset, and for what no consumer handed out. */
  epoch: number;
}

/** @throws ConfigError for what is none of these */
export function targetsOf(what: unknown, where: string): Target[] {
  const list: unknown[] = Array.isArray(what) ? what : [what];
  return list.map((each) => targetOf(each, where));
}

function targetOf(what: unknown, where: string): Target {
  if (what instanceof RecordBatch) {
    const { topic, partition, firstOffset, nextOffset: offset, leaderEpoch } = what;
    return { kind: 'batch', topic, partition, firstOffset, offset, leaderEpoch, metadata: '', epoch: what['epoch'] };
  }
  if (what instanceof KafkaRecord) {
    const { topic, partition, offset: firstOffset, leaderEpoch } = what;
    const { epoch } = what['source'];
    return { kind: 'record', topic, partition, firstOffset, offset: firstOffset + 1, leaderEpoch, metadata: '', epoch };
  }
  const { offset, leaderEpoch = -1, metadata: given } = (what ?? {}) as Partial<TopicPartitionOffset>;
  const metadata = given ?? ''; // `null` is what `committed()` gives for none, as in Java
  if (!Number.isInteger(leaderEpoch) || leaderEpoch < -1 || leaderEpoch > 0x7fffffff)
    throw new ConfigError(`${where} takes a leaderEpoch from 0 on, or -1 for unknown, not ${String(leaderEpoch)}`);
  if (typeof metadata !== 'string') throw new ConfigError(`${where} takes metadata as a string`);
  const next = check.offset(offset, where);
  return {
    kind: 'offset',
    ...check.topicPartition(what, where),
    firstOffset: next,
    offset: next,
    leaderEpoch,
    metadata,
    epoch: -1,
  };
}
