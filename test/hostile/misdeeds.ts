import type { Socket } from 'node:net';
import { UnsupportedVersionError } from '../../src/errors.ts';
import type { Api } from '../../src/protocol/api.ts';
import { decodeResponseFrame, encodeResponseFrame, responseHeaderVersion } from '../../src/protocol/header.ts';
import { Writer } from '../../src/protocol/writer.ts';

/** The good answer that a client waits for, and is to get something else in place of. */
export interface Answer {
  readonly api: Api<unknown, unknown>;
  readonly version: number;
  readonly correlationId: number;
  /** With its 4-byte length. */
  readonly bytes: Buffer;
}

/** What a hostile or broken peer does when an answer is due. */
export interface Misdeed {
  readonly name: string;
  readonly commit: (socket: Socket, answer: Answer) => void;
  /** The errors of a connection that meets it; null where none is to come of it. */
  readonly error: RegExp | null;
  /** An answer that makes sense to the decoder and says no: it is the application's to see, and nothing to be tried again. */
  readonly isRefusal?: boolean;
}

/** An error code that Kafka does not have. */
export const UNKNOWN_CODE = 12_345;
/** Below the limit for a frame of 100 MiB + 512, Kafka's own largest answer by default. */
const LARGE = 100 * 1024 * 1024;
const TAGS = 100_000;
const DRIPPING = new WeakSet<Socket>();

const sending =
  (bytes: (answer: Answer) => Buffer): Misdeed['commit'] =>
  (socket, answer) => {
    socket.write(bytes(answer));
  };

const half = ({ bytes }: Answer): Buffer => bytes.subarray(0, Math.max(5, bytes.length >> 1));

function withLength(length: number, { bytes }: Answer): Buffer {
  const changed = Buffer.from(bytes);
  changed.writeInt32BE(length, 0);
  return changed;
}

/** A whole frame with a header that is right, and a body that is not. */
function withBody({ api, version, correlationId }: Answer, write: (w: Writer) => void): Buffer {
  const w = new Writer();
  w.int32(0);
  w.int32(correlationId);
  w.flexible = responseHeaderVersion(api, version) >= 1;
  w.tags();
  w.flexible = version >= api.flexibleFrom;
  write(w);
  w.patchInt32(0, w.length - 4);
  return w.finish();
}

/** What comes before an answer's first array. */
function upToFirstArray(w: Writer, { api, version }: Answer): void {
  if (api.name === 'ApiVersions' || api.name === 'Heartbeat') w.int16(0);
  else w.int32(0); // throttleTimeMs
  if (api.name !== 'Fetch' || version < 7) return;
  w.int16(0);
  w.int32(0);
}

function count(w: Writer, n: number): void {
  if (w.flexible) w.uvarint(n + 1);
  else w.int32(n);
}

/** The same with an error code that nobody knows: the answer's own where it has one, else the one of all that it lists. */
function refused({ api, version, correlationId, bytes }: Answer): Buffer {
  const body = decodeResponseFrame(api, version, bytes.subarray(4)) as Record<string, unknown>;
  const isListOnly = !('errorCode' in body) || (api.name === 'FindCoordinator' && version >= 4);
  if (isListOnly) for (const list of Object.values(body)) setErrorCodes(list);
  else body['errorCode'] = UNKNOWN_CODE;
  return encodeResponseFrame(api, version, correlationId, body);
}

function setErrorCodes(value: unknown): void {
  if (Array.isArray(value)) value.forEach(setErrorCodes);
  else if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype) {
    if ('errorCode' in value) value.errorCode = UNKNOWN_CODE;
    Object.values(value).forEach(setErrorCodes);
  }
}

/** The oldest that can carry the answer. */
function inAnotherVersion({ api, version, correlationId, bytes }: Answer): Buffer {
  const body = decodeResponseFrame(api, version, bytes.subarray(4));
  for (let other = api.minVersion; other < version; other++) {
    try {
      const encoded = encodeResponseFrame(api, other, correlationId, body);
      if (!encoded.equals(bytes)) return encoded;
    } catch (error) {
      if (!(error instanceof UnsupportedVersionError)) throw error;
    }
  }
  return bytes; // the same in all that can
}

function drip(bytes: Buffer, socket: Socket, intervalMs: number): void {
  if (DRIPPING.has(socket)) return; // never done with the answer before
  DRIPPING.add(socket);
  socket.setNoDelay(true);
  let at = 0;
  const timer = setInterval(() => {
    if (socket.destroyed || at === bytes.length) clearInterval(timer);
    else socket.write(bytes.subarray(at, ++at));
  }, intervalMs);
  socket.once('close', () => clearInterval(timer));
}

/** Node ends a connection before it resets it: either may be what is seen. */
const HUNG_UP = /ConnectionError: .*(connection reset|closed the connection)/;

