import { rmSync } from 'node:fs';

/** The little of SQLite that the example needs. */
export interface Database {
  exec(sql: string): void;
  run(sql: string, values: (string | number | null)[]): void;
  /** The first row, as an array of its columns; undefined for none. */
  first(sql: string, values: (string | number | null)[]): unknown[] | undefined;
  close(): void;
}

/** Node's own SQLite where it has one (22.5 and newer), else a build of it for WebAssembly, which needs no native code either. */
export async function openDatabase(path: string): Promise<Database> {
  return (await openBuiltIn(path)) ?? (await openWasm(path));
}

interface BuiltIn {
  DatabaseSync: new (path: string) => {
    exec(sql: string): void;
    prepare(sql: string): {
      run(...values: unknown[]): unknown;
      get(...values: unknown[]): Record<string, unknown> | undefined;
    };
    close(): void;
  };
}

async function openBuiltIn(path: string): Promise<Database | null> {
  const name = 'node:sqlite'; // not a literal: the types of Node 20 do not know it
  const sqlite = (await import(name).catch(() => null)) as BuiltIn | null;
  if (sqlite === null) return null;
  const database = new sqlite.DatabaseSync(path);
  return {
    exec: (sql) => database.exec(sql),
    run: (sql, values) => void database.prepare(sql).run(...values),
    first: (sql, values) => columnsOf(database.prepare(sql).get(...values)),
    close: () => database.close(),
  };
}

async function openWasm(path: string): Promise<Database> {
  const { default: sqlite } = await import('node-sqlite3-wasm');
  // Its lock is a directory, which outlives a process that is killed. This example has one process to a database.
  rmSync(`${path}.lock`, { recursive: true, force: true });
  const database = new sqlite.Database(path);
  return {
    exec: (sql) => database.exec(sql),
    run: (sql, values) => void database.run(sql, values),
    first: (sql, values) => columnsOf(database.get(sql, values)),
    close: () => database.close(),
  };
}

function columnsOf(row: object | null | undefined): unknown[] | undefined {
  return row === null || row === undefined ? undefined : Object.values(row);
}
