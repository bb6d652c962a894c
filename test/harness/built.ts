import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '..', '..');

/** Whether `dist/` is what `npm run build` would make of the source as it is. */
export function isBuilt(): boolean {
  const built = statSync(join(ROOT, 'dist', 'cli', 'main.js'), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' });
  return sources.every((name) => statSync(join(ROOT, 'src', name)).mtimeMs <= built);
}
