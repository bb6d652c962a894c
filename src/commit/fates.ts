import { ERROR_CODES, errorCodeOf } from '../protocol/error-codes.ts';

/**
 * The fate of an offset that OffsetCommit has answered with an error, in a commit that is retried. Java's side of each code is in
 * docs/error-fates.md.
 *
 * - `retry`: sent again after a back-off;
 * - `coordinator`: the same, and the coordinator is looked for;
 * - `topic`: the same for a while, for a broker hears of a new topic late; then, and at a revocation, final;
 * - `rebalance`: sent again in the generation that comes, unless a rebalance waits for this very commit;
 * - `epoch`: sent again, in the epoch that is on its way;
 * - `fenced`: final; the group machine is told, and decides what becomes of the membership;
 * - `size`: the request was too large: final, unless it held the offsets of several calls;
 * - `final`: the call fails.
 */
export type CommitFate = 'retry' | 'coordinator' | 'topic' | 'rebalance' | 'epoch' | 'fenced' | 'size' | 'final';

/** All codes that Kafka's coordinators answer OffsetCommit with, as far as the rule for all others would not do. */
const FATES: ReadonlyMap<number, CommitFate> = new Map([
  [ERROR_CODES.UNKNOWN_SERVER_ERROR, 'retry'],
  [ERROR_CODES.UNKNOWN_TOPIC_OR_PARTITION, 'topic'],
  [ERROR_CODES.REQUEST_TIMED_OUT, 'coordinator'],
  [ERROR_CODES.OFFSET_METADATA_TOO_LARGE, 'final'],
  [ERROR_CODES.COORDINATOR_LOAD_IN_PROGRESS, 'retry'],
  [ERROR_CODES.COORDINATOR_NOT_AVAILABLE, 'coordinator'],
  [ERROR_CODES.NOT_COORDINATOR, 'coordinator'],
  [ERROR_CODES.ILLEGAL_GENERATION, 'fenced'],
  [ERROR_CODES.INVALID_GROUP_ID, 'final'],
  [ERROR_CODES.UNKNOWN_MEMBER_ID, 'fenced'],
  [ERROR_CODES.REBALANCE_IN_PROGRESS, 'rebalance'],
  [ERROR_CODES.INVALID_COMMIT_OFFSET_SIZE, 'size'],
  [ERROR_CODES.TOPIC_AUTHORIZATION_FAILED, 'final'],
  [ERROR_CODES.GROUP_AUTHORIZATION_FAILED, 'final'],
  [ERROR_CODES.UNSUPPORTED_VERSION, 'final'],
  [ERROR_CODES.GROUP_ID_NOT_FOUND, 'final'],
  [ERROR_CODES.FENCED_INSTANCE_ID, 'fenced'],
  [ERROR_CODES.UNKNOWN_TOPIC_ID, 'topic'],
  [ERROR_CODES.STALE_MEMBER_EPOCH, 'epoch'],
] satisfies [number, CommitFate][]);

/** A code that nobody knows yet may pass, like the −1 of a broker that failed for a reason of its own. */
export function commitFateOf(code: number): CommitFate {
  const known = FATES.get(code);
  if (known !== undefined) return known;
  const { name, retriable } = errorCodeOf(code);
  return retriable || name === 'UNKNOWN_ERROR_CODE' ? 'retry' : 'final';
}

/** Codes that say something about the membership: the group machine hears of them. */
export function concernsMembership(fate: CommitFate): boolean {
  return fate === 'fenced' || fate === 'rebalance' || fate === 'epoch';
}
