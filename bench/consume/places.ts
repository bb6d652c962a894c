import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..');

export const PACKAGE = ROOT;
/** What benches compile and keep between runs. */
export const BUILD = join(ROOT, '.cache', 'bench');
/** The broker's data: topics are filled once. */
export const KAFKA = join(BUILD, 'kafka');
export const PEERS = join(ROOT, 'bench', 'peers');
export const RESULTS = join(ROOT, 'bench', 'results');
