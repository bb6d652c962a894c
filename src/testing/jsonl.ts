import { ConfigError } from '../errors.ts';
import type { TestRecord } from './record-batch-writer.ts';

/** A record of a JSONL file, and where it says that it belongs. */
export interface PlacedRecord {
  readonly topic: string | null;
  readonly partition: number | null;
  readonly record: TestRecord;
}

type Json = Readonly<Record<string, unknown>>;

/**
 * One line: an object with `value` and, where wanted, `key`, `headers`, `timestamp`, `topic`, `partition`. Strings are taken as they are, null is
 * null, everything else as its JSON; headers are an object or pairs. What `samsa consume -f json` prints comes out as it went in, bytes that are
 * no text included.
 * @throws ConfigError that names the line
 */
export function parseLine(line: string, number: number): PlacedRecord {
  const json = objectOf(line, number);
  const { topic = null, partition = null, timestamp } = json;
  if (!('value' in json)) throw new ConfigError(`line ${number}: no "value"`);
  if (topic !== null && typeof topic !== 'string') throw new ConfigError(`line ${number}: "topic" takes a string`);
  if (partition !== null && !Number.isInteger(partition))
    throw new ConfigError(`line ${number}: "partition" takes a number`);
  if (timestamp !== undefined && !Number.isSafeInteger(timestamp)) {
    throw new ConfigError(`line ${number}: "timestamp" takes milliseconds since 1970`);
  }
  const record: TestRecord = {
    key: contentOf(json['key'] ?? null, json['keyEncoding']),
    value: contentOf(json['value'] ?? null, json['valueEncoding']),
    headers: headersOf(json['headers'], number),
  };
  if (timestamp !== undefined) record.timestamp = Number(timestamp);
  return { topic, partition: partition === null ? null : Number(partition), record };
}

function objectOf(line: string, number: number): Json {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch (cause) {
    throw new ConfigError(`line ${number}: no JSON`, { cause });
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw new ConfigError(`line ${number}: no object`);
  return json as Json; // an object that is no array
}

function contentOf(value: unknown, encoding: unknown): string | Buffer | null {
  if (value === null || value === undefined) return null;
  if (typeof value !== 'string') return JSON.stringify(value);
  return encoding === 'base64' ? Buffer.from(value, 'base64') : value;
}

function headersOf(headers: unknown, number: number): [string, string | Buffer | null][] {
  if (headers === undefined || headers === null) return [];
  const pairs: unknown[] = Array.isArray(headers) ? headers : Object.entries(headers);
  return pairs.map((pair) => {
    if (!Array.isArray(pair) || typeof pair[0] !== 'string') {
      throw new ConfigError(`line ${number}: "headers" takes an object, or pairs of name and value`);
    }
    return [pair[0], contentOf(pair[1], pair[2])];
  });
}
