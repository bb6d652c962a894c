import { createRequire } from 'node:module';

/**
 * A value that is made when it is first wanted, and then stays: a consumer without snappy topics need not wait for snappy at its
 * start, and one with a native CRC not for the tables of the other.
 */
export function lazily<T>(make: () => T): () => T {
  let made: { value: T } | null = null;
  return () => (made ??= { value: make() }).value;
}

/** A way to a package of CommonJS, loaded when it is first wanted. */
export function required<T>(name: string): () => T {
  return lazily(() => createRequire(import.meta.url)(name) as T); // an npm package's shape cannot be checked here, only named
}

/** The same to an optional native one. What it gives is chosen once, so that one process never mixes both; see `loadAccelerator`. */
export function accelerator<T>(name: string): () => T | null {
  return lazily(() => loadAccelerator<T>(name));
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
