import { describe, expect, test } from 'vitest';
import { ProtocolError } from '../../src/errors.ts';
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from '../../src/protocol/consumer-protocol.ts';

const SUBSCRIPTION = {
  topics: ['a', 'b'],
  userData: Buffer.from([1, 2]),
  ownedPartitions: [{ topic: 'a', partitions: [0, 3] }],
  generationId: 7,
  rackId: 'r',
};
const ASSIGNMENT = { assignedPartitions: [{ topic: 'a', partitions: [0, 3] }], userData: null };

describe('Subscription', () => {
  test.each([
    [0, { ownedPartitions: [], generationId: -1, rackId: null }],
    [1, { generationId: -1, rackId: null }],
    [2, { rackId: null }],
    [3, {}],
  ])('v%i has its own fields', (version, lost) => {
    const bytes = encodeSubscription(SUBSCRIPTION, version);
    expect(bytes.readInt16BE(0)).toBe(version);
    expect(decodeSubscription(bytes)).toEqual({ ...SUBSCRIPTION, ...lost });
  });

  test('is written in v3', () => {
    expect(encodeSubscription(SUBSCRIPTION)).toEqual(encodeSubscription(SUBSCRIPTION, 3));
  });

  test('of a newer version is read by the fields that are known', () => {
    const bytes = Buffer.concat([encodeSubscription(SUBSCRIPTION), Buffer.from('what v9 may add')]);
    bytes.writeInt16BE(9, 0);
    expect(decodeSubscription(bytes)).toEqual(SUBSCRIPTION);
  });

  test('of a negative version is a ProtocolError', () => {
    expect(() => decodeSubscription(Buffer.from([0xff, 0xff, 0, 0, 0, 0]))).toThrow(ProtocolError);
  });

  test('cut short is a ProtocolError that names it', () => {
    const bytes = encodeSubscription(SUBSCRIPTION);
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeSubscription(bytes.subarray(0, length))).toThrow(ProtocolError);
      expect(() => decodeSubscription(bytes.subarray(0, length))).toThrow('ConsumerProtocolSubscription');
    }
  });
});

describe('Assignment', () => {
  test.each([0, 1, 2, 3])('v%i', (version) => {
    const bytes = encodeAssignment(ASSIGNMENT, version);
    expect(bytes.readInt16BE(0)).toBe(version);
    expect(decodeAssignment(bytes)).toEqual(ASSIGNMENT);
  });

  test('of a newer version is read by the fields that are known', () => {
    const bytes = Buffer.concat([encodeAssignment(ASSIGNMENT), Buffer.from('more')]);
    bytes.writeInt16BE(4, 0);
    expect(decodeAssignment(bytes)).toEqual(ASSIGNMENT);
  });

  test('of no bytes is empty: a member that the leader has given nothing', () => {
    expect(decodeAssignment(Buffer.alloc(0))).toEqual({ assignedPartitions: [], userData: null });
  });

  test('cut short is a ProtocolError that names it', () => {
    const bytes = encodeAssignment(ASSIGNMENT);
    for (let length = 1; length < bytes.length; length++) {
      expect(() => decodeAssignment(bytes.subarray(0, length))).toThrow('ConsumerProtocolAssignment');
    }
  });
});
