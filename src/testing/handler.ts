import type { Api } from '../protocol/api.ts';
import type { Broker } from './broker.ts';
import type { Cluster } from './cluster.ts';
import type { ClientConnection } from './client-connection.ts';

/** What a handler knows besides the request. */
export interface RequestContext {
  readonly cluster: Cluster;
  /** Who got the request. */
  readonly broker: Broker;
  readonly connection: ClientConnection;
  readonly version: number;
  readonly clientId: string;
  /** The error code that a fault has in store for a partition; 0 for none. */
  readonly errorFor: (topic: string | null, partition: number) => number;
}

/** What the cluster does with the requests of one API. */
export interface Handler<Req, Res> {
  readonly api: Api<Req, Res>;
  /** Where it does not do all that the codec knows. */
  readonly maxVersion?: number;
  readonly minVersion?: number;
  /** Null: there is no answer to this request. */
  handle(request: Req, context: RequestContext): Res | null | Promise<Res | null>;
  /**
   * An answer that is nothing but this error. Null where errors are the partitions' own: then `handle` gets the request and asks
   * `context.errorFor`.
   */
  refuse(request: Req, errorCode: number, context: RequestContext): Res | null;
  /** For faults. */
  partitionsOf?(request: Req, context: RequestContext): readonly { topic: string; partition: number }[];
  groupsOf?(request: Req): readonly string[];
}

/** Of any API. Handlers are found by the key of the request that they then get. */
export type AnyHandler = Handler<never, unknown>;
