import { deflateRawSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { APIS } from '../../src/protocol/apis.ts';
import { missing, rangesIn } from '../vectors/generate/newest.ts';
import { entriesOf } from '../vectors/generate/zip.ts';

/** A ZIP file with every other entry deflated. */
function zipOf(files: Record<string, string>): Buffer {
  const local: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [index, [name, text]] of Object.entries(files).entries()) {
    const isDeflated = index % 2 === 1;
    const bytes = isDeflated ? deflateRawSync(text) : Buffer.from(text);
    const header = Buffer.alloc(30);
    header.writeUInt32LE(0x04034b50, 0);
    header.writeUInt16LE(name.length, 26);
    header.writeUInt16LE(3, 28); // an extra field that the directory does not have
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(isDeflated ? 8 : 0, 10);
    entry.writeUInt32LE(bytes.length, 20);
    entry.writeUInt16LE(name.length, 28);
    entry.writeUInt32LE(offset, 42);
    const whole = Buffer.concat([header, Buffer.from(name), Buffer.alloc(3), bytes]);
    local.push(whole);
    directory.push(entry, Buffer.from(name));
    offset += whole.length;
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Object.keys(files).length, 10);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...local, ...directory, end]);
}

const schema = (key: number, versions: string, more = ''): string =>
  `// a comment\n{ "apiKey": ${key}, "type": "request", // another\n "validVersions": "${versions}"${more} }`;

describe('the newest release of Kafka', () => {
  const jar = zipOf({
    'common/message/FetchRequest.json': schema(1, '4-19'),
    'common/message/FetchResponse.json': schema(1, '4-99'),
    'common/message/HeartbeatRequest.json': schema(12, '0-5', ', "latestVersionUnstable": true'),
    'common/message/PushTelemetryRequest.json': schema(72, '0'),
    'common/message/RequestHeader.json': '{ "validVersions": "1-2" }',
    'org/apache/Fetch.class': 'x',
  });

  test('its versions are read from the schemas in the jar', () => {
    expect([...rangesIn(jar)]).toEqual([
      [1, { min: 4, max: 19 }],
      [12, { min: 0, max: 4 }],
      [72, { min: 0, max: 0 }],
    ]);
  });

  test('a line for each API that has grown', () => {
    expect(missing(rangesIn(jar))).toEqual(['Fetch: Kafka has 4-19, samsa 4-18']);
    expect(missing(new Map(APIS.map((api) => [api.key, { min: api.minVersion, max: api.maxVersion }])))).toEqual([]);
  });

  test('what is no jar is an error', () => {
    expect(() => entriesOf(Buffer.alloc(100))).toThrow('no ZIP file');
    expect(() => entriesOf(Buffer.alloc(3))).toThrow('no ZIP file');
  });
});
