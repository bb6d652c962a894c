import dns, { type LookupAddress } from 'node:dns';
import net, { type LookupFunction } from 'node:net';

/** A host with several addresses has so many tries within the time for connecting; Node gives each 250 ms, too little for a far broker. */
const TRIES_PER_CONNECT = 10;
const LEAST_TRY_MS = 250;
/** By default Linux asks after two hours; what lies between forgets an idle connection after some minutes (Azure: four). */
const KEEP_ALIVE_MS = 60_000;

export interface SocketOptions {
  host: string;
  port: number;
  connectTimeoutMs: number;
  addressesTried: number;
  onread: net.OnReadOpts;
}

/**
 * Connects to the first address of `host` that takes the connection; all are tried, in the resolver's order, those that were tried
 * before last: what listens at an address may be wrong although it accepts connections.
 */
export function openSocket({ host, port, connectTimeoutMs, addressesTried, onread }: SocketOptions): net.Socket {
  return net.connect({
    host,
    port,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_MS,
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: Math.max(LEAST_TRY_MS, Math.round(connectTimeoutMs / TRIES_PER_CONNECT)),
    lookup: rotatedLookup(addressesTried),
    onread,
  });
}

function rotatedLookup(addressesTried: number): LookupFunction {
  return (host, options, callback) => {
    dns.lookup(host, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
      if (error !== null) return callback(error, []);
      const from = addressesTried % Math.max(1, addresses.length);
      callback(null, [...addresses.slice(from), ...addresses.slice(0, from)]);
    });
  };
}

/** What went wrong, in words. */
export function reasonOf(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'ECONNREFUSED':
      return 'connection refused: nothing listens on that port';
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'host name not found';
    case 'ECONNRESET':
      return 'connection reset by the other side';
    case 'ETIMEDOUT':
      return 'connection timed out';
    case undefined:
      // What autoSelectFamily gives when every address failed: an AggregateError without a code of its own.
      return error instanceof AggregateError
        ? error.errors.map((each: Error) => each.message).join('; ')
        : error.message;
    default:
      return error.message;
  }
}
