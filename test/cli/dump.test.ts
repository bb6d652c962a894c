import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeRecordBatch } from '../../src/testing/record-batch-writer.ts';
import { run } from './run.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'samsa-dump-'));
  await mkdir(join(folder, 'orders-3'));
});
afterAll(() => rm(folder, { recursive: true }));

const FIRST = encodeRecordBatch([{ key: 'a', value: 'one' }, { value: null }], { baseOffset: 40, timestamp: 1000 });
const SECOND = encodeRecordBatch([{ value: 'three', headers: [['h', 'x']] }], {
  baseOffset: 42,
  timestamp: 2000,
  compression: 'gzip',
});

async function segment(...parts: Buffer[]): Promise<string> {
  const path = join(folder, 'orders-3', '00000000000000000040.log');
  await writeFile(path, Buffer.concat(parts));
  return path;
}

/** A bit of the last value turned over. */
function damaged(batch: Buffer): Buffer {
  const copy = Buffer.from(batch);
  copy.writeUInt8(copy.readUInt8(copy.length - 2) ^ 1, copy.length - 2);
  return copy;
}

describe('samsa dump', { timeout: 30_000 }, () => {
  test('a line a batch, with where it is and what its header says', async () => {
    const { code, stdout, errors } = await run('dump', await segment(FIRST, SECOND));
    const lines = stdout.split('\n');
    expect(lines).toHaveLength(3);
    expect(lines[0]).toMatch(
      new RegExp(`^position=0 bytes=${FIRST.length} offsets=40\\.\\.41 records=2 magic=2 compression=none .* ok$`),
    );
    expect(lines[1]).toMatch(
      new RegExp(
        `^position=${FIRST.length} bytes=${SECOND.length} offsets=42\\.\\.42 records=1 .*compression=gzip.* ok$`,
      ),
    );
    expect({ code, errors }).toEqual({ code: 0, errors: [] });
  });

  test('--deep: the records, as consume prints them', async () => {
    const path = await segment(FIRST, SECOND);
    const { stdout } = await run('dump', path, '--deep');
    const records = stdout.split('\n').filter((line) => line.startsWith('  '));
    expect(records.map((line) => JSON.parse(line) as unknown)).toEqual([
      { topic: 'orders', partition: 3, offset: 40, timestamp: 1000, key: 'a', value: 'one', headers: [] },
      { topic: 'orders', partition: 3, offset: 41, timestamp: 1000, key: null, value: null, headers: [] },
      { topic: 'orders', partition: 3, offset: 42, timestamp: 2000, key: null, value: 'three', headers: [['h', 'x']] },
    ]);
    const short = await run('dump', path, '--deep', '-f', '%o %s\\n');
    expect(short.stdout).toContain('  40 one\n  41 \n');
  });

  test('a damaged batch is told, and the others are printed', async () => {
    const { code, stdout, errors } = await run('dump', await segment(damaged(FIRST), SECOND));
    expect(stdout).toMatch(
      /^position=0 .* DAMAGED: orders-3: batch at offset 40.*CRC-32C is 0x.*\n.*offsets=42.* ok\n$/,
    );
    expect({ code, errors }).toEqual({ code: 1, errors: ['samsa: 1 damaged batch'] });
  });

  test('a cut-off end and zeros ahead are no damage', async () => {
    const cut = await run('dump', await segment(FIRST, SECOND.subarray(0, 50)));
    expect(cut.stdout).toContain(
      `position=${FIRST.length} bytes=50 cut off, ${SECOND.length - 50} more bytes announced\n`,
    );
    const ahead = await run('dump', await segment(FIRST, Buffer.alloc(100_000)));
    expect(ahead.stdout).toContain(`position=${FIRST.length} bytes=100000 allocated and not yet written\n`);
    expect([cut.code, ahead.code]).toEqual([0, 0]);
  });

  test('a file that is no segment is damaged from its beginning', async () => {
    const text = await run('dump', await segment(Buffer.from('this is no segment, whatever its name')));
    expect(text.stdout).toBe('position=0 bytes=37 DAMAGED: no batch begins here; no batch follows\n');
    const negative = await run('dump', await segment(Buffer.alloc(61, 0xff)));
    expect(negative.stdout).toBe('position=0 bytes=61 DAMAGED: no batch begins here; no batch follows\n');
    expect([text.code, negative.code]).toEqual([1, 1]);
  });

  test.each([
    ['beyond the file', (batch: Buffer) => batch.writeInt32BE(0x00ffffff, 8)],
    ['over the next batch', (batch: Buffer) => batch.writeInt32BE(batch.length - 12 + SECOND.length, 8)],
    ['too short', (batch: Buffer) => batch.writeInt32BE(batch.length - 30, 8)],
    ['negative', (batch: Buffer) => batch.writeInt32BE(-5, 8)],
  ])('a damaged length (%s) hides no batch after it', async (_, damage) => {
    const batch = Buffer.from(FIRST);
    damage(batch);
    const last = encodeRecordBatch([{ value: 'four' }], { baseOffset: 43, timestamp: 3000 });
    const { code, stdout } = await run('dump', await segment(batch, SECOND, last));
    const lines = stdout.split('\n').slice(0, -1);
    expect(lines.filter((line) => line.endsWith(' ok')).map((line) => / offsets=(\d+)/.exec(line)?.[1])).toEqual([
      '42',
      '43',
    ]);
    expect(lines[0]).toContain('DAMAGED');
    expect(code).toBe(1);
  });

  test('a damaged base offset is told, and the batches after it are printed', async () => {
    const third = encodeRecordBatch([{ value: 'four' }], { baseOffset: 43, timestamp: 3000 });
    const back = Buffer.from(SECOND);
    back.writeBigInt64BE(3n, 0);
    const { code, stdout } = await run('dump', await segment(FIRST, back, third));
    const position = FIRST.length + SECOND.length;
    expect(stdout).toContain(`DAMAGED: no batch begins here; the next batch is at position ${position}\n`);
    expect(stdout.match(/ ok\n/g)).toHaveLength(2);
    expect(code).toBe(1);
  });

  test('no file, a folder, a wrong option: one line', async () => {
    const results = await Promise.all([
      run('dump', join(folder, 'nowhere.log')),
      run('dump', folder),
      run('dump'),
      run('dump', 'x.log', '-f', 'json'),
    ]);
    expect(results.map(({ code }) => code)).toEqual([1, 1, 2, 2]);
    for (const { errors } of results) expect(errors).toHaveLength(1);
    expect(results[0]?.errors[0]).toMatch(/^samsa: cannot read .*nowhere\.log: ENOENT/);
  });
});
