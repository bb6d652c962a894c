import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..');

export const PACKAGE = ROOT;
/** What benches compile and keep between runs. */
export const BUILD = join(ROOT, '.cache', 'bench');
export const PEERS = join(ROOT, 'bench', 'peers');
export const RESULTS = join(ROOT, 'bench', 'results');
