import { AuthenticationError } from '../errors.ts';
import { ERROR_CODES } from '../protocol/error-codes.ts';
import type { Clock } from './clock.ts';

/** One step of a SASL exchange: bytes for the client, and whether that was all; or the reason why it is refused. */
export type SaslStep = { readonly bytes: Buffer; readonly isDone: boolean } | { readonly refused: string };

/** A mechanism of a test's own: called once for each exchange, then with each of the client's tokens. */
export type SaslMechanism = () => (token: Buffer) => SaslStep | Promise<SaslStep>;

export interface SaslOptions {
  /** Names and passwords for PLAIN. */
  users?: Readonly<Record<string, string>>;
  /** Other mechanisms, by their name. */
  mechanisms?: Readonly<Record<string, SaslMechanism>>;
  /** After so long a client must have authenticated again (KIP-368). Default 0: never. */
  sessionLifetimeMs?: number;
}

const BEFORE_LOGIN = new Set(['ApiVersions', 'SaslHandshake', 'SaslAuthenticate']);
const NO_BYTES = Buffer.alloc(0);

/** How far one connection has come with its login. */
export class Authentication {
  readonly #options: SaslOptions | null;
  readonly #clock: Clock;
  #exchange: ((token: Buffer) => SaslStep | Promise<SaslStep>) | null = null;
  #isLoggedIn = false;
  #endsAt = Infinity;

  /** @param options null where nobody has to log in */
  constructor(options: SaslOptions | null, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
  }

  /** @throws AuthenticationError for a request that comes before the login, or after its end */
  admit(api: string): void {
    if (this.#options === null || BEFORE_LOGIN.has(api)) return;
    if (!this.#isLoggedIn)
      throw new AuthenticationError(`${api} before the login`, { code: ERROR_CODES.ILLEGAL_SASL_STATE });
    if (this.#clock.now() >= this.#endsAt) throw new AuthenticationError(`${api} after the end of the SASL session`);
  }

  get mechanisms(): string[] {
    if (this.#options === null) return [];
    const { users, mechanisms = {} } = this.#options;
    return [...(users === undefined ? [] : ['PLAIN']), ...Object.keys(mechanisms)];
  }

  /** Gives an error code. */
  begin(mechanism: string): number {
    if (this.#options === null) return ERROR_CODES.ILLEGAL_SASL_STATE;
    const own = this.#options.mechanisms?.[mechanism];
    if (own !== undefined) this.#exchange = own();
    else if (mechanism === 'PLAIN' && this.#options.users !== undefined) this.#exchange = plain(this.#options.users);
    else return ERROR_CODES.UNSUPPORTED_SASL_MECHANISM;
    return ERROR_CODES.NONE;
  }

  async step(token: Buffer): Promise<{ errorCode: number; message: string | null; bytes: Buffer; lifetimeMs: number }> {
    if (this.#exchange === null) {
      return {
        errorCode: ERROR_CODES.ILLEGAL_SASL_STATE,
        message: 'no handshake before',
        bytes: NO_BYTES,
        lifetimeMs: 0,
      };
    }
    const step = await this.#exchange(token);
    if ('refused' in step) {
      this.#exchange = null;
      const errorCode = ERROR_CODES.SASL_AUTHENTICATION_FAILED;
      return { errorCode, message: step.refused, bytes: NO_BYTES, lifetimeMs: 0 };
    }
    const lifetimeMs = step.isDone ? (this.#options?.sessionLifetimeMs ?? 0) : 0;
    if (step.isDone) {
      this.#exchange = null;
      this.#isLoggedIn = true;
      this.#endsAt = lifetimeMs === 0 ? Infinity : this.#clock.now() + lifetimeMs;
    }
    return { errorCode: ERROR_CODES.NONE, message: null, bytes: step.bytes, lifetimeMs };
  }
}

/** RFC 4616: authorization id, user and password with a zero byte between them. */
function plain(users: Readonly<Record<string, string>>): (token: Buffer) => SaslStep {
  return (token) => {
    const [, user = '', password] = token.toString().split('\0');
    const isRight = Object.hasOwn(users, user) && users[user] === password;
    return isRight
      ? { bytes: NO_BYTES, isDone: true }
      : { refused: 'Authentication failed: Invalid username or password' };
  };
}