export const MISDEEDS: readonly Misdeed[] = [
  {
    name: 'a length of 2 GiB',
    commit: sending((answer) => withLength(0x7fffffff, answer)),
    error: /ProtocolError: .*frame of 2147483647 bytes, expected 4 to (104858112|16777216)/,
  },
  {
    name: 'a length below zero',
    commit: sending((answer) => withLength(-1, answer)),
    error: /ProtocolError: .*frame of -1 bytes/,
  },
  {
    name: 'a length of 0',
    commit: sending((answer) => withLength(0, answer)),
    error: /ProtocolError: .*frame of 0 bytes/,
  },
  {
    name: 'a length of 100 MiB, then half an answer and silence',
    commit: sending((answer) => half({ ...answer, bytes: withLength(LARGE, answer) })),
    // Only an answer to Fetch may be so long.
    error: /RequestTimeoutError: .*was not answered within|ProtocolError: .*frame of 104857600 bytes/,
  },
  {
    name: 'another correlation id',
    commit: sending(({ bytes, correlationId }) => {
      const changed = Buffer.from(bytes);
      changed.writeInt32BE(correlationId + 7, 4);
      return changed;
    }),
    error: /ProtocolError: .*an answer with correlation id \d+ where \d+ was due/,
  },
  {
    name: 'half an answer, then silence',
    commit: sending(half),
    error: /RequestTimeoutError: .*was not answered within/,
  },
  {
    name: 'half an answer, then the end of the connection',
    commit: (socket, answer) => socket.end(half(answer)),
    error: /ConnectionError: .*closed the connection/,
  },
  {
    name: 'half an answer, then a reset',
    commit: (socket, answer) => socket.write(half(answer), () => socket.resetAndDestroy()),
    error: HUNG_UP,
  },
  {
    name: 'half an answer as if it were whole',
    commit: sending((answer) => withLength(half(answer).length - 4, { ...answer, bytes: half(answer) })),
    error: /ProtocolError: .*(expected \d+ more bytes|elements in|left over|string of|varint|nullable struct)/,
  },
  {
    name: 'an array of 2^31 − 1',
    commit: sending((answer) =>
      withBody(answer, (w) => {
        upToFirstArray(w, answer);
        count(w, 0x7fffffff);
        w.int32(0);
      }),
    ),
    error: /ProtocolError: .*(array of 2147483647 elements in \d+ bytes|left over|null where)/,
  },
  {
    name: 'a string past the end',
    commit: sending((answer) =>
      withBody(answer, (w) => {
        upToFirstArray(w, answer);
        count(w, 1);
        w.int32(1); // of a broker: its node id
        if (w.flexible) w.uvarint(30_001);
        else w.int16(30_000);
        w.int32(0x6b61666b);
      }),
    ),
    error: /ProtocolError: .*(expected \d+ more bytes|elements in|left over|string of|null where)/,
  },
  {
    name: 'a varint without end',
    commit: sending((answer) =>
      withBody(answer, (w) => {
        upToFirstArray(w, answer);
        for (let i = 0; i < 64; i++) w.int32(-1);
      }),
    ),
    error: /ProtocolError: .*(varint above 32 bits|null where an array must be|elements in|left over)/,
  },
  {
    name: 'tagged fields in tagged fields, 100,000 of them',
    commit: sending(({ api, version, correlationId }) => {
      const w = new Writer();
      w.int32(0);
      w.int32(correlationId);
      w.flexible = version >= api.flexibleFrom;
      w.uvarint(TAGS);
      for (let tag = 0; tag < TAGS; tag++) {
        w.uvarint(tag);
        w.uvarint(3);
        for (let i = 0; i < 3; i++) w.uvarint(1); // one tagged field, number 1, of one byte that is not there
      }
      w.patchInt32(0, w.length - 4);
      return w.finish();
    }),
    error: /ProtocolError: .*(expected \d+ more bytes|elements in|left over|null where)/,
  },
  {
    name: 'an answer, and one more that nobody asked for',
    commit: sending(({ bytes }) => Buffer.concat([bytes, bytes])),
    error: /ProtocolError: .*(an answer to no request|correlation id)/,
  },
  {
    name: 'byte by byte',
    commit: (socket, { bytes }) => {
      socket.setNoDelay(true);
      for (const byte of bytes) socket.write(Buffer.of(byte));
    },
    error: null,
  },
  {
    name: 'byte by byte, slower than the deadline',
    commit: (socket, { bytes }) => drip(bytes, socket, 20),
    error: /RequestTimeoutError: .*was not answered within/,
  },
  { name: 'silence', commit: () => undefined, error: /RequestTimeoutError: .*was not answered within/ },
  {
    name: 'a half-open connection: nothing is read or sent any more',
    commit: (socket) => socket.pause(),
    error: /RequestTimeoutError: .*was not answered within/,
  },
  {
    name: 'a reset in place of the answer',
    commit: (socket) => socket.resetAndDestroy(),
    error: HUNG_UP,
  },
  {
    name: 'the end of the connection in place of the answer',
    commit: (socket) => socket.end(),
    error: /ConnectionError: .*closed the connection/,
  },
  {
    name: 'a TLS alert',
    commit: sending(() => Buffer.from('15030300020246', 'hex')),
    error: /ProtocolError: .*the other side speaks TLS/,
  },
  {
    name: 'HTTP',
    commit: sending(() => Buffer.from('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n')),
    error: /ProtocolError: .*an HTTP server, not a Kafka broker/,
  },
  {
    name: 'text',
    commit: sending(() => Buffer.from('220 mail.example.com ESMTP\r\n')),
    error: /ProtocolError: .*it is no Kafka broker/,
  },
  {
    name: 'an unknown error code',
    commit: sending(refused),
    error: /UNKNOWN_ERROR_CODE: .*error code 12345/,
    isRefusal: true,
  },
  {
    name: 'an answer in a version that was not asked for',
    commit: sending(inAnotherVersion),
    error: /ProtocolError: /,
  },
];
