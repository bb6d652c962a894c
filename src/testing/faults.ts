import { ConfigError } from '../errors.ts';
import { APIS } from '../protocol/apis.ts';
import { ERROR_CODES, type ErrorName } from '../protocol/error-codes.ts';
import type { Random } from './random.ts';

/** A request as faults, and who listens to `'request'`, see it. */
export interface RequestInfo {
  /** Kafka's name, such as `'Fetch'`. */
  readonly api: string;
  readonly version: number;
  /** Node id of the broker that got it. */
  readonly broker: number;
  /** Counts the cluster's connections from 1 on. */
  readonly connection: number;
  readonly clientId: string;
  /** The decoded request, with the schema's field names. */
  readonly body: unknown;
  /** The partitions that it is about; those of its fetch session too. */
  readonly partitions: readonly { readonly topic: string; readonly partition: number }[];
  /** The groups that it is about. */
  readonly groups: readonly string[];
}

/** Which requests a fault is for. What is left out matches all. */
export interface FaultMatch {
  api?: string | readonly string[];
  /** Node id. */
  broker?: number;
  connection?: number;
  clientId?: string | RegExp;
  /** Requests about this topic; an error code then hits this topic's partitions and no others. */
  topic?: string;
  /** With `topic`. */
  partition?: number;
  group?: string;
  /** Anything else. */
  where?: (request: RequestInfo) => boolean;
  /** Let so many of these requests pass first. Default 0. */
  after?: number;
  /** Then hit so many. Default 1, and for `delay` and `throttle` all until it is removed. */
  times?: number;
  /** Hit each of them with this probability, by the cluster's seed. Default 1. */
  probability?: number;
}

/** What happens to them; several at once are possible. */
export interface FaultEffect {
  /** The answer says this, by Kafka's name or number. */
  errorCode?: ErrorName | number;
  /** `'arrival'`: instead of handling the request. `'answer'`: it is handled, then the error, or the closed connection, comes in place of the answer. */
  on?: 'arrival' | 'answer';
  /** Close the connection instead of answering. */
  drop?: boolean;
  /** Send so many bytes of the answer, then close the connection. */
  cut?: number;
  /** Never answer this request; the connection stays open, and stuck. */
  silent?: boolean;
  /** Answer so many milliseconds later. */
  delayMs?: number;
  /** Say so in the answer, and read nothing from the connection for so long (KIP-219). */
  throttleTimeMs?: number;
  /** Send the answer twice. */
  duplicate?: boolean;
  /** Send this instead; it may change what it gets and give it back. Null: never answer. */
  answer?: (response: never, request: RequestInfo) => unknown;
}

export type FaultOptions = FaultMatch & FaultEffect;

/** One fault that was added. */
export interface Fault {
  /** How often it has struck. */
  readonly hits: number;
  /** Settles when it has struck so many times in all. Rejects when the cluster is closed before. */
  untilHit(times?: number): Promise<void>;
  remove(): void;
}

/** The effects of all faults that a request has met. */
export interface Strike {
  readonly effects: readonly FaultEffect[];
  /** What `errorCode` says of a partition, 0 for nothing. */
  readonly errorFor: (topic: string | null, partition: number) => number;
}

const API_NAMES = new Set(APIS.map(({ name }) => name));
export const NO_STRIKE: Strike = { effects: [], errorFor: () => 0 };

/** All faults of a cluster. */
export class Faults {
  readonly #random: Random;
  readonly #faults = new Set<ActiveFault>();

  constructor(random: Random) {
    this.#random = random;
  }

