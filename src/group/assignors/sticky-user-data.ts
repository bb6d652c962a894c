/**
 * What the sticky assignors of Java put into the `userData` of a subscription, so that members of both kinds understand each
 * other in one group. The brokers never look into it.
 *
 * `sticky` v0: previous_assignment => [topic => string, partitions => [int32]]
 * `sticky` v1: the same, then generation => int32. Nothing says which it is: v0 is what ends before the generation.
 * `cooperative-sticky`: generation => int32, from before the subscription had a field for it (v2, KIP-792).
 */
import { decodeInt32, encodeInt32 } from '../../protocol/codec.ts';
import { Reader } from '../../protocol/reader.ts';
import { Writer } from '../../protocol/writer.ts';
import type { LastAssignment, TopicPartitions } from './assignor.ts';

/** What a member says that it had, and since which generation; −1 where it does not say. */
export interface Claim {
  partitions: readonly TopicPartitions[];
  generation: number;
}

const NO_CLAIM: Claim = { partitions: [], generation: -1 };

export function encodePreviousAssignment({ partitions, generationId }: LastAssignment): Buffer {
  const w = new Writer(256);
  w.array(1, [...partitions], (writer, v, entry) => {
    writer.string(entry.topic);
    writer.array(v, entry.partitions, encodeInt32);
  });
  w.int32(generationId);
  return w.finish();
}

/** Of either version. What cannot be read claims nothing: one member's nonsense must not stop the group. */
export function decodePreviousAssignment(userData: Buffer | null): Claim {
  if (userData === null || userData.length === 0) return NO_CLAIM;
  try {
    const r = new Reader(userData);
    const partitions = r.array(1, (reader, v) => ({
      topic: reader.string(),
      partitions: reader.array(v, decodeInt32),
    }));
    return { partitions, generation: r.remaining >= 4 ? r.int32() : -1 };
  } catch {
    return NO_CLAIM;
  }
}

export function encodeGeneration(generation: number): Buffer {
  const w = new Writer(4);
  w.int32(generation);
  return w.finish();
}

/** −1 where there is none. */
export function decodeGeneration(userData: Buffer | null): number {
  return userData !== null && userData.length >= 4 ? userData.readInt32BE(0) : -1;
}
