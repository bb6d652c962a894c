import { createRequire } from 'node:module';

/**
 * A way to an optional native package that loads it when it is first wanted: a consumer without snappy topics need not wait for
 * snappy at its start. What it gives is chosen once, so that one process never mixes both; see `loadAccelerator`.
 */
export function accelerator<T>(name: string): () => T | null {
  let loaded: T | null | undefined;
  return () => (loaded === undefined ? (loaded = loadAccelerator<T>(name)) : loaded);
}

/**
 * An optional native package, or `null` where it is not installed, has no binary for this machine, or `SAMSA_PURE=1`
 * asks for JavaScript alone.
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
