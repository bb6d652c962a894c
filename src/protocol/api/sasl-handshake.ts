import type { Api } from '../api.ts';
import { decodeString, encodeString } from '../codec.ts';

// SaslHandshake (key 17): choose a SASL mechanism (KIP-43).
// https://kafka.apache.org/protocol#The_Messages_SaslHandshake
//
// v0  tokens follow as bare bytes with a length, without a header
// v1  tokens go in SaslAuthenticate (KIP-152)

export interface SaslHandshakeRequest {
  mechanism: string;
}

export interface SaslHandshakeResponse {
  errorCode: number;
  mechanisms: string[]; // that the broker has
}

export const saslHandshake: Api<SaslHandshakeRequest, SaslHandshakeResponse> = {
  key: 17,
  name: 'SaslHandshake',
  minVersion: 0,
  maxVersion: 1,
  flexibleFrom: Infinity,

  encodeRequest(w, _v, m) {
    w.string(m.mechanism);
  },

  decodeRequest(r) {
    return { mechanism: r.string() };
  },

  encodeResponse(w, v, m) {
    w.int16(m.errorCode);
    w.array(v, m.mechanisms, encodeString);
  },

  decodeResponse(r, v) {
    return { errorCode: r.int16(), mechanisms: r.array(v, decodeString) };
  },
};
