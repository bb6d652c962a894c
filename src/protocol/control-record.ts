import { RecordCursor } from './record-cursor.ts';
import type { RecordSource } from './record.ts';

/** What a control batch says: a transaction's end, or something that is no consumer's affair (KRaft's own, later types). */
export type ControlType = 'abort' | 'commit' | 'other';

const VERSION_AND_TYPE_BYTES = 4;

/**
 * The first record's key: version int16, type int16 (0 abort, 1 commit). A batch that compaction has emptied is `'other'`.
 * https://kafka.apache.org/documentation/#controlbatch
 *
 * @throws CorruptRecordError for a record without such a key
 */
export function readControlType(source: RecordSource): ControlType {
  const key = new RecordCursor(source).next()?.keyBytes;
  if (key === undefined) return 'other';
  if (key === null || key.length < VERSION_AND_TYPE_BYTES)
    throw source.corruptRecord('a control record without version and type', 0, source.start);
  const type = key.readInt16BE(2);
  return type === 0 ? 'abort' : type === 1 ? 'commit' : 'other';
}
