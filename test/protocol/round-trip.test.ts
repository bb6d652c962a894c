import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { APIS } from '../../src/protocol/apis.ts';
import { difference } from '../conformance/fields.ts';
import type { Vector } from '../conformance/messages.ts';
import { messageArbitrary } from './message-arbitrary.ts';
import { casesOf, NAMES, type MessageCase } from './message-vectors.ts';

// Any message of any version: what decoding gives is what was encoded, and encodes to the same bytes.

const RUNS = 60;

interface Group {
  kind: Vector['kind'];
  version: number;
  cases: MessageCase[];
}

function groupsOf(name: string): Group[] {
  const groups = new Map<string, Group>();
  for (const one of casesOf(name)) {
    const { kind, version } = one.vector;
    const group = groups.get(`${kind} ${version}`) ?? { kind, version, cases: [] };
    groups.set(`${kind} ${version}`, group);
    group.cases.push(one);
  }
  return [...groups.values()];
}

describe.each(NAMES)('%s', (name) => {
  const groups = groupsOf(name);

  test.each(groups.map((group) => ({ title: `${group.kind} v${group.version}`, cases: group.cases })))(
    'encode, decode, encode: $title',
    ({ cases }) => {
      const [first] = cases;
      if (first === undefined) throw new Error('no vectors');
      const { codec } = first;
      fc.assert(
        fc.property(messageArbitrary(cases), (message) => {
          const bytes = codec.encode(message);
          const decoded = codec.decode(bytes);
          const lost = difference(decoded, message);
          if (lost !== null) throw new Error(lost);
          if (!codec.encode(decoded).equals(bytes)) throw new Error('other bytes the second time');
        }),
        { numRuns: RUNS },
      );
    },
  );
});

test.each(APIS.map(({ name, minVersion, maxVersion }) => ({ name, minVersion, maxVersion })))(
  'every version of $name was among them',
  ({ name, minVersion, maxVersion }) => {
    const all = Array.from({ length: maxVersion - minVersion + 1 }, (_, i) => minVersion + i);
    for (const kind of ['request', 'response']) {
      const seen = groupsOf(name).filter((group) => group.kind === kind);
      expect(
        seen.map(({ version }) => version),
        kind,
      ).toEqual(all);
    }
  },
);
