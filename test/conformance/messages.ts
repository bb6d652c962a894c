import { apiByName } from '../../src/protocol/apis.ts';
import * as consumerProtocol from '../../src/protocol/consumer-protocol.ts';
import * as header from '../../src/protocol/header.ts';
import { Reader, type DecodeFn } from '../../src/protocol/reader.ts';
import { Writer, type EncodeFn } from '../../src/protocol/writer.ts';
import { difference, messageOf, type Shape } from './fields.ts';
import { SHAPES } from './shapes.ts';

/** One line of a vectors file. */
export interface Vector {
  api: string;
  apiKey: number;
  kind: 'request' | 'response' | 'data';
  version: number;
  flexible: boolean;
  case: string;
  json: unknown;
  hex: string;
}

/** What decodes and encodes one kind of message in one version. */
export interface Codec {
  shape: Shape;
  /** @throws ProtocolError also for bytes left over */
  decode(bytes: Buffer): unknown;
  encode(message: unknown): Buffer;
}

interface Versions {
  min: number;
  max: number;
  flexibleFrom: number;
  encode: EncodeFn<never>;
  decode: DecodeFn<unknown>;
}

/** The messages that belong to no API. */
const DATA: Readonly<Record<string, Versions>> = {
  RequestHeader: {
    min: 1,
    max: 2,
    flexibleFrom: 2,
    encode: header.encodeRequestHeader,
    decode: header.decodeRequestHeader,
  },
  ResponseHeader: {
    min: 0,
    max: 1,
    flexibleFrom: 1,
    encode: header.encodeResponseHeader,
    decode: header.decodeResponseHeader,
  },
  ConsumerProtocolSubscription: {
    min: 0,
    max: 3,
    flexibleFrom: Infinity,
    encode: consumerProtocol.encodeSubscriptionBody,
    decode: consumerProtocol.decodeSubscriptionBody,
  },
  ConsumerProtocolAssignment: {
    min: 0,
    max: 3,
    flexibleFrom: Infinity,
    encode: consumerProtocol.encodeAssignmentBody,
    decode: consumerProtocol.decodeAssignmentBody,
  },
};

/** The codec of a vector's message; throws an Error that says what is missing. */
export function codecFor(name: string, kind: Vector['kind'], version: number): Codec {
  const versions = versionsOf(name, kind);
  const shape = SHAPES[`${name} ${kind}`];
  if (versions === undefined || shape === undefined) throw new Error(`no codec for ${name} ${kind}`);
  if (version < versions.min || version > versions.max) throw new Error(`no codec for version ${version}`);
  const flexible = version >= versions.flexibleFrom;
  return {
    shape,
    decode: (bytes) => {
      const r = new Reader(bytes);
      r.begin(name, version, flexible);
      const message = versions.decode(r, version);
      r.finish();
      return message;
    },
    encode: (message) => {
      const w = new Writer(16);
      w.begin(name, version, flexible);
      versions.encode(w, version, message as never); // its type is what messageOf() made it by the shape
      return w.finish();
    },
  };
}

function versionsOf(name: string, kind: Vector['kind']): Versions | undefined {
  if (kind === 'data') return DATA[name];
  const api = apiByName(name);
  if (api === undefined) return undefined;
  const { minVersion: min, maxVersion: max, flexibleFrom } = api;
  return kind === 'request'
    ? {
        min,
        max,
        flexibleFrom,
        encode: (w, v, m) => api.encodeRequest(w, v, m),
        decode: (r, v) => api.decodeRequest(r, v),
      }
    : {
        min,
        max,
        flexibleFrom,
        encode: (w, v, m) => api.encodeResponse(w, v, m),
        decode: (r, v) => api.decodeResponse(r, v),
      };
}

/** What is wrong with a vector, nothing if it passes: encode(json) = hex, decode(hex) = json, encode(decode(hex)) = hex. */
export function runMessageCase(vector: Vector): string[] {
  let codec: Codec;
  try {
    codec = codecFor(vector.api, vector.kind, vector.version);
  } catch (error) {
    return [String(error)];
  }
  const bytes = Buffer.from(vector.hex, 'hex');
  const failures: string[] = [];
  const check = (step: string, run: () => string | null): void => {
    let problem: string | null;
    try {
      problem = run();
    } catch (error) {
      problem = String(error);
    }
    if (problem !== null) failures.push(`${step}: ${problem}`);
  };
  // Unknown tagged fields are dropped by encoding, so there the bytes are compared with those of the json.
  const expected = vector.case === 'tagged' ? null : bytes;
  check('json', () => keyAndFlags(vector));
  check('encode', () => {
    const message = messageOf(codec.shape, vector.json);
    const encoded = codec.encode(message);
    return expected === null ? difference(codec.decode(encoded), message) : byteDifference(codec, encoded, expected);
  });
  check('decode', () => difference(codec.decode(bytes), messageOf(codec.shape, vector.json)));
  check('encode again', () => {
    const again = codec.encode(codec.decode(bytes));
    return byteDifference(codec, again, expected ?? codec.encode(messageOf(codec.shape, vector.json)));
  });
  return failures;
}

function keyAndFlags(vector: Vector): string | null {
  if (vector.kind === 'data') return null;
  const api = apiByName(vector.api);
  if (api === undefined || api.key !== vector.apiKey) return `key ${api?.key ?? '-'}, expected ${vector.apiKey}`;
  const flexible = vector.version >= api.flexibleFrom;
  return flexible === vector.flexible ? null : `flexible is ${flexible}, expected ${vector.flexible}`;
}

/** The first byte that differs, and the field that it spoils as far as our own decoder can tell. */
function byteDifference(codec: Codec, actual: Buffer, expected: Buffer): string | null {
  if (actual.equals(expected)) return null;
  let at = 0;
  while (at < actual.length && at < expected.length && actual[at] === expected[at]) at++;
  let field: string;
  try {
    field = difference(codec.decode(actual), codec.decode(expected)) ?? 'no field differs';
  } catch (error) {
    field = String(error);
  }
  const [ours, theirs] = [actual, expected].map((b) =>
    at < b.length ? `0x${b.toString('hex', at, at + 1)}` : 'the end',
  );
  return `byte ${at} is ${ours}, expected ${theirs}; ${field}`;
}
