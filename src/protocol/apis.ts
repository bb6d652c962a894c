import { UnsupportedVersionError } from '../errors.ts';
import type { Api } from './api.ts';
import type { ApiRange } from './header.ts';
import { apiVersions } from './api/api-versions.ts';
import { fetch } from './api/fetch.ts';
import { joinGroup } from './api/join-group.ts';
import { metadata } from './api/metadata.ts';

/** Every API that has a codec. */
export const APIS: readonly Api<unknown, unknown>[] = [fetch, metadata, joinGroup, apiVersions];

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
 * @throws UnsupportedVersionError that names the API and both ranges
 */
export function negotiateVersion(api: ApiRange, brokerRange: VersionRange | undefined): number {
  const version = Math.min(api.maxVersion, brokerRange?.max ?? -1);
  if (brokerRange !== undefined && version >= brokerRange.min && version >= api.minVersion) return version;
  const offered = brokerRange === undefined ? 'does not have it' : `has ${brokerRange.min}-${brokerRange.max}`;
  throw new UnsupportedVersionError(
    `${api.name}: no version in common, samsa has ${api.minVersion}-${api.maxVersion}, the broker ${offered}`,
    { api: api.name },
  );
}
