import { ConfigError } from '../errors.ts';

export interface Server {
  host: string;
  port: number;
}

const TAKES = "bootstrapServers takes 'host:port', several with commas between or as an array";

/** `host:port`, `[::1]:9092`, `host` (port 9092), `PLAINTEXT://host:9092`, lists of them, also with a comma at the end. Throws ConfigError. */
export function parseServers(value: unknown): Server[] {
  const list: unknown[] = typeof value === 'string' ? value.split(',') : Array.isArray(value) ? value : [];
  // Java takes lists with empty entries, and nothing but them for no list at all.
  const entries = typeof value === 'string' ? list.filter((each) => String(each).trim() !== '') : list;
  const servers = entries.map(parseServer);
  if (servers.length === 0) throw new ConfigError(value === undefined ? `${TAKES}; it is missing` : TAKES);
  return servers;
}

function parseServer(value: unknown): Server {
  const text = typeof value === 'string' ? value.trim() : '';
  const match = /^(?:PLAINTEXT:\/\/)?(?:\[([0-9a-fA-F:.]+)\]|([^\s:/[\]]+))(?::(\d{1,5}))?$/i.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3] ?? 9092);
  if (host === undefined || port < 1 || port > 65535) throw new ConfigError(`${TAKES}, not '${String(value)}'`);
  return { host, port };
}
