import { afterEach, describe, expect, test, vi } from 'vitest';

afterEach(() => {
  vi.unstubAllEnvs();
});

describe.each([
  { implementation: 'native', pure: '' },
  { implementation: 'pure', pure: '1' },
])('$implementation', ({ implementation, pure }) => {
  async function load() {
    vi.resetModules();
    vi.stubEnv('SAMSA_PURE', pure);
    return import('../../../src/protocol/crc32c.ts');
  }

  test('is the one in use', async () => {
    const { crc32cImplementation } = await load();
    expect(crc32cImplementation()).toBe(implementation);
  });

  // RFC 3720 appendix B.4, and the check value of the catalogue of CRCs.
  test.each([
    ['123456789', Buffer.from('123456789'), 0xe3069283],
    ['32 zeros', Buffer.alloc(32), 0x8a9136aa],
    ['32 ones', Buffer.alloc(32, 0xff), 0x62a8ab43],
    ['0..31', Buffer.from(Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e],
    ['nothing', Buffer.alloc(0), 0],
  ])('of %s', async (_, bytes, expected) => {
    const { crc32c } = await load();
    expect(crc32c(bytes, 0, bytes.length)).toBe(expected);
    const larger = Buffer.concat([Buffer.from('odd'), bytes, Buffer.from('tail')]);
    expect(crc32c(larger, 3, 3 + bytes.length)).toBe(expected);
  });
});

test('a native package that is not there leaves the pure path', async () => {
  vi.resetModules();
  vi.stubEnv('SAMSA_PURE', '');
  const { loadAccelerator } = await import('../../../src/protocol/compression/accelerator.ts');
  expect(loadAccelerator('no-such-package-anywhere')).toBeNull();
});
