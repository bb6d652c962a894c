import { describe, expect, it } from 'vitest';
import { addressOf, Candidates } from '../../src/network/candidates.ts';
import { ClusterMetadata } from '../../src/network/metadata.ts';

const SERVERS = ['a', 'b', 'c'].map((host) => ({ host, port: 9092 }));
const IN_THIS_ORDER = (): number => 0.999;

function rig({ random = IN_THIS_ORDER } = {}) {
  const metadata = new ClusterMetadata();
  const clock = { now: 0 };
  const options = { bootstrapServers: SERVERS, metadataRecoveryStrategy: 'rebootstrap' as const, random };
  const candidates = new Candidates(options, metadata, () => clock.now);
  const hosts = (isPreferred?: (address: string) => boolean) =>
    candidates
      .inOrder(isPreferred)
      .map(({ host }) => host)
      .join('');
  return { candidates, metadata, clock, hosts };
}

describe('the order', () => {
  it('is drawn anew each time: each server comes first about as often as another', () => {
    let seed = 1;
    const random = (): number => (seed = (seed * 48_271) % 0x7fffffff) / 0x7fffffff;
    const { hosts } = rig({ random });
    const first = { a: 0, b: 0, c: 0 };
    for (let i = 0; i < 300; i++) first[hosts()[0] as 'a' | 'b' | 'c']++;
    for (const count of Object.values(first)) expect(count).toBeGreaterThan(70);
  });

  it('has known brokers before bootstrap servers, each address once', () => {
    const { metadata, hosts } = rig();
    metadata.brokers.set(5, { nodeId: 5, host: 'x', port: 9092, rack: null });
    metadata.brokers.set(6, { nodeId: 6, host: 'b', port: 9092, rack: null });
    expect(hosts()).toBe('xbac');
  });

  it('has what failed last, those in doubt before that, and those that are preferred first among equals', () => {
    const { candidates, hosts } = rig();
    candidates.failed('a:9092');
    candidates.doubt('b:9092');
    expect(hosts()).toBe('cba');
    candidates.succeeded('a:9092');
    expect(hosts()).toBe('acb');
    expect(hosts((address) => address === 'c:9092')).toBe('cab');
    expect(hosts((address) => address === 'b:9092')).toBe('acb');
  });
});

it('a failure is held against a broker for a minute, a doubt for half of that', () => {
  const { candidates, hosts, clock } = rig();
  candidates.failed('a:9092');
  candidates.doubt('b:9092');
  clock.now = 30_000;
  expect(hosts()).toBe('bca');
  clock.now = 60_000;
  expect(hosts()).toBe('abc');
});

it('an IPv6 address is said with brackets, as bootstrapServers takes it', () => {
  expect(addressOf({ host: '::1', port: 9092 })).toBe('[::1]:9092');
  expect(addressOf({ host: 'kafka', port: 9092 })).toBe('kafka:9092');
});
