import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

// The dependency rule of ARCHITECTURE.md. It is never edited to let a change pass: a new edge is a decision of its own.

const SRC = fileURLToPath(new URL('../src/', import.meta.url));

/** Folder (or file of the root) → what it may import from, besides itself. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  'errors.ts': [],
  'backoff.ts': [],
  'version.ts': [],
  protocol: ['errors.ts'],
  network: ['errors.ts', 'backoff.ts', 'protocol'],
  group: ['errors.ts', 'backoff.ts', 'protocol'],
  fetch: ['errors.ts', 'backoff.ts', 'protocol'],
  commit: ['errors.ts', 'backoff.ts', 'protocol'],
  testing: ['errors.ts', 'protocol'],
  client: ['errors.ts', 'backoff.ts', 'version.ts', 'protocol', 'network', 'group', 'fetch', 'commit'],
  'index.ts': ['errors.ts', 'version.ts', 'protocol', 'client', 'fetch'],
  cli: ['index.ts', 'protocol', 'testing'],
};

/** Packages and Node modules that a folder may use. Sockets are opened in network and nowhere else. */
const MAY_USE: Record<string, readonly string[]> = {
  protocol: ['long', 'crc-32', 'node:zlib', 'node:module', 'node:util'],
  network: ['node:net', 'node:dns'],
  client: ['long', 'node:events'],
  // Its listeners are a broker's: the only sockets besides network's.
  testing: ['node:net', 'node:events', 'node:fs/promises', 'node:module', 'node:zlib', 'long', 'crc-32', 'snappyjs'],
};

const CLOCKLESS = ['protocol', 'group', 'fetch', 'commit'];

interface Import {
  file: string;
  from: string;
  target: string;
}

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
const imports = files.flatMap(importsOf);

function importsOf(file: string): Import[] {
  const text = readFileSync(join(SRC, file), 'utf8');
  const found = text.matchAll(
    /^(?:import|export)\s[^;]*?from '([^']+)'|^import '([^']+)'|\bimport\('([^']+)'\)|\brequire\('([^']+)'\)/gm,
  );
  return [...found].map((match) => {
    const target = match[1] ?? match[2] ?? match[3] ?? match[4] ?? '';
    const path = target.startsWith('.') ? relative(SRC, join(SRC, dirname(file), target)) : target;
    return { file, from: layerOf(file), target: path };
  });
}

function layerOf(path: string): string {
  return path.split(/[\\/]/)[0] ?? path;
}

function isOurs({ target }: Import): boolean {
  return target.endsWith('.ts');
}

describe('layers', () => {
  it('finds the imports at all', () => {
    expect(files.length).toBeGreaterThan(50);
    expect(imports.filter(isOurs).length).toBeGreaterThan(100);
  });

  it('knows every folder', () => {
    const unknown = new Set(files.map(layerOf).filter((layer) => !(layer in MAY_IMPORT)));
    expect([...unknown]).toEqual([]);
  });

  it('imports one way only', () => {
    const wrong = imports.filter(isOurs).filter(({ from, target }) => {
      const to = layerOf(target);
      return to !== from && MAY_IMPORT[from]?.includes(to) !== true;
    });
    expect(wrong.map(({ file, target }) => `${file} → ${target}`)).toEqual([]);
  });

  it('uses packages and Node modules where they belong', () => {
    const wrong = imports
      .filter((each) => !isOurs(each) && !each.target.startsWith('.'))
      .filter(({ from }) => from !== 'cli')
      .filter(
        ({ from, target }) => MAY_USE[from]?.some((name) => target === name || target.startsWith(`${name}/`)) !== true,
      );
    expect(wrong.map(({ file, target }) => `${file} uses ${target}`)).toEqual([]);
  });

  it('keeps clocks, timers, chance and promises out of the machines', () => {
    const wrong = files
      .filter((file) => CLOCKLESS.includes(layerOf(file)))
      .filter((file) => {
        const code = readFileSync(join(SRC, file), 'utf8').replace(/\/\*[^]*?\*\/|\/\/.*$/gm, '');
        return /\b(setTimeout|setInterval|setImmediate|Date\.now|new Date|performance\.|Math\.random|async |await |Promise\b)/.test(
          code,
        );
      });
    expect(wrong).toEqual([]);
  });

  it('keeps files short enough to be read', () => {
    const long = files.filter((file) => readFileSync(join(SRC, file), 'utf8').split('\n').length > 400);
    expect(long).toEqual([]);
  });
});
