import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { ProtocolError } from '../../src/errors.ts';
import { apiByName } from '../../src/protocol/apis.ts';
import { requestHeaderVersion, responseHeaderVersion } from '../../src/protocol/header.ts';
import { difference } from '../conformance/fields.ts';
import { runMessageCase } from '../conformance/messages.ts';
import { casesOf, expectedOf, NAMES, VECTORS_DIR } from './message-vectors.ts';

describe.each(NAMES)('%s', (name) => {
  const cases = casesOf(name);

  test('encodes and decodes every vector as Kafka does', () => {
    expect(cases.length).toBeGreaterThan(20);
    const failures = cases.flatMap(({ vector, title }) => runMessageCase(vector).map((f) => `${title}: ${f.message}`));
    expect(failures).toEqual([]);
  });

  test('decodes at an odd place of a larger buffer', () => {
    for (const one of cases) {
      const around = Buffer.alloc(one.bytes.length + 10, 0xff);
      one.bytes.copy(around, 7);
      const decoded = one.codec.decode(around.subarray(7, 7 + one.bytes.length));
      expect(difference(decoded, expectedOf(one)), one.title).toBeNull();
    }
  });

  test('every truncation ends in a ProtocolError that tells api, version and byte', () => {
    const wrong: string[] = [];
    const stackTraceLimit = Error.stackTraceLimit;
    Error.stackTraceLimit = 0; // hundreds of thousands of errors whose stacks nobody reads
    for (const { codec, bytes, vector, title } of cases) {
      for (let length = 0; length < bytes.length; length++) {
        const problem = problemOfCut(() => codec.decode(bytes.subarray(0, length)), vector.api, vector.version, length);
        if (problem !== null) wrong.push(`${title} cut at ${length}: ${problem}`);
      }
    }
    Error.stackTraceLimit = stackTraceLimit;
    expect(wrong).toEqual([]);
  });

  test('a byte too many is a ProtocolError', () => {
    for (const { codec, bytes, title } of cases) {
      expect(() => codec.decode(Buffer.concat([bytes, Buffer.alloc(1)])), title).toThrow('1 bytes left over');
    }
  });
});

function problemOfCut(decode: () => unknown, api: string, version: number, length: number): string | null {
  try {
    decode();
  } catch (error) {
    if (!(error instanceof ProtocolError)) return String(error);
    if (error.api !== api || error.version !== version) return `says ${error.api} v${error.version}`;
    if (error.position < 0 || error.position > length) return `says byte ${error.position}`;
    return error.message.startsWith(`${api} v${version}: `) ? null : error.message;
  }
  return 'was decoded';
}

test('unknown tagged fields are skipped: the vectors have them in every flexible api', () => {
  for (const name of NAMES) {
    const flexible = casesOf(name).some(({ vector }) => vector.flexible);
    const tagged = casesOf(name).some(({ vector }) => vector.case === 'tagged');
    expect(tagged, name).toBe(flexible);
  }
});

describe('apis.tsv', () => {
  const [, ...rows] = readFileSync(path.join(VECTORS_DIR, 'apis.tsv'), 'utf8').trimEnd().split('\n');

  test.each(rows.map((row) => row.split('\t')).filter(([name = '']) => apiByName(name) !== undefined))(
    '%s (%s), versions %s, flexible from %s',
    (name = '', key, versions, flexibleFrom, requestHeaders = '', responseHeaders = '') => {
      const api = apiByName(name);
      if (api === undefined) throw new Error(name);
      expect(String(api.key)).toBe(key);
      expect(`${api.minVersion}-${api.maxVersion}`).toBe(versions);
      expect(String(api.flexibleFrom)).toBe(flexibleFrom === '-1' ? 'Infinity' : flexibleFrom); // −1: never
      const all = Array.from({ length: api.maxVersion - api.minVersion + 1 }, (_, i) => api.minVersion + i);
      expect(all.map((v) => `${v}:${requestHeaderVersion(api, v)}`).join(' ')).toBe(requestHeaders);
      expect(all.map((v) => `${v}:${responseHeaderVersion(api, v)}`).join(' ')).toBe(responseHeaders);
    },
  );

  test('has every api that we have', () => {
    const named = new Set(rows.map((row) => row.split('\t')[0]));
    expect(NAMES.filter((name) => apiByName(name) !== undefined && !named.has(name))).toEqual([]);
  });
});
