import type Long from 'long';
import type { Api } from '../api.ts';
import { ZERO } from '../codec.ts';

// SaslAuthenticate (key 36): one step of the SASL mechanism that SaslHandshake v1 has chosen (KIP-152).
// https://kafka.apache.org/protocol#The_Messages_SaslAuthenticate
//
// v1  sessionLifetimeMs: when to authenticate again (KIP-368)
// v2  first flexible version (KIP-482)

export interface SaslAuthenticateRequest {
  authBytes: Buffer;
}

export interface SaslAuthenticateResponse {
  errorCode: number;
  errorMessage: string | null;
  authBytes: Buffer;
  sessionLifetimeMs: Long; // v1+, 0 for no end
}

export const saslAuthenticate: Api<SaslAuthenticateRequest, SaslAuthenticateResponse> = {
  key: 36,
  name: 'SaslAuthenticate',
  minVersion: 0,
  maxVersion: 2,
  flexibleFrom: 2,

  encodeRequest(w, _v, m) {
    w.bytes(m.authBytes);
    w.tags();
  },

  decodeRequest(r) {
    const m: SaslAuthenticateRequest = { authBytes: r.bytes() };
    r.tags();
    return m;
  },

  encodeResponse(w, v, m) {
    w.int16(m.errorCode);
    w.nullableString(m.errorMessage);
    w.bytes(m.authBytes);
    if (v >= 1) w.int64(m.sessionLifetimeMs);
    w.tags();
  },

  decodeResponse(r, v) {
    const m: SaslAuthenticateResponse = {
      errorCode: r.int16(),
      errorMessage: r.nullableString(),
      authBytes: r.bytes(),
      sessionLifetimeMs: v >= 1 ? r.int64() : ZERO,
    };
    r.tags();
    return m;
  },
};
