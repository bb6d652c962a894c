import { UnsupportedVersionError } from '../errors.ts';
import type { Api } from './api.ts';
import type { ApiRange } from './header.ts';
import { apiVersions } from './api/api-versions.ts';
import { consumerGroupDescribe } from './api/consumer-group-describe.ts';
import { consumerGroupHeartbeat } from './api/consumer-group-heartbeat.ts';
import { createTopics } from './api/create-topics.ts';
import { describeCluster } from './api/describe-cluster.ts';
import { describeGroups } from './api/describe-groups.ts';
import { fetch } from './api/fetch.ts';
import { findCoordinator } from './api/find-coordinator.ts';
import { getTelemetrySubscriptions } from './api/get-telemetry-subscriptions.ts';
import { heartbeat } from './api/heartbeat.ts';
import { joinGroup } from './api/join-group.ts';
import { leaveGroup } from './api/leave-group.ts';
import { listGroups } from './api/list-groups.ts';
import { listOffsets } from './api/list-offsets.ts';
import { metadata } from './api/metadata.ts';
import { offsetCommit } from './api/offset-commit.ts';
import { offsetFetch } from './api/offset-fetch.ts';
import { offsetForLeaderEpoch } from './api/offset-for-leader-epoch.ts';
import { produce } from './api/produce.ts';
import { pushTelemetry } from './api/push-telemetry.ts';
import { saslAuthenticate } from './api/sasl-authenticate.ts';
import { saslHandshake } from './api/sasl-handshake.ts';
import { shareAcknowledge } from './api/share-acknowledge.ts';
import { shareFetch } from './api/share-fetch.ts';
import { shareGroupHeartbeat } from './api/share-group-heartbeat.ts';
import { syncGroup } from './api/sync-group.ts';

/** Every API that has a codec, by ascending key. */
export const APIS: readonly Api<unknown, unknown>[] = [
  produce,
  fetch,
  listOffsets,
  metadata,
  offsetCommit,
  offsetFetch,
  findCoordinator,
  joinGroup,
  heartbeat,
  leaveGroup,
  syncGroup,
  describeGroups,
  listGroups,
  saslHandshake,
  apiVersions,
  createTopics,
  offsetForLeaderEpoch,
  saslAuthenticate,
  describeCluster,
  consumerGroupHeartbeat,
  consumerGroupDescribe,
  getTelemetrySubscriptions,
  pushTelemetry,
  shareGroupHeartbeat,
  shareFetch,
  shareAcknowledge,
];

/** The API with Kafka's number `key`, or undefined. */
export function apiByKey(key: number): Api<unknown, unknown> | undefined {
  return APIS.find((api) => api.key === key);
}

/** The API with Kafka's name, such as `'JoinGroup'`, or undefined. */
export function apiByName(name: string): Api<unknown, unknown> | undefined {
  return APIS.find((api) => api.name === name);
}

/** What a broker's ApiVersions response says of one API; both ends inclusive. */
export interface VersionRange {
  readonly min: number;
  readonly max: number;
}

/**
 * The highest version that both sides know.
 * @param brokerRange undefined where the broker does not have the API
 * @param broker how to name it in the error
 * @throws UnsupportedVersionError that names the API and both ranges
 */
export function negotiateVersion(api: ApiRange, brokerRange: VersionRange | undefined, broker = 'the broker'): number {
  const version = Math.min(api.maxVersion, brokerRange?.max ?? -1);
  if (brokerRange !== undefined && version >= brokerRange.min && version >= api.minVersion) return version;
  const offered = brokerRange === undefined ? 'does not have it' : `has ${brokerRange.min}-${brokerRange.max}`;
  throw new UnsupportedVersionError(
    `${api.name}: no version in common, samsa has ${api.minVersion}-${api.maxVersion}, ${broker} ${offered}`,
    { api: api.name },
  );
}
