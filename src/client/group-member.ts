import type { KafkaError } from '../errors.ts';
import type { Membership } from '../commit/committer.ts';
import type { CommitDriver } from './commit-driver.ts';
import type { MetadataWatch } from './metadata-watch.ts';

/** What a subscription is made of: names, what this client matches, and what the broker does (RE2J; KIP-848 only). */
export interface Wanted {
  topics: readonly string[];
  patterns: readonly RegExp[];
  /** `null` for none. */
  brokerPattern: string | null;
}

/** A member of a group as the engine sees it, whichever protocol it speaks. */
export interface GroupMember {
  /** Whom OffsetFetch asks for (v9); `null` outside of the group, and in the classic protocol, which does not say it. */
  readonly identity: Membership | null;
  /** The group knows that this member is gone, or never had it. */
  readonly hasLeft: boolean;
  /** It has given up its membership: nothing is owned, and nothing will be before the next subscription. */
  readonly isOut: boolean;
  /** Its machine's, for whoever looks at it from outside. */
  readonly state: string;
  deadline(): number;
  tick(now: number): void;
  /** With patterns the group has to wait for what they stand for: `topicsMatched`. */
  subscribe(wanted: Wanted, now: number): void;
  /** What names and patterns stand for, now that all topics are known; again whenever that changes. */
  topicsMatched(topics: readonly string[]): void;
  unsubscribe(): void;
  progress(isWaiting: boolean, polls: number, now: number): void;
  revoked(): void;
  coordinatorLost(error: KafkaError): void;
  /** The group's coordinator has refused a commit, or offsets that were asked for. */
  commitFenced(errorCode: number, membership: Membership): void;
  metadataChanged(asked: ReadonlySet<string>): void;
  /** The consumer has failed for good: out of the group, so that others get the partitions. */
  fail(error: KafkaError): void;
  close(): void;
}

export interface GroupMemberParts {
  commits: CommitDriver;
  metadata: MetadataWatch;
  /** The member has left for good. */
  onLeft: () => void;
}
