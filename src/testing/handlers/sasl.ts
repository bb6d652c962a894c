import Long from 'long';
import {
  saslAuthenticate,
  type SaslAuthenticateRequest,
  type SaslAuthenticateResponse,
} from '../../protocol/api/sasl-authenticate.ts';
import {
  saslHandshake,
  type SaslHandshakeRequest,
  type SaslHandshakeResponse,
} from '../../protocol/api/sasl-handshake.ts';
import type { Handler } from '../handler.ts';

const LIFETIME_FROM_VERSION = 1;
const NO_BYTES = Buffer.alloc(0);

export const saslHandshakeHandler: Handler<SaslHandshakeRequest, SaslHandshakeResponse> = {
  api: saslHandshake,
  // After version 0 come tokens without a header, which only very old clients send.
  minVersion: 1,
  handle({ mechanism }, { connection }) {
    const { authentication } = connection;
    return { errorCode: authentication.begin(mechanism), mechanisms: authentication.mechanisms };
  },
  refuse: (_request, errorCode, { connection }) => ({ errorCode, mechanisms: connection.authentication.mechanisms }),
};

export const saslAuthenticateHandler: Handler<SaslAuthenticateRequest, SaslAuthenticateResponse> = {
  api: saslAuthenticate,
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
