import { UnsupportedVersionError } from '../errors.ts';
import type { ApiVersion } from '../protocol/api/api-versions.ts';
import { fetch } from '../protocol/api/fetch.ts';
import { negotiateVersion, type VersionRange } from '../protocol/apis.ts';
import type { ApiRange } from '../protocol/header.ts';

/** Fetch of Kafka 2.1: it carries leader epochs (KIP-320), by which positions are kept right, and zstd (KIP-110). */
const FETCH_NEEDED = 10;
/** The highest Fetch of the releases before: what a person calls that version. */
const RELEASE_OF_FETCH: ReadonlyMap<number, string> = new Map([
  [2, '0.10.0'],
  [3, '0.10.2'],
  [5, '0.11'],
  [6, '1.0'],
  [7, '1.1'],
  [8, '2.0'],
]);

/** What the broker at the other end of one connection speaks. Brokers of one cluster may differ, while it is upgraded. */
export class BrokerVersions {
  readonly #address: string;
  readonly #ranges: ReadonlyMap<number, VersionRange>;

  constructor(address: string, apiKeys: readonly ApiVersion[]) {
    this.#address = address;
    this.#ranges = new Map(
      apiKeys.map(({ apiKey, minVersion, maxVersion }) => [apiKey, { min: minVersion, max: maxVersion }]),
    );
  }

  /** @throws UnsupportedVersionError that says what is too old and what is needed */
  mustBeRecent(): void {
    const max = this.#ranges.get(fetch.key)?.max ?? FETCH_NEEDED; // without Fetch it is no old broker, but no broker at all
    if (max >= FETCH_NEEDED) return;
    const release = RELEASE_OF_FETCH.get(max);
    const asIn = release === undefined ? '' : `, as Kafka ${release} has`;
    const text = `the broker at ${this.#address} is too old: it has Fetch up to version ${max}${asIn}; samsa needs version ${FETCH_NEEDED}, which is Kafka 2.1 or newer`;
    throw new UnsupportedVersionError(text, { api: 'ApiVersions' });
  }

  /** Whether `version` or a later one is in both ranges. */
  has(api: ApiRange, version: number): boolean {
    return Math.min(this.#ranges.get(api.key)?.max ?? -1, api.maxVersion) >= version;
  }

  /** @throws UnsupportedVersionError that names the API and both ranges */
  of(api: ApiRange): number {
    return negotiateVersion(api, this.#ranges.get(api.key), `the broker at ${this.#address}`);
  }
}
