/*
 * Makes the frames beside this file with the tools `lz4` and `zstd` (1.9.4 and 1.5.4 made those that are kept):
 *
 *   npx tsx test/protocol/records/frames/make.ts
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { samples } from '../samples.ts';

/** Options by the name that they get in the file's; `-` for content that comes through a pipe, so that its size is not known. */
const VARIANTS: Record<'lz4' | 'zstd', Record<string, string[]>> = {
  lz4: {
    independent: ['-1', '-B4', '-BI', '--no-frame-crc'],
    linked: ['-1', '-B4', '-BD'],
    checked: ['-9', '-B4', '-BI', '-BX', '--content-size'],
    large: ['-9', '-B7', '-BD', '--no-frame-crc', '--content-size'],
  },
  zstd: {
    fast: ['--fast=3', '--no-check'],
    level1: ['-1', '--check'],
    level3: ['-3', '--no-check', '-'],
    level19: ['-19', '--check', '-'],
    level22: ['--ultra', '-22', '--long=27', '--no-check', '-'],
  },
};

const directory = mkdtempSync(join(tmpdir(), 'frames-'));
for (const [sample, content] of Object.entries(samples)) {
  for (const [tool, variants] of Object.entries(VARIANTS)) {
    for (const [variant, options] of Object.entries(variants)) {
      const source = join(directory, sample);
      const target = join(directory, 'frame');
      writeFileSync(source, content);
      if (options.includes('-')) {
        const piped = execFileSync(tool, [...options, '-c', '-q'], { input: content, maxBuffer: 1 << 24 });
        writeFileSync(target, piped);
      } else execFileSync(tool, [...options, '-q', '-f', source, ...(tool === 'zstd' ? ['-o', target] : [target])]);
      const name = `${sample}.${variant}.${tool === 'lz4' ? 'lz4' : 'zst'}`;
      writeFileSync(new URL(name, import.meta.url), readFileSync(target));
    }
  }
}
rmSync(directory, { recursive: true });
