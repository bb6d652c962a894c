// The server-side assignors of the consumer group protocol (KIP-848), as far as a mock needs them: each partition goes to one member that has
// subscribed to its topic, as evenly as that allows, and `uniform` moves no more than it has to.

export interface AssignableTopic {
  readonly id: string;
  readonly partitions: number;
}

export interface Subscriber {
  readonly memberId: string;
  /** Of a static member. Default null. */
  readonly instanceId?: string | null;
  readonly topicIds: ReadonlySet<string>;
  /** Its target so far: `topicId` and partition, as `partitionKey` writes them. */
  readonly owned: ReadonlySet<string>;
}

export type ServerAssignor = 'uniform' | 'range';
export const SERVER_ASSIGNORS: readonly ServerAssignor[] = ['uniform', 'range'];

export function partitionKey(topicId: string, partition: number): string {
  return `${topicId}:${partition}`;
}

/** The target of each member, as `partitionKey`s. */
export function assignTargets(
  assignor: ServerAssignor,
  topics: readonly AssignableTopic[],
  subscribers: readonly Subscriber[],
): Map<string, Set<string>> {
  const sorted = [...subscribers].sort((a, b) => (a.memberId < b.memberId ? -1 : 1));
  return assignor === 'range' ? range(topics, sorted.sort(staticFirst)) : uniform(topics, sorted);
}

/** As Kafka's range does: members that come back under another id shall have the place that they had. */
function staticFirst({ instanceId: a = null }: Subscriber, { instanceId: b = null }: Subscriber): number {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  return a < b ? -1 : 1;
}

/** Of each topic a run of partitions to each member, in their order. */
function range(topics: readonly AssignableTopic[], subscribers: readonly Subscriber[]): Map<string, Set<string>> {
  const targets = new Map(subscribers.map(({ memberId }) => [memberId, new Set<string>()]));
  for (const { id, partitions } of topics) {
    const members = subscribers.filter(({ topicIds }) => topicIds.has(id));
    let next = 0;
    members.forEach(({ memberId }, index) => {
      const count = Math.floor(partitions / members.length) + (index < partitions % members.length ? 1 : 0);
      for (const end = next + count; next < end; next++) targets.get(memberId)?.add(partitionKey(id, next));
    });
  }
  return targets;
}

/** What is owned stays, what is free goes to who has least, then single partitions move until nobody has two more than another that could take them. */
function uniform(topics: readonly AssignableTopic[], subscribers: readonly Subscriber[]): Map<string, Set<string>> {
  const targets = new Map(subscribers.map(({ memberId }) => [memberId, new Set<string>()]));
  const load = (memberId: string): number => targets.get(memberId)?.size ?? 0;
  const candidates = new Map<string, readonly Subscriber[]>();
  const owners = new Map<string, string>();
  for (const { id, partitions } of topics) {
    const able = subscribers.filter(({ topicIds }) => topicIds.has(id));
    if (able.length === 0) continue;
    for (let partition = 0; partition < partitions; partition++) candidates.set(partitionKey(id, partition), able);
  }
  const free: string[] = [];
  for (const [key, able] of candidates) {
    const owner = able.find(({ owned }) => owned.has(key));
    if (owner === undefined) free.push(key);
    else give(key, owner.memberId);
  }
  for (const key of free) give(key, least(key));
  for (let isMoving = true; isMoving;) {
    isMoving = false;
    for (const [key, owner] of owners) {
      const other = least(key);
      if (load(owner) <= load(other) + 1) continue;
      targets.get(owner)?.delete(key);
      give(key, other);
      isMoving = true;
    }
  }
  return targets;

  function give(key: string, memberId: string): void {
    owners.set(key, memberId);
    targets.get(memberId)?.add(key);
  }

  function least(key: string): string {
    let found = '';
    for (const { memberId } of candidates.get(key) ?? []) {
      if (found === '' || load(memberId) < load(found)) found = memberId;
    }
    return found;
  }
}
