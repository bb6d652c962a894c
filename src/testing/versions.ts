import { ConfigError } from '../errors.ts';
import type { VersionRange } from '../protocol/apis.ts';
import type { AnyHandler } from './handler.ts';

/** What a broker says in ApiVersions: by the API's name. */
export type VersionRanges = ReadonlyMap<string, VersionRange>;

/**
 * Which versions the brokers have: those of an old Kafka release, such as `'2.1'`, or ranges by the API's name that replace the newest ones;
 * null takes an API away.
 */
export type VersionOptions = string | Readonly<Record<string, readonly [min: number, max: number] | null>>;

// The highest version of each API in a release (ApiKeys and the message schemas of that release's source). What is not named
// keeps the version of the release before it, in the table's order.
const RELEASES: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  '2.1': {
    Produce: 7,
    Fetch: 10,
    ListOffsets: 4,
    Metadata: 7,
    OffsetCommit: 6,
    OffsetFetch: 5,
    FindCoordinator: 2,
    JoinGroup: 3,
    Heartbeat: 2,
    LeaveGroup: 2,
    SyncGroup: 2,
    DescribeGroups: 2,
    ListGroups: 2,
    SaslHandshake: 1,
    ApiVersions: 2,
    CreateTopics: 3,
    OffsetForLeaderEpoch: 2,
    SaslAuthenticate: 0,
  },
  '2.4': {
    Produce: 8,
    Fetch: 11,
    ListOffsets: 5,
    Metadata: 9,
    OffsetCommit: 8,
    OffsetFetch: 6,
    FindCoordinator: 3,
    JoinGroup: 6,
    Heartbeat: 4,
    LeaveGroup: 4,
    SyncGroup: 4,
    DescribeGroups: 5,
    ListGroups: 3,
    ApiVersions: 3,
    CreateTopics: 5,
    OffsetForLeaderEpoch: 3,
    SaslAuthenticate: 1,
  },
  '2.8': {
    Produce: 9,
    Fetch: 12,
    ListOffsets: 6,
    Metadata: 11,
    OffsetFetch: 7,
    JoinGroup: 7,
    SyncGroup: 5,
    ListGroups: 4,
    CreateTopics: 7,
    OffsetForLeaderEpoch: 4,
    SaslAuthenticate: 2,
  },
  '3.0': { ListOffsets: 7, OffsetFetch: 8, FindCoordinator: 4 },
  '3.5': { Fetch: 15, ListOffsets: 8, Metadata: 12, JoinGroup: 9, LeaveGroup: 5 },
  '3.9': {
    Produce: 11,
    Fetch: 17,
    ListOffsets: 9,
    OffsetCommit: 9,
    OffsetFetch: 9,
    FindCoordinator: 6,
    ListGroups: 5,
    ApiVersions: 4,
  },
  '4.0': { Produce: 12, ListOffsets: 10, Metadata: 13, DescribeGroups: 6, ConsumerGroupHeartbeat: 1 },
};

/** @throws ConfigError for a release or an API that is not known, or a range that the handlers do not cover */
export function versionRanges(handlers: Iterable<AnyHandler>, options: VersionOptions | undefined): VersionRanges {
  const newest = [...handlers].map((handler): [string, VersionRange] => {
    const { api } = handler;
    return [api.name, { min: handler.minVersion ?? api.minVersion, max: handler.maxVersion ?? api.maxVersion }];
  });
  const ranges = new Map(newest);
  if (options === undefined) return ranges;
  if (typeof options === 'string') return ofRelease(ranges, options);
  for (const [name, range] of Object.entries(options)) {
    const known = ranges.get(name);
    if (known === undefined) throw new ConfigError(`versions: '${name}' is no API of the mock cluster`);
    if (range === null) {
      ranges.delete(name);
      continue;
    }
    const [min, max] = range;
    if (min > max || min < known.min || max > known.max) {
      throw new ConfigError(`versions: ${name} takes a range within ${known.min}-${known.max}, not ${min}-${max}`);
    }
    ranges.set(name, { min, max });
  }
  return ranges;
}

function ofRelease(newest: VersionRanges, release: string): VersionRanges {
  const maxima = new Map<string, number>();
  let isFound = false;
  for (const [name, changes] of Object.entries(RELEASES)) {
    if (isFound) break;
    for (const [api, max] of Object.entries(changes)) maxima.set(api, max);
    isFound = name === release;
  }
  if (!isFound) throw new ConfigError(`versions: '${release}' is not one of ${Object.keys(RELEASES).join(', ')}`);
  const ranges = new Map<string, VersionRange>();
  for (const [name, { min, max }] of newest) {
    const then = maxima.get(name);
    if (then !== undefined && then >= min) ranges.set(name, { min, max: Math.min(max, then) });
  }
  return ranges;
}
