import { ProtocolError, UnsupportedVersionError } from '../errors.ts';
import type { Api } from './api.ts';
import { API_VERSIONS_KEY, isVersion0Reply } from './api/api-versions.ts';
import { Reader } from './reader.ts';
import { Writer } from './writer.ts';

// Headers before each message, and whole frames: length, header, body.
// https://kafka.apache.org/protocol#protocol_messages
//
// RequestHeader  v1 apiKey, apiVersion, correlationId, clientId
//                v2 tagged fields (KIP-482); clientId stays a plain string, so that any broker can read it
// ResponseHeader v0 correlationId
//                v1 tagged fields (KIP-482)

export interface RequestHeader {
  requestApiKey: number;
  requestApiVersion: number;
  correlationId: number;
  clientId: string | null;
}

export interface ResponseHeader {
  correlationId: number;
}

/** Any API: what only frames and versions need to know. */
export type ApiRange = Pick<Api<unknown, unknown>, 'key' | 'name' | 'minVersion' | 'maxVersion' | 'flexibleFrom'>;

export function requestHeaderVersion(api: ApiRange, version: number): number {
  return version >= api.flexibleFrom ? 2 : 1;
}

/** Always 0 for ApiVersions: a client must be able to read the answer of a broker that it knows nothing about (KIP-511). */
export function responseHeaderVersion(api: ApiRange, version: number): number {
  return version >= api.flexibleFrom && api.key !== API_VERSIONS_KEY ? 1 : 0;
}

export function encodeRequestHeader(w: Writer, headerVersion: number, m: RequestHeader): void {
  w.int16(m.requestApiKey);
  w.int16(m.requestApiVersion);
  w.int32(m.correlationId);
  w.flexible = false;
  w.nullableString(m.clientId);
  w.flexible = headerVersion >= 2;
  w.tags();
}

export function decodeRequestHeader(r: Reader, headerVersion: number): RequestHeader {
  const m = decodeCommonHeader(r);
  r.flexible = headerVersion >= 2;
  r.tags();
  return m;
}

function decodeCommonHeader(r: Reader): RequestHeader {
  r.flexible = false;
  return {
    requestApiKey: r.int16(),
    requestApiVersion: r.int16(),
    correlationId: r.int32(),
    clientId: r.nullableString(),
  };
}

export function encodeResponseHeader(w: Writer, headerVersion: number, m: ResponseHeader): void {
  w.int32(m.correlationId);
  w.flexible = headerVersion >= 1;
  w.tags();
}

export function decodeResponseHeader(r: Reader, headerVersion: number): ResponseHeader {
  const m: ResponseHeader = { correlationId: r.int32() };
  r.flexible = headerVersion >= 1;
  r.tags();
  return m;
}

/**
 * A whole request as it goes to the socket, with its 4-byte length.
 * @throws UnsupportedVersionError where the version has no place for a value of `body`
 */
export function encodeRequestFrame<Req, Res>(
  api: Api<Req, Res>,
  version: number,
  correlationId: number,
  clientId: string | null,
  body: Req,
): Buffer {
  checkVersion(api, version);
  const w = new Writer();
  w.int32(0);
  w.begin(api.name, version, false);
  encodeRequestHeader(w, requestHeaderVersion(api, version), {
    requestApiKey: api.key,
    requestApiVersion: version,
    correlationId,
    clientId,
  });
  w.begin(api.name, version, version >= api.flexibleFrom);
  api.encodeRequest(w, version, body);
  w.patchInt32(0, w.length - 4);
  return w.finish();
}

/** The correlation id of a response frame (without its length). */
export function readCorrelationId(frame: Buffer): number {
  return new Reader(frame).int32();
}

/**
 * The body of a response frame (without its length). Its buffers are views into the frame.
 *
 * @param onLeftOver is told how many bytes follow the body; without it they are an error
 * @throws ProtocolError with api, version and the position in the body
 */
export function decodeResponseFrame<Req, Res>(
  api: Api<Req, Res>,
  version: number,
  frame: Buffer,
  onLeftOver?: (bytes: number) => void,
): Res {
  checkVersion(api, version);
  const r = new Reader(frame);
  r.begin(api.name, version, false);
  decodeResponseHeader(r, responseHeaderVersion(api, version));
  // A broker that does not know the version of an ApiVersions request answers in version 0 (KIP-511).
  if (api.key === API_VERSIONS_KEY && isVersion0Reply(frame, r.at)) version = 0;
  r.begin(api.name, version, version >= api.flexibleFrom);
  const body = api.decodeResponse(r, version);
  if (r.remaining > 0 && onLeftOver !== undefined) onLeftOver(r.remaining);
  else r.finish();
  return body;
}

/** What every version of a request's header begins with: enough to tell which API and version the frame is. */
export function peekRequestHeader(frame: Buffer): RequestHeader {
  const r = new Reader(frame);
  r.begin('request header', 1, false);
  return decodeCommonHeader(r);
}

/**
 * The server's side: a request frame (without its length) of `api`, in the version that its header tells.
 * @throws UnsupportedVersionError where that version is not one of `api`'s
 */
export function decodeRequestFrame<Req, Res>(api: Api<Req, Res>, frame: Buffer): { header: RequestHeader; body: Req } {
  const { requestApiKey, requestApiVersion: version } = peekRequestHeader(frame);
  if (requestApiKey !== api.key) throw new ProtocolError(`request of api key ${requestApiKey}, expected ${api.name}`);
  checkVersion(api, version);
  const r = new Reader(frame);
  r.begin(api.name, version, false);
  const header = decodeRequestHeader(r, requestHeaderVersion(api, version));
  r.begin(api.name, version, version >= api.flexibleFrom);
  const body = api.decodeRequest(r, version);
  r.finish();
  return { header, body };
}

/** The server's side: a whole response with its 4-byte length. */
export function encodeResponseFrame<Req, Res>(
  api: Api<Req, Res>,
  version: number,
  correlationId: number,
  body: Res,
): Buffer {
  checkVersion(api, version);
  const w = new Writer();
  w.int32(0);
  encodeResponseHeader(w, responseHeaderVersion(api, version), { correlationId });
  w.begin(api.name, version, version >= api.flexibleFrom);
  api.encodeResponse(w, version, body);
  w.patchInt32(0, w.length - 4);
  return w.finish();
}

function checkVersion(api: ApiRange, version: number): void {
  if (version >= api.minVersion && version <= api.maxVersion) return;
  throw new UnsupportedVersionError(`${api.name} v${version}: only ${api.minVersion}-${api.maxVersion} are known`, {
    api: api.name,
  });
}
