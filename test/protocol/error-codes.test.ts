import { describe, expect, test } from 'vitest';
import * as errors from '../../src/errors.ts';
import { ERROR_CODES, errorCodeOf, kafkaErrorOf } from '../../src/protocol/error-codes.ts';

describe('the table', () => {
  test('has every code from -1 to 133 once', () => {
    const codes = Object.values(ERROR_CODES).sort((a, b) => a - b);
    expect(codes).toEqual(Array.from({ length: 135 }, (_, i) => i - 1));
  });

  test('names and numbers agree', () => {
    for (const [name, code] of Object.entries(ERROR_CODES)) {
      expect(errorCodeOf(code)).toMatchObject({ code, name });
      expect(errorCodeOf(code).message.length).toBeGreaterThan(5);
    }
  });

  // As Kafka's own client has it: subclasses of RetriableException, and of InvalidMetadataException among them.
  // But for UNKNOWN_SERVER_ERROR: a broker says it for whatever it has not foreseen, and it passes.
  test('retriable and metadata as in Java', () => {
    const metadata = [3, 5, 6, 9, 13, 56, 72, 74, 80, 83, 84, 100, 103];
    const retriable = [-1, 2, 7, 14, 15, 16, 19, 20, 41, 51, 70, 71, 75, 78, 88, 89, 106, 122, 123, 133];
    const all = Object.values(ERROR_CODES).map(errorCodeOf);
    expect(all.filter((e) => e.refreshesMetadata).map((e) => e.code)).toEqual(metadata);
    expect(all.filter((e) => e.retriable && !e.refreshesMetadata).map((e) => e.code)).toEqual(retriable);
  });
});

describe('kafkaErrorOf', () => {
  test.each([
    [2, errors.CorruptRecordError],
    [7, errors.RequestTimeoutError],
    [22, errors.FencedError],
    [25, errors.FencedError],
    [82, errors.FencedError],
    [110, errors.FencedError],
    [113, errors.FencedError],
    [33, errors.AuthenticationError],
    [34, errors.AuthenticationError],
    [58, errors.AuthenticationError],
    [35, errors.UnsupportedVersionError],
    [27, errors.KafkaError],
    [74, errors.KafkaError],
    [-1, errors.KafkaError],
  ])('%i is a %o', (code, type) => {
    const error = kafkaErrorOf(code, { api: 'Heartbeat' });
    expect(error.constructor).toBe(type);
    const { name, retriable } = errorCodeOf(code);
    expect(error).toMatchObject({ code, name, retriable, api: 'Heartbeat' });
    expect(error.message).toContain(`${name} ${code}`);
  });

  test('says what it was about', () => {
    expect(kafkaErrorOf(3, { api: 'Metadata', context: "topic 'orders'" }).message).toBe(
      "Metadata, topic 'orders': the broker does not host this topic or partition (UNKNOWN_TOPIC_OR_PARTITION 3)",
    );
  });

  test.each([134, 9999, -2])('an unknown code %i is an error with its number, which may pass', (code) => {
    const error = kafkaErrorOf(code, { api: 'Fetch' });
    expect(error).toMatchObject({ code, name: 'UNKNOWN_ERROR_CODE', retriable: true, api: 'Fetch' });
    expect(error.message).toContain(`error code ${code}`);
  });
});