  /** @throws ConfigError for the name of an API or error code that does not exist */
  add(options: FaultOptions): Fault {
    const fault = new ActiveFault(checked(options), () => this.#faults.delete(fault));
    this.#faults.add(fault);
    return fault;
  }

  /** Takes all away. */
  clear(): void {
    for (const fault of [...this.#faults]) fault.remove();
  }

  close(): void {
    for (const fault of [...this.#faults]) fault.abandon();
    this.#faults.clear();
  }

  /** What befalls a request that has arrived; counts it. */
  strike(request: RequestInfo): Strike {
    if (this.#faults.size === 0) return NO_STRIKE;
    const struck: FaultOptions[] = [];
    for (const fault of [...this.#faults]) if (fault.strikes(request, this.#random)) struck.push(fault.options);
    if (struck.length === 0) return NO_STRIKE;
    return { effects: struck, errorFor: (topic, partition) => errorFor(struck, topic, partition) };
  }
}

/** By name or number. */
export function errorCodeFrom(errorCode: ErrorName | number): number {
  if (typeof errorCode === 'number') return errorCode;
  const code = (ERROR_CODES as Record<string, number>)[errorCode];
  if (code === undefined) throw new ConfigError(`errorCode '${String(errorCode)}': Kafka has no error of this name`);
  return code;
}

function errorFor(struck: readonly FaultOptions[], topic: string | null, partition: number): number {
  for (const fault of struck) {
    if (fault.errorCode === undefined || fault.on === 'answer') continue;
    if (fault.topic !== undefined && fault.topic !== topic) continue;
    if (fault.partition !== undefined && fault.partition !== partition) continue;
    return errorCodeFrom(fault.errorCode);
  }
  return 0;
}

function checked(options: FaultOptions): FaultOptions {
  for (const name of namesOf(options.api) ?? []) {
    if (!API_NAMES.has(name)) {
      throw new ConfigError(`api '${name}': there is no such API here; it takes ${[...API_NAMES].sort().join(', ')}`);
    }
  }
  if (options.errorCode !== undefined) errorCodeFrom(options.errorCode);
  if (options.partition !== undefined && options.topic === undefined) {
    throw new ConfigError('partition: of which topic? It takes a topic as well');
  }
  return options;
}

function namesOf(api: FaultMatch['api']): readonly string[] | undefined {
  return typeof api === 'string' ? [api] : api;
}

class ActiveFault implements Fault {
  readonly options: FaultOptions;
  readonly #onEnd: () => void;
  #toPass: number;
  #waiting: { times: number; resolve: () => void; reject: (error: Error) => void }[] = [];
  hits = 0;

  constructor(options: FaultOptions, onEnd: () => void) {
    this.options = options;
    this.#onEnd = onEnd;
    this.#toPass = options.after ?? 0;
  }

  strikes(request: RequestInfo, random: Random): boolean {
    if (!this.#matches(request)) return false;
    if (this.#toPass > 0) {
      this.#toPass--;
      return false;
    }
    if (this.options.probability !== undefined && random.next() >= this.options.probability) return false;
    this.hits++;
    if (this.hits >= (this.options.times ?? 1)) this.remove();
    this.#waiting = this.#waiting.filter(({ times, resolve }) => {
      if (times <= this.hits) resolve();
      return times > this.hits;
    });
    return true;
  }

  async untilHit(times = 1): Promise<void> {
    if (this.hits >= times) return;
    await new Promise<void>((resolve, reject) => this.#waiting.push({ times, resolve, reject }));
  }

  remove(): void {
    this.#onEnd();
  }

  abandon(): void {
    for (const { reject } of this.#waiting.splice(0))
      reject(new Error(`the fault has struck ${this.hits} times, then the cluster was closed`));
  }

  #matches(request: RequestInfo): boolean {
    const { api, broker, connection, clientId, topic, partition, group, where } = this.options;
    if (api !== undefined && namesOf(api)?.includes(request.api) !== true) return false;
    if (broker !== undefined && broker !== request.broker) return false;
    if (connection !== undefined && connection !== request.connection) return false;
    if (typeof clientId === 'string' ? clientId !== request.clientId : clientId?.test(request.clientId) === false)
      return false;
    if (group !== undefined && !request.groups.includes(group)) return false;
    if (topic !== undefined) {
      const isAbout = request.partitions.some(
        (each) => each.topic === topic && (partition === undefined || partition === each.partition),
      );
      if (!isAbout) return false;
    }
    return where?.(request) ?? true;
  }
}
