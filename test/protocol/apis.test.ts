import { describe, expect, test } from 'vitest';
import { UnsupportedVersionError } from '../../src/errors.ts';
import { fetch } from '../../src/protocol/api/fetch.ts';
import { APIS, apiByKey, apiByName, negotiateVersion } from '../../src/protocol/apis.ts';

describe('negotiateVersion', () => {
  test.each([
    [{ min: 0, max: 30 }, 18],
    [{ min: 4, max: 18 }, 18],
    [{ min: 0, max: 11 }, 11],
    [{ min: 0, max: 4 }, 4],
    [{ min: 18, max: 25 }, 18],
    [{ min: 7, max: 7 }, 7],
  ])('Fetch 4-18 with a broker of %o gives %i', (range, version) => {
    expect(negotiateVersion(fetch, range)).toBe(version);
  });

  test.each([
    [{ min: 0, max: 3 }, 'Fetch: no version in common, samsa has 4-18, the broker has 0-3'],
    [{ min: 19, max: 25 }, 'Fetch: no version in common, samsa has 4-18, the broker has 19-25'],
    [undefined, 'Fetch: no version in common, samsa has 4-18, the broker does not have it'],
  ])('Fetch 4-18 with a broker of %o is an UnsupportedVersionError', (range, message) => {
    expect(() => negotiateVersion(fetch, range)).toThrow(UnsupportedVersionError);
    expect(() => negotiateVersion(fetch, range)).toThrow(message);
    expect(() => negotiateVersion(fetch, range)).toThrow(expect.objectContaining({ api: 'Fetch', code: 35 }));
  });
});

describe('APIS', () => {
  test('has each key and name once, by ascending key', () => {
    const keys = APIS.map((api) => api.key);
    expect(keys).toEqual([...new Set(keys)].sort((a, b) => a - b));
    expect(new Set(APIS.map((api) => api.name)).size).toBe(APIS.length);
  });

  test('is found by key and by name', () => {
    for (const api of APIS) {
      expect(apiByKey(api.key)).toBe(api);
      expect(apiByName(api.name)).toBe(api);
    }
    expect(apiByKey(999)).toBeUndefined();
    expect(apiByName('Nope')).toBeUndefined();
  });
});
