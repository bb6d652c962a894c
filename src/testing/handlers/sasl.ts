import Long from 'long';
import type { Api } from '../../protocol/api.ts';
import type { Handler } from '../handler.ts';

/** As the codecs have it. */
export interface SaslHandshakeRequest {
  mechanism: string;
}

export interface SaslHandshakeResponse {
  errorCode: number;
  mechanisms: string[];
}

export interface SaslAuthenticateRequest {
  authBytes: Buffer;
}

export interface SaslAuthenticateResponse {
  errorCode: number;
  errorMessage: string | null;
  authBytes: Buffer;
  sessionLifetimeMs: Long; // v1+
}

const LIFETIME_FROM_VERSION = 1;
const NO_BYTES = Buffer.alloc(0);

export function saslHandshakeHandler(
  api: Api<SaslHandshakeRequest, SaslHandshakeResponse>,
): Handler<SaslHandshakeRequest, SaslHandshakeResponse> {
  return {
    api,
    // After version 0 come tokens without a header, which only very old clients send.
    minVersion: 1,
    handle({ mechanism }, { connection }) {
      const { authentication } = connection;
      return { errorCode: authentication.begin(mechanism), mechanisms: authentication.mechanisms };
    },
    refuse: (_request, errorCode, { connection }) => ({ errorCode, mechanisms: connection.authentication.mechanisms }),
  };
}

export function saslAuthenticateHandler(
  api: Api<SaslAuthenticateRequest, SaslAuthenticateResponse>,
): Handler<SaslAuthenticateRequest, SaslAuthenticateResponse> {
  return {
    api,
    async handle({ authBytes }, { connection, version }) {
      const { errorCode, message, bytes, lifetimeMs } = await connection.authentication.step(authBytes);
      if (errorCode !== 0) connection.endAfterAnswer();
      const sessionLifetimeMs = Long.fromNumber(version >= LIFETIME_FROM_VERSION ? lifetimeMs : 0);
      return { errorCode, errorMessage: message, authBytes: bytes, sessionLifetimeMs };
    },
    refuse(_request, errorCode, { connection }) {
      connection.endAfterAnswer();
      return { errorCode, errorMessage: 'refused', authBytes: NO_BYTES, sessionLifetimeMs: Long.ZERO };
    },
  };
}
