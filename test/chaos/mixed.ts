// What the verifiable consumers of a group, samsa's and Java's, have printed, held against what the producer was told.

/** A line of `verifiable-consumer` or of Java's VerifiableConsumer. */
export interface MixedLine {
  timestamp: number;
  name: string;
  partitions?: { partition: number }[];
  offsets?: { partition: number; offset: number }[];
  success?: boolean;
  partition?: number;
  offset?: number;
  value?: string | null;
}

export interface MixedMember {
  name: string;
  lines: readonly MixedLine[];
  /** Ended by SIGKILL: what it had not committed comes again. */
  isKilled: boolean;
}

export interface Acknowledged {
  partition: number;
  offset: number;
  value: string;
  atMs: number;
}

export interface MixedReport {
  /** Records that were acknowledged. */
  acknowledged: number;
  /** Lines of records, those that came again too. */
  delivered: number;
  duplicates: number;
  /** Of them: read before by a member that was killed. */
  duplicatesOfKilled: number;
  /** Stretches from an assignment of a partition to its end. */
  tenures: number;
  failedCommits: number;
  /** From an acknowledgement to the first delivery. */
  longestStallMs: number;
  /** Empty where nothing was lost, reordered, read by two at once or read again although it was committed. */
  problems: string[];
}

interface Delivery {
  offset: number;
  value: string | null;
  atMs: number;
}

/** One partition at one member, from its assignment to its revocation or the member's end. */
interface Tenure {
  member: MixedMember;
  partition: number;
  fromMs: number;
  deliveries: Delivery[];
}

/** An offset that was the group's at this time. */
export interface Commit {
  partition: number;
  offset: number;
  atMs: number;
}

/** @param known commits besides those of which members tell */
export function verifyMixed(
  members: readonly MixedMember[],
  acknowledged: readonly Acknowledged[],
  known: readonly Commit[] = [],
): MixedReport {
  const problems: string[] = [];
  const commits = [...known];
  let failedCommits = 0;
  for (const { lines } of members) {
    for (const { name, offsets = [], success, timestamp } of lines) {
      if (name !== 'offsets_committed') continue;
      if (success !== true) failedCommits++;
      else for (const { partition, offset } of offsets) commits.push({ partition, offset, atMs: timestamp });
    }
  }
  const tenures = members.flatMap((member) => tenuresOf(member, problems)).sort((a, b) => a.fromMs - b.fromMs);
  for (const tenure of tenures) {
    checkOrder(tenure, problems);
    checkStart(tenure, commits, problems);
  }
  const byPartition = new Map<number, Tenure[]>();
  for (const tenure of tenures)
    byPartition.set(tenure.partition, [...(byPartition.get(tenure.partition) ?? []), tenure]);
  const first = new Map<string, Delivery>();
  let [delivered, duplicates, duplicatesOfKilled] = [0, 0, 0];
  for (const [partition, list] of byPartition) {
    checkAlone(list, problems);
    const lastReader = new Map<number, MixedMember>();
    for (const { member, deliveries } of list) {
      for (const delivery of deliveries) {
        delivered++;
        const { offset } = delivery;
        const reader = lastReader.get(offset);
        if (reader !== undefined) duplicates++;
        if (reader?.isKilled === true) duplicatesOfKilled++;
        lastReader.set(offset, member);
        const place = `${partition}/${offset}`;
        const earlier = first.get(place);
        if (earlier !== undefined && earlier.value !== delivery.value)
          problems.push(`${place} is '${String(earlier.value)}' and '${String(delivery.value)}' of ${member.name}`);
        if (earlier === undefined || delivery.atMs < earlier.atMs) first.set(place, delivery);
      }
    }
  }
  let longestStallMs = 0;
  for (const { partition, offset, value, atMs } of acknowledged) {
    const delivery = first.get(`${partition}/${offset}`);
    if (delivery === undefined) problems.push(`lost: partition ${partition}, offset ${offset}`);
    else if (delivery.value !== value)
      problems.push(`partition ${partition}, offset ${offset}: '${String(delivery.value)}' instead of '${value}'`);
    else longestStallMs = Math.max(longestStallMs, delivery.atMs - atMs);
  }
  return {
    ...{ acknowledged: acknowledged.length, delivered, duplicates, duplicatesOfKilled, tenures: tenures.length },
    ...{ failedCommits, longestStallMs, problems },
  };
}

function tenuresOf(member: MixedMember, problems: string[]): Tenure[] {
  const tenures: Tenure[] = [];
  const open = new Map<number, Tenure>();
  for (const { name, timestamp, partitions = [], partition = -1, offset = -1, value = null } of member.lines) {
    if (name === 'partitions_assigned') {
      for (const { partition } of partitions) {
        const tenure = { member, partition, fromMs: timestamp, deliveries: [] };
        open.set(partition, tenure);
        tenures.push(tenure);
      }
    } else if (name === 'partitions_revoked') {
      for (const { partition } of partitions) open.delete(partition);
    } else if (name === 'record_data') {
      const tenure = open.get(partition);
      if (tenure === undefined) problems.push(`${member.name}: ${partition}/${offset} without an assignment`);
      tenure?.deliveries.push({ offset, value, atMs: timestamp });
    }
  }
  return tenures;
}

function checkOrder({ member, partition, deliveries }: Tenure, problems: string[]): void {
  for (const [index, { offset }] of deliveries.entries()) {
    const before = deliveries[index - 1];
    if (before !== undefined && offset !== before.offset + 1)
      problems.push(`${member.name}, partition ${partition}: ${offset} after ${before.offset}`);
  }
}

/** What was committed before a partition was assigned is not read again. */
function checkStart({ member, partition, fromMs, deliveries }: Tenure, commits: Commit[], problems: string[]): void {
  const [start] = deliveries;
  if (start === undefined) return;
  let committed = 0;
  for (const { partition: of, offset, atMs } of commits)
    if (of === partition && atMs < fromMs) committed = Math.max(committed, offset);
  if (start.offset < committed)
    problems.push(`${member.name}, partition ${partition}: from ${start.offset}, ${committed} was committed`);
}

/** Nobody reads a partition once it has been assigned to another member. */
function checkAlone(tenures: readonly Tenure[], problems: string[]): void {
  for (const [index, { member, partition, deliveries }] of tenures.entries()) {
    const next = tenures.slice(index + 1).find((tenure) => tenure.member !== member);
    const late = next === undefined ? [] : deliveries.filter(({ atMs }) => atMs > next.fromMs);
    const [first] = late;
    if (next === undefined || first === undefined) continue;
    const since = `${first.atMs - next.fromMs} ms after ${next.member.name} was given it`;
    problems.push(`${member.name}, partition ${partition}: ${late.length} records, ${since}`);
  }
}
