import { createRequire } from 'node:module';

/**
 * An optional native package, or `null` where it is not installed, has no binary for this machine, or `SAMSA_PURE=1`
 * asks for JavaScript alone. Callers choose once, in a module constant, so that one process never mixes both.
 */
export function loadAccelerator<T>(name: string): T | null {
  if (process.env['SAMSA_PURE'] === '1') return null;
  try {
    return createRequire(import.meta.url)(name) as T; // an npm package's shape cannot be checked here, only named
  } catch {
    // Whatever keeps a native module from loading (absent, wrong libc, refused by policy), the pure path does the same work.
    return null;
  }
}
