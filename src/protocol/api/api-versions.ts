import type Long from 'long';
import type { Api } from '../api.ts';
import { MINUS_ONE, encodeBool, encodeInt64 } from '../codec.ts';
import type { Reader } from '../reader.ts';
import type { Writer } from '../writer.ts';

// ApiVersions (key 18): which APIs the broker has, in which versions. The first request on every connection.
// https://kafka.apache.org/protocol#The_Messages_ApiVersions
//
// v1  adds throttleTimeMs
// v2  throttling happens after the response (KIP-219)
// v3  first flexible version; client software name and version (KIP-511), features (KIP-584)
// v4  features may have minVersion 0 (KIP-1022)

export const API_VERSIONS_KEY = 18;

export interface ApiVersionsRequest {
  clientSoftwareName: string; // v3+
  clientSoftwareVersion: string; // v3+
}

export interface ApiVersionsResponse {
  errorCode: number;
  apiKeys: ApiVersion[];
  throttleTimeMs: number; // v1+
  supportedFeatures: SupportedFeature[]; // v3+ tag 0
  finalizedFeaturesEpoch: Long; // v3+ tag 1, −1 for unknown
  finalizedFeatures: FinalizedFeature[]; // v3+ tag 2
  zkMigrationReady: boolean; // v3+ tag 3
}

export interface ApiVersion {
  apiKey: number;
  minVersion: number;
  maxVersion: number;
}

export interface SupportedFeature {
  name: string;
  minVersion: number;
  maxVersion: number;
}

export interface FinalizedFeature {
  name: string;
  maxVersionLevel: number;
  minVersionLevel: number;
}

export const apiVersions: Api<ApiVersionsRequest, ApiVersionsResponse> = {
  key: API_VERSIONS_KEY,
  name: 'ApiVersions',
  minVersion: 0,
  maxVersion: 4,
  flexibleFrom: 3,

  encodeRequest(w, v, m) {
    if (v >= 3) w.string(m.clientSoftwareName);
    if (v >= 3) w.string(m.clientSoftwareVersion);
    w.tags();
  },

  decodeRequest(r, v) {
    const m: ApiVersionsRequest = {
      clientSoftwareName: v >= 3 ? r.string() : '',
      clientSoftwareVersion: v >= 3 ? r.string() : '',
    };
    r.tags();
    return m;
  },

  encodeResponse(w, v, m) {
    w.int16(m.errorCode);
    w.array(v, m.apiKeys, encodeApi);
    if (v >= 1) w.int32(m.throttleTimeMs);
    if (v < 3) return;
    const tags = w.openTags();
    if (m.supportedFeatures.length > 0) w.tag(tags, 0, v, m.supportedFeatures, encodeSupportedFeatures);
    if (!m.finalizedFeaturesEpoch.eq(MINUS_ONE)) w.tag(tags, 1, v, m.finalizedFeaturesEpoch, encodeInt64);
    if (m.finalizedFeatures.length > 0) w.tag(tags, 2, v, m.finalizedFeatures, encodeFinalizedFeatures);
    if (m.zkMigrationReady) w.tag(tags, 3, v, true, encodeBool);
  },

  decodeResponse(r, v) {
    const m: ApiVersionsResponse = {
      errorCode: r.int16(),
      apiKeys: r.array(v, decodeApi),
      throttleTimeMs: v >= 1 ? r.int32() : 0,
      supportedFeatures: [],
      finalizedFeaturesEpoch: MINUS_ONE,
      finalizedFeatures: [],
      zkMigrationReady: false,
    };
    r.tagged(v, m, responseTag);
    return m;
  },
};

/**
 * Whether the body from byte `at` on is an UNSUPPORTED_VERSION answer in version 0, which a broker gives to a version
 * that it does not know (KIP-511): the error code, then a count and 6 bytes for each API, and nothing else.
 */
export function isVersion0Reply(frame: Buffer, at: number): boolean {
  if (frame.length - at < 6 || frame.readInt16BE(at) !== 35) return false;
  return frame.length - at === 6 + 6 * frame.readInt32BE(at + 2);
}

function encodeApi(w: Writer, _v: number, m: ApiVersion): void {
  w.int16(m.apiKey);
  w.int16(m.minVersion);
  w.int16(m.maxVersion);
  w.tags();
}
function decodeApi(r: Reader): ApiVersion {
  const m: ApiVersion = { apiKey: r.int16(), minVersion: r.int16(), maxVersion: r.int16() };
  r.tags();
  return m;
}

function responseTag(r: Reader, v: number, m: ApiVersionsResponse, tag: number): void {
  if (tag === 0) m.supportedFeatures = r.array(v, decodeSupportedFeature);
  else if (tag === 1) m.finalizedFeaturesEpoch = r.int64();
  else if (tag === 2) m.finalizedFeatures = r.array(v, decodeFinalizedFeature);
  else if (tag === 3) m.zkMigrationReady = r.bool();
}

function encodeSupportedFeatures(w: Writer, v: number, m: SupportedFeature[]): void {
  w.array(v, m, encodeSupportedFeature);
}
function encodeSupportedFeature(w: Writer, _v: number, m: SupportedFeature): void {
  w.string(m.name);
  w.int16(m.minVersion);
  w.int16(m.maxVersion);
  w.tags();
}
function decodeSupportedFeature(r: Reader): SupportedFeature {
  const m: SupportedFeature = { name: r.string(), minVersion: r.int16(), maxVersion: r.int16() };
  r.tags();
  return m;
}

function encodeFinalizedFeatures(w: Writer, v: number, m: FinalizedFeature[]): void {
  w.array(v, m, encodeFinalizedFeature);
}
function encodeFinalizedFeature(w: Writer, _v: number, m: FinalizedFeature): void {
  w.string(m.name);
  w.int16(m.maxVersionLevel);
  w.int16(m.minVersionLevel);
  w.tags();
}
function decodeFinalizedFeature(r: Reader): FinalizedFeature {
  const m: FinalizedFeature = { name: r.string(), maxVersionLevel: r.int16(), minVersionLevel: r.int16() };
  r.tags();
  return m;
}
