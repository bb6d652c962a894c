import { describe, expect, it } from 'vitest';
import { cooperativeSticky, sticky } from '../../../src/group/assignors/sticky.ts';
import {
  decodeGeneration,
  decodePreviousAssignment,
  encodePreviousAssignment,
} from '../../../src/group/assignors/sticky-user-data.ts';

// Written by Java's StickyAssignor (test/vectors/assignors/sticky.jsonl, history 0, step 1).
const JAVA =
  'AAAAAgAHdG9waWMtYQAAAAEAAAABAAd0b3BpYy1iAAAADwAAAAAAAAACAAAABAAAAAYAAAAIAAAACgAAAAwAAAAOAAAAEAAAABIAAAAUAAAAFgAAABgAAAAaAAAAHAAAAAI=';
const LAST = {
  partitions: [
    { topic: 'topic-a', partitions: [1] },
    { topic: 'topic-b', partitions: [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28] },
  ],
  generationId: 2,
};

describe("the user data of 'sticky'", () => {
  it('is what Java writes', () => {
    expect(encodePreviousAssignment(LAST).toString('base64')).toBe(JAVA);
    expect(sticky.subscriptionUserData?.([], LAST)?.toString('base64')).toBe(JAVA);
    expect(decodePreviousAssignment(Buffer.from(JAVA, 'base64'))).toEqual({
      partitions: LAST.partitions,
      generation: 2,
    });
  });

  it('is none before the first assignment', () => {
    expect(sticky.subscriptionUserData?.(['topic-a'], null)).toBeNull();
    expect(decodePreviousAssignment(null)).toEqual({ partitions: [], generation: -1 });
    expect(decodePreviousAssignment(Buffer.alloc(0))).toEqual({ partitions: [], generation: -1 });
  });

  it('without a generation is of version 0', () => {
    const v0 = Buffer.from(JAVA, 'base64').subarray(0, -4);
    expect(decodePreviousAssignment(v0)).toEqual({ partitions: LAST.partitions, generation: -1 });
  });

  it('claims nothing where it makes no sense, cut anywhere', () => {
    const bytes = Buffer.from(JAVA, 'base64');
    for (let length = 0; length < bytes.length - 4; length++) {
      expect(decodePreviousAssignment(bytes.subarray(0, length)), `cut at ${length}`).toEqual({
        partitions: [],
        generation: -1,
      });
    }
    expect(decodePreviousAssignment(Buffer.from('7fffffff', 'hex')).partitions).toEqual([]);
    expect(decodePreviousAssignment(Buffer.from('ffffffff', 'hex')).partitions).toEqual([]);
  });
});

describe("the user data of 'cooperative-sticky'", () => {
  it('is the generation, for leaders from before subscriptions carried it', () => {
    expect(cooperativeSticky.subscriptionUserData?.([], null)).toEqual(Buffer.from('ffffffff', 'hex'));
    expect(cooperativeSticky.subscriptionUserData?.([], LAST)).toEqual(Buffer.from('00000002', 'hex'));
    expect(decodeGeneration(Buffer.from('00000002', 'hex'))).toBe(2);
    expect(decodeGeneration(Buffer.from('0000', 'hex'))).toBe(-1);
    expect(decodeGeneration(null)).toBe(-1);
  });
});
