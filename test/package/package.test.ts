import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { VERSION } from '../../src/version.ts';
import { isBuilt, ROOT } from '../harness/built.ts';

interface Packed {
  filename: string;
  files: { path: string }[];
}

// What a user gets: the packed tarball, unpacked next to its dependencies, imported by its public names.
describe('the package', () => {
  const folder = mkdtempSync(join(tmpdir(), 'samsa-package-'));
  let files: string[] = [];

  beforeAll(() => {
    const options = {
      cwd: ROOT,
      encoding: 'utf8' as const,
      stdio: ['ignore', 'pipe', 'ignore'] as ['ignore', 'pipe', 'ignore'],
    };
    if (!isBuilt()) execFileSync('npm', ['run', 'build'], options); // else under the feet of tests that run it
    const output = execFileSync('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], options);
    const [packed] = Object.values(JSON.parse(output) as Record<string, Packed>);
    if (packed === undefined) throw new Error('npm pack has packed nothing');
    files = packed.files.map(({ path }) => path);
    mkdirSync(join(folder, 'node_modules'));
    execFileSync('tar', ['-xf', join(folder, packed.filename), '-C', join(folder, 'node_modules')]);
    execFileSync('mv', [join(folder, 'node_modules/package'), join(folder, 'node_modules/samsa')]);
    for (const name of ['long', 'crc-32'])
      execFileSync('ln', ['-s', join(ROOT, 'node_modules', name), join(folder, 'node_modules', name)]);
  }, 120_000);

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const run = (code: string): string => {
    const file = join(folder, 'user.mjs');
    writeFileSync(file, code);
    return execFileSync(process.execPath, [file], { cwd: folder, encoding: 'utf8' });
  };

  it('holds what is built and nothing of the workshop', () => {
    expect(files).toContain('dist/index.js');
    expect(files).toContain('dist/index.d.ts');
    expect(files).toContain('LICENSE');
    expect(files).toContain('docs/testing.md'); // README and `samsa mock --help` send one there
    expect(
      files.filter(
        (path) => !/^(dist\/|docs\/\w+(-\w+)*\.md$|LICENSE$|README\.md$|CHANGELOG\.md$|package\.json$)/.test(path),
      ),
    ).toEqual([]);
  });

  it('exports the consumer and the errors', () => {
    expect(
      JSON.parse(run(`import * as samsa from 'samsa'; console.log(JSON.stringify(Object.keys(samsa).sort()));`)),
    ).toMatchSnapshot();
  });

  it('exports the protocol without the consumer', () => {
    const names = JSON.parse(
      run(`import * as all from 'samsa/protocol'; console.log(JSON.stringify(Object.keys(all)));`),
    ) as string[];
    expect(names).toContain('joinGroup');
    expect(names).toContain('WireBatchReader');
    expect(names).not.toContain('Consumer');
  });

  it('has one class for an error, wherever it is imported from', () => {
    const code = `import { ProtocolError as one } from 'samsa'; import { ProtocolError as other } from 'samsa/protocol';
      console.log(one === other);`;
    expect(run(code)).toBe('true\n');
  });

  it('exports tools for tests', () => {
    const code = `import { encodeRecordBatch } from 'samsa/testing'; import { WireBatch } from 'samsa/protocol';
      console.log(new WireBatch(encodeRecordBatch([{ value: 'a' }, { value: 'b' }]), 0).recordCount);`;
    expect(run(code)).toBe('2\n');
  });

  it('works without the optional accelerators', () => {
    expect(
      run(
        `import { crc32c, crc32cImplementation } from 'samsa/protocol'; console.log(crc32cImplementation(), crc32c(Buffer.from('123456789'), 0, 9).toString(16));`,
      ),
    ).toBe('pure e3069283\n');
  });

  it('says its version', () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
    expect(VERSION).toBe(version);
  });
});
