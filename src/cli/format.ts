import { isUtf8 } from 'node:buffer';
import type { KafkaRecord } from '../index.ts';
import type { Chunk } from './chunk.ts';
import { UsageError } from './usage-error.ts';

type AnyRecord = KafkaRecord<unknown, unknown>;

/** Prints one record. */
export type RecordFormat = (record: AnyRecord, chunk: Chunk) => void;

const NULL_LENGTH = -1;
const NEWLINE = '\n';

const TOKENS: Readonly<Record<string, RecordFormat>> = {
  s: ({ valueBytes }, chunk) => {
    if (valueBytes !== null) chunk.bytes(valueBytes);
  },
  k: ({ keyBytes }, chunk) => {
    if (keyBytes !== null) chunk.bytes(keyBytes);
  },
  t: (record, chunk) => chunk.text(record.topic),
  p: (record, chunk) => chunk.text(String(record.partition)),
  o: (record, chunk) => chunk.text(offsetOf(record).toString()),
  T: (record, chunk) => chunk.text(String(record.timestamp)),
  h: printHeaders,
  S: (record, chunk) => chunk.text(String(record.valueBytes?.length ?? NULL_LENGTH)),
  K: (record, chunk) => chunk.text(String(record.keyBytes?.length ?? NULL_LENGTH)),
  '%': (_, chunk) => chunk.text('%'),
};

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', '\\': '\\' };

/**
 * kcat's format, such as `'%k %s\n'`, or `json`: one object a line.
 * @throws UsageError for a token or an escape that there is none of
 */
export function compileFormat(format: string): RecordFormat {
  if (format === 'json') return printJson;
  const parts = [...partsOf(format)];
  const [first, second] = parts;
  // The default and its like: no loop.
  if (parts.length === 2 && first !== undefined && second !== undefined)
    return (record, chunk) => {
      first(record, chunk);
      second(record, chunk);
    };
  return (record, chunk) => {
    for (const part of parts) part(record, chunk);
  };
}

function* partsOf(format: string): Generator<RecordFormat> {
  for (const [text, token, hex, escape] of format.matchAll(/%(.?)|\\x([0-9a-fA-F]{2})|\\(.?)|[^%\\]+/gsu)) {
    if (token !== undefined) yield tokenOf(token);
    else if (hex !== undefined) yield literal(Buffer.from(hex, 'hex'));
    else yield literal(Buffer.from(escape === undefined ? text : unescape(escape)));
  }
}

function tokenOf(letter: string): RecordFormat {
  const token = Object.hasOwn(TOKENS, letter) ? TOKENS[letter] : undefined;
  if (token !== undefined) return token;
  throw new UsageError(`-f: there is no %${letter}; there is %${Object.keys(TOKENS).join(' %')}`);
}

function unescape(letter: string): string {
  const text = Object.hasOwn(ESCAPES, letter) ? ESCAPES[letter] : undefined;
  if (text !== undefined) return text;
  throw new UsageError(`-f: there is no \\${letter}; there is \\n \\r \\t \\\\ and \\xHH`);
}

function literal(bytes: Buffer): RecordFormat {
  return (_, chunk) => chunk.bytes(bytes);
}

/** As kcat: `name=value,name=NULL`. */
function printHeaders({ headers }: AnyRecord, chunk: Chunk): void {
  let isFirst = true;
  for (const [name, value] of headers) {
    chunk.text(isFirst ? `${name}=` : `,${name}=`);
    if (value === null) chunk.text('NULL');
    else chunk.bytes(value);
    isFirst = false;
  }
}

function printJson(record: AnyRecord, chunk: Chunk): void {
  const { keyBytes, valueBytes } = record;
  const object: Record<string, unknown> = {
    topic: record.topic,
    partition: record.partition,
    offset: offsetOf(record),
    timestamp: record.timestamp,
    key: textOrBase64(keyBytes),
    value: textOrBase64(valueBytes),
    headers: [...record.headers].map(([name, value]) => {
      return isText(value) ? [name, textOrBase64(value)] : [name, textOrBase64(value), 'base64'];
    }),
  };
  if (!isText(keyBytes)) object['keyEncoding'] = 'base64';
  if (!isText(valueBytes)) object['valueEncoding'] = 'base64';
  chunk.text(JSON.stringify(object) + NEWLINE);
}

function isText(bytes: Buffer | null): boolean {
  return bytes === null || isUtf8(bytes);
}

function textOrBase64(bytes: Buffer | null): string | null {
  return bytes === null ? null : bytes.toString(isText(bytes) ? 'utf8' : 'base64');
}

/** A string above 2^53 − 1, where a number would be another offset. */
function offsetOf(record: AnyRecord): number | string {
  const offset = record.offsetLong.toNumber();
  return Number.isSafeInteger(offset) ? offset : record.offsetLong.toString();
}
