import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

/** The test files of a folder that import a module of this name, themselves or by way of a file beside them. */
export function filesThatUse(moduleName: string, folder: string): string[] {
  const files = readdirSync(folder).filter((file) => file.endsWith('.ts'));
  const imports = new Map(files.map((file) => [file, importsOf(join(folder, file))]));
  const uses = (file: string, seen: readonly string[] = []): boolean =>
    (imports.get(file) ?? []).some(
      (each) => each === moduleName || (!seen.includes(each) && uses(each, [...seen, each])),
    );
  return files.filter((file) => file.endsWith('.test.ts') && uses(file)).map((file) => `${folder}/${file}`);
}

/** Without their folders. */
function importsOf(path: string): string[] {
  return [...readFileSync(path, 'utf8').matchAll(/from '(\.[^']+)'/g)].map(([, module = '']) => basename(module));
}
