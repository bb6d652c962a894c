import type { Delivered, MemberLog } from './member-log.ts';

export interface Verdict {
  records: number;
  deliveries: number;
  duplicates: number;
  /** Of the duplicates: what the killed member had been given and not yet committed. */
  duplicatesOfKilled: number;
  /** The most that `duplicatesOfKilled` may be. */
  uncommittedOfKilled: number;
  rebalances: number;
  /** The longest time between two deliveries, of each member that was not killed. */
  longestGapMs: Record<string, number>;
  /** Between the killed member's last delivery and the first one of whoever took a partition over. */
  takeoverMs: number;
  faults: string[];
}

export interface Expectation {
  /** Records of each partition. */
  shares: readonly number[];
  /** The member that got SIGKILL. */
  killed: string | null;
  longestGapMs: number;
}

/** One assignment's deliveries of one partition. */
interface Stretch {
  member: string;
  isReturned: boolean;
  committed: number;
  first: number;
  /** One past the last. */
  end: number;
  fromMs: number;
  toMs: number;
}

/** Holds what the members wrote against what a group promises. Everything that is wrong is in `faults`. */
export function verify(logs: readonly MemberLog[], expected: Expectation): Verdict {
  const verdict: Verdict = {
    records: 0,
    deliveries: 0,
    duplicates: 0,
    duplicatesOfKilled: 0,
    uncommittedOfKilled: 0,
    rebalances: Math.max(0, ...logs.map(({ tenures }) => tenures.length)),
    longestGapMs: {},
    takeoverMs: 0,
    faults: logs.flatMap(({ member, complaints }) => complaints.map((text) => `${member}: ${text}`)),
  };
  expected.shares.forEach((share, partition) => {
    verifyPartition(
      partition,
      stretchesOf(logs, partition, verdict.faults),
      { share, killed: expected.killed },
      verdict,
    );
  });
  for (const { member, tenures } of logs) {
    if (member === expected.killed) continue;
    const gap = longestGap(tenures.flatMap(({ delivered }) => delivered));
    verdict.longestGapMs[member] = gap;
    if (gap > expected.longestGapMs) verdict.faults.push(`${member} had nothing for ${gap} ms`);
  }
  if (verdict.takeoverMs > expected.longestGapMs) {
    verdict.faults.push(`the killed member's partitions stood still for ${verdict.takeoverMs} ms`);
  }
  return verdict;
}

/** By time: who had the partition, from where to where. Within a stretch each record follows the one before. */
function stretchesOf(logs: readonly MemberLog[], partition: number, faults: string[]): Stretch[] {
  const stretches: Stretch[] = [];
  for (const { member, tenures, committed } of logs) {
    for (const { isReturned, delivered } of tenures) {
      let stretch: Stretch | undefined;
      for (const { first, last, atMs } of delivered.filter((each) => each.partition === partition)) {
        if (stretch !== undefined && first !== stretch.end) {
          faults.push(`${member} was given ${partition}@${first} after ${partition}@${stretch.end - 1}`);
        }
        if (stretch === undefined) {
          const start = { first, end: first, fromMs: atMs, toMs: atMs };
          stretch = { member, isReturned, committed: committed.get(partition) ?? 0, ...start };
          stretches.push(stretch);
        }
        stretch.end = last + 1;
        stretch.toMs = atMs;
      }
    }
  }
  return stretches.sort((a, b) => a.fromMs - b.fromMs);
}

function verifyPartition(
  partition: number,
  stretches: readonly Stretch[],
  { share, killed }: { share: number; killed: string | null },
  verdict: Verdict,
): void {
  let end = 0;
  let before: Stretch | undefined;
  for (const stretch of stretches) {
    const who = `${stretch.member} from ${partition}@${stretch.first}`;
    if (stretch.first > end) verdict.faults.push(`${end} to ${stretch.first - 1} are missing before ${who}`);
    if (before !== undefined && stretch.fromMs < before.toMs) {
      verdict.faults.push(`${who}: ${before.member} was still being given records`);
    }
    const again = Math.max(0, end - stretch.first);
    verdict.duplicates += again;
    if (before?.member === killed && !before.isReturned) {
      verdict.duplicatesOfKilled += again;
      verdict.uncommittedOfKilled += before.end - before.committed;
      verdict.takeoverMs = Math.max(verdict.takeoverMs, stretch.fromMs - before.toMs);
      if (stretch.first < before.committed) verdict.faults.push(`${who}: committed was ${before.committed}`);
    } else if (again > 0) {
      verdict.faults.push(`${who}: ${again} records again, though ${before?.member} had returned the partition`);
    }
    verdict.deliveries += stretch.end - stretch.first;
    end = Math.max(end, stretch.end);
    before = stretch;
  }
  verdict.records += end;
  if (end !== share) verdict.faults.push(`${partition} ends at ${end}, not at ${share}`);
}

function longestGap(delivered: readonly Delivered[]): number {
  let longest = 0;
  delivered.forEach(({ atMs }, index) => {
    const before = delivered[index - 1];
    if (before !== undefined) longest = Math.max(longest, atMs - before.atMs);
  });
  return longest;
}
