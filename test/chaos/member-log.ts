import { readFileSync } from 'node:fs';

/** Records of one partition from `first` to `last`, in one go. */
export interface Delivered {
  partition: number;
  first: number;
  last: number;
  atMs: number;
}

/** From an assignment on: what one member was given until it was revoked, lost or the member ended. */
export interface Tenure {
  member: string;
  /** Did it end by `onRevoked`, so that all that was finished was committed? */
  isReturned: boolean;
  delivered: Delivered[];
}

export interface MemberLog {
  member: string;
  tenures: Tenure[];
  /** The last acknowledged commit of each partition. */
  committed: Map<number, number>;
  complaints: string[];
}

/** What a member has written; a last line that is cut off is left out. */
export function readMemberLog(member: string, file: string): MemberLog {
  return parseMemberLog(member, readFileSync(file, 'utf8').split('\n').slice(0, -1));
}

export function parseMemberLog(member: string, lines: readonly string[]): MemberLog {
  const log: MemberLog = { member, tenures: [], committed: new Map(), complaints: [] };
  let tenure: Tenure | undefined;
  for (const line of lines) {
    const [kind = '', ...rest] = line.split(' ');
    const [one = -1, two = -1, three = -1, four = -1] = rest.map(Number);
    if (kind === 'a') {
      tenure = { member, isReturned: false, delivered: [] };
      log.tenures.push(tenure);
    } else if (kind === 'd') {
      if (tenure === undefined) log.complaints.push(`delivered without an assignment: ${line}`);
      tenure?.delivered.push({ partition: one, first: two, last: three, atMs: four });
    } else if (kind === 'c') log.committed.set(one, two);
    else if (kind === 'r') {
      if (tenure !== undefined) tenure.isReturned = true;
    } else if (kind === 'l') log.complaints.push(`lost: ${line}`);
    else log.complaints.push(line);
  }
  return log;
}
