import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { run } from '../cli/run.ts';
import { CODECS, HEADER, PRODUCERS, records } from './records.ts';

// Segment files of a real broker, written by other people's producers: see make.ts.
const file = (producer: string, codec: string): string =>
  join(import.meta.dirname, 'captured', `${producer}-${codec}-0`, '00000000000000000000.log');

afterEach(() => {
  vi.unstubAllEnvs();
});

interface Printed {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
  readonly value: string;
  readonly headers: readonly [string, string][];
}

test.each(
  PRODUCERS.flatMap((producer) =>
    ['', '1'].map((pure) => ({ producer, pure, codecs: pure === '1' ? 'pure' : 'native' })),
  ),
)(
  'samsa dump shows what $producer produced, in each codec ($codecs)',
  { timeout: 30_000 },
  async ({ producer, pure }) => {
    vi.stubEnv('SAMSA_PURE', pure); // the command inherits it
    const files = CODECS.map((codec) => file(producer, codec));
    const { code, stdout, errors } = await run('dump', '--deep', ...files);
    expect({ code, errors }).toEqual({ code: 0, errors: [] });
    const lines = stdout.split('\n');
    const printed = lines.filter((line) => line.startsWith('  ')).map((line) => JSON.parse(line) as Printed);
    const expected = CODECS.flatMap((codec) =>
      records.map(({ key, value }, offset) => {
        const topic = `${producer}-${codec}`;
        return { topic, partition: 0, offset, key, value, headers: [[HEADER, producer]] };
      }),
    );
    expect(
      printed.map(({ topic, partition, offset, key, value, headers }) => ({
        topic,
        partition,
        offset,
        key,
        value,
        headers,
      })),
    ).toEqual(expected);
    const batches = lines.filter((line) => line.startsWith('position='));
    expect(batches.every((line) => line.endsWith(' ok'))).toBe(true);
    expect(new Set(batches.map((line) => /compression=(\w+)/.exec(line)?.[1]))).toEqual(new Set(CODECS));
  },
);
