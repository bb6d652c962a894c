import { describe, expect, it } from 'vitest';
import { Authentication, type SaslOptions } from '../../../src/testing/authentication.ts';
import {
  saslAuthenticateHandler as logins,
  saslHandshakeHandler as handshakes,
} from '../../../src/testing/handlers/sasl.ts';
import { ManualClock } from '../../../src/testing/index.ts';
import { HandlerRig } from './rig.ts';

const token = (user: string, password: string): Buffer => Buffer.from(`\0${user}\0${password}`);
const SASL: SaslOptions = { users: { alice: 'secret' }, sessionLifetimeMs: 1000 };

describe('SASL', () => {
  it('PLAIN: lets in who knows the password', async () => {
    const context = (await HandlerRig.start()).context(2, 1, SASL);
    expect(await handshakes.handle({ mechanism: 'PLAIN' }, context)).toEqual({ errorCode: 0, mechanisms: ['PLAIN'] });
    const answer = await logins.handle({ authBytes: token('alice', 'secret') }, context);
    expect([answer?.errorCode, answer?.sessionLifetimeMs.toNumber()]).toEqual([0, 1000]);
    context.connection.authentication.admit('Metadata');
  });

  it.each([
    ['alice', 'wrong'],
    ['bob', 'secret'],
    ['__proto__', 'x'],
  ])('PLAIN: not %s with %s; the connection ends', async (user, password) => {
    const rig = await HandlerRig.start();
    const context = rig.context(2, 1, SASL);
    await handshakes.handle({ mechanism: 'PLAIN' }, context);
    const answer = await logins.handle({ authBytes: token(user, password) }, context);
    expect([answer?.errorCode, answer?.errorMessage]).toEqual([
      58,
      'Authentication failed: Invalid username or password',
    ]);
    expect(rig.isEnded).toBe(true);
    expect(() => context.connection.authentication.admit('Metadata')).toThrow(/Metadata before the login/);
  });

  it('knows its mechanisms, and wants a handshake first', async () => {
    const rig = await HandlerRig.start();
    const own = { ...SASL, mechanisms: { OWN: () => () => ({ refused: 'never' }) } };
    const refused = await handshakes.handle({ mechanism: 'GSSAPI' }, rig.context(1, 1, own));
    expect(refused).toEqual({ errorCode: 33, mechanisms: ['PLAIN', 'OWN'] });
    expect((await handshakes.handle({ mechanism: 'PLAIN' }, rig.context(1)))?.errorCode).toBe(34);
    expect((await logins.handle({ authBytes: token('alice', 'secret') }, rig.context(2, 1, SASL)))?.errorCode).toBe(34);
  });

  it('goes through the steps of a mechanism of a test', async () => {
    const mechanism = () => {
      let step = 0;
      return (bytes: Buffer) => ({ bytes: Buffer.from(`${++step}:${bytes.toString()}`), isDone: step === 2 });
    };
    const login = new Authentication({ mechanisms: { TWO: mechanism } }, new ManualClock());
    expect(login.begin('TWO')).toBe(0);
    expect((await login.step(Buffer.from('a'))).bytes.toString()).toBe('1:a');
    expect(() => login.admit('Fetch')).toThrow();
    expect((await login.step(Buffer.from('b'))).bytes.toString()).toBe('2:b');
    login.admit('Fetch');
  });

  it('wants a new login when the session is over', async () => {
    const clock = new ManualClock();
    const login = new Authentication(SASL, clock);
    login.begin('PLAIN');
    await login.step(token('alice', 'secret'));
    clock.advance(999);
    login.admit('Fetch');
    clock.advance(1);
    expect(() => login.admit('Fetch')).toThrow(/after the end/);
    for (const api of ['ApiVersions', 'SaslHandshake', 'SaslAuthenticate']) login.admit(api);
    login.begin('PLAIN');
    await login.step(token('alice', 'secret'));
    login.admit('Fetch');
  });

  it('is not asked for where nobody has to log in', () => {
    const login = new Authentication(null, new ManualClock());
    login.admit('Fetch');
    expect(login.mechanisms).toEqual([]);
  });
});
