import { ProtocolError } from '../../src/errors.ts';
import { apiByName } from '../../src/protocol/apis.ts';
import * as consumerProtocol from '../../src/protocol/consumer-protocol.ts';
import * as header from '../../src/protocol/header.ts';
import { Reader, type DecodeFn } from '../../src/protocol/reader.ts';
import { Writer, type EncodeFn } from '../../src/protocol/writer.ts';
import { difference, messageOf, type Shape } from './fields.ts';
import { byteOf, fieldAt, firstDifference } from './locate.ts';
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

/** What is wrong with a case. */
export interface Failure {
  message: string;
  /** Of the body: the first byte that is not as it must be, or that cannot be decoded. Left out where that makes no sense. */
  byte?: number;
  /** Such as `topics[0].name`. */
  field?: string;
}

/** What is wrong with a vector, nothing if it passes: encode(json) = hex, decode(hex) = json, encode(decode(hex)) = hex. */
export function runMessageCase(vector: Vector): Failure[] {
  let codec: Codec;
  let message: Record<string, unknown>;
  try {
    codec = codecFor(vector.api, vector.kind, vector.version);
    message = messageOf(codec.shape, vector.json);
    checkKeyAndFlags(vector);
  } catch (error) {
    return [{ message: String(error) }];
  }
  const bytes = Buffer.from(vector.hex, 'hex');
  const failures: Failure[] = [];
  const check = (step: string, run: () => Failure | null): void => {
    let failure: Failure | null;
    try {
      failure = run();
    } catch (error) {
      failure = failureOf(error, codec, message);
    }
    if (failure !== null) failures.push({ ...failure, message: `${step}: ${failure.message}` });
  };
  // Unknown tagged fields are dropped by encoding, so there the bytes are compared with those of the json.
  const expected = vector.case === 'tagged' ? null : bytes;
  check('encode', () => {
    const encoded = codec.encode(message);
    return expected === null
      ? fieldDifference(codec, codec.decode(encoded), message)
      : byteDifference(codec, encoded, expected, message);
  });
  check('decode', () => fieldDifference(codec, codec.decode(bytes), message));
  check('encode again', () => {
    const again = codec.encode(codec.decode(bytes));
    return byteDifference(codec, again, expected ?? codec.encode(message), message);
  });
  return failures;
}

function checkKeyAndFlags({ kind, api: name, apiKey, version, flexible: expected }: Vector): void {
  if (kind === 'data') return;
  const api = apiByName(name);
  if (api?.key !== apiKey) throw new Error(`key ${api?.key ?? '-'}, expected ${apiKey}`);
  const flexible = version >= api.flexibleFrom;
  if (flexible !== expected) throw new Error(`flexible is ${flexible}, expected ${expected}`);
}

/** A decoder that throws says at which byte; which field is there the expected message tells. */
function failureOf(error: unknown, codec: Codec, message: Record<string, unknown>): Failure {
  if (!(error instanceof ProtocolError)) return { message: String(error) };
  const field = fieldAt(codec, message, error.position);
  const where = field === null ? '' : ` in ${field}`;
  return { message: `${String(error)}${where}`, byte: error.position, ...(field === null ? {} : { field }) };
}

/** The first field that differs, and the byte where it begins. */
function fieldDifference(codec: Codec, actual: unknown, expected: Record<string, unknown>): Failure | null {
  const problem = difference(actual, expected);
  if (problem === null) return null;
  const field = fieldOf(problem);
  const byte = byteOf(codec, expected, field);
  return byte === -1 ? { message: problem, field } : { message: `byte ${byte}; ${problem}`, byte, field };
}

/** The first byte that differs, and the field that it spoils as far as our own decoder can tell. */
function byteDifference(
  codec: Codec,
  actual: Buffer,
  expected: Buffer,
  message: Record<string, unknown>,
): Failure | null {
  const byte = firstDifference(actual, expected);
  if (byte === -1) return null;
  let problem: string | null;
  try {
    problem = difference(codec.decode(actual), codec.decode(expected));
  } catch {
    problem = null; // one of them is no message
  }
  const field = problem === null ? fieldAt(codec, message, byte) : fieldOf(problem);
  const [ours, theirs] = [actual, expected].map((b) =>
    byte < b.length ? `0x${b.toString('hex', byte, byte + 1)}` : 'the end',
  );
  const where = problem ?? (field === null ? 'no field can be told' : `in ${field}`);
  return {
    message: `byte ${byte} is ${ours}, expected ${theirs}; ${where}`,
    byte,
    ...(field === null ? {} : { field }),
  };
}

/** Of what `difference()` says. */
function fieldOf(problem: string): string {
  return problem.slice(0, problem.indexOf(':'));
}
