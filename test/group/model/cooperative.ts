/**
 * The least that a cooperative assignor must do: members keep what they claim, what is free goes to whoever has least, and a
 * partition that is to move is taken from its owner first, and free in the next generation (KIP-429).
 */
import type { Assignor, AssignorMember, TopicPartitions } from '../../../src/group/assignors/assignor.ts';
import { give } from '../../../src/group/assignors/assignor.ts';

export const cooperative: Assignor = {
  name: 'model-cooperative',
  supportedProtocols: ['cooperative', 'eager'],
  assign(cluster, members) {
    const owners = newestClaims(members);
    const held = new Map<string, string[]>(members.map(({ memberId }) => [memberId, []]));
    const free: { topic: string; partition: number }[] = [];
    for (const [topic, infos] of cluster) {
      for (const { partition } of infos) {
        const owner = owners.get(`${topic}/${partition}`);
        if (owner?.topics.includes(topic) === true) held.get(owner.memberId)?.push(`${topic}/${partition}`);
        else free.push({ topic, partition });
      }
    }
    for (const { topic, partition } of free) {
      const [least] = members
        .filter((member) => member.topics.includes(topic))
        .sort((a, b) => (held.get(a.memberId)?.length ?? 0) - (held.get(b.memberId)?.length ?? 0));
      if (least !== undefined) held.get(least.memberId)?.push(`${topic}/${partition}`);
    }
    if (free.length === 0) takeOne(members, held);
    const shares = new Map<string, TopicPartitions[]>();
    for (const [memberId, keys] of held) {
      const share: TopicPartitions[] = [];
      for (const key of keys) {
        const [topic = '', partition] = key.split('/');
        give(share, topic, Number(partition));
      }
      shares.set(memberId, share);
    }
    return shares;
  },
};

/** Two claims of one partition: the newer one counts. */
function newestClaims(members: readonly AssignorMember[]): Map<string, AssignorMember> {
  const owners = new Map<string, AssignorMember>();
  for (const member of members) {
    for (const { topic, partitions } of member.ownedPartitions) {
      for (const partition of partitions) {
        const known = owners.get(`${topic}/${partition}`);
        if (known === undefined || known.generationId < member.generationId)
          owners.set(`${topic}/${partition}`, member);
      }
    }
  }
  return owners;
}

/** Towards balance: from whoever has most to whoever may have it and has two less. */
function takeOne(members: readonly AssignorMember[], held: Map<string, string[]>): void {
  for (const rich of members) {
    const keys = held.get(rich.memberId) ?? [];
    const index = keys.findIndex((key) => {
      const topic = key.split('/')[0] ?? '';
      return members.some(
        (poor) => poor.topics.includes(topic) && (held.get(poor.memberId)?.length ?? 0) + 1 < keys.length,
      );
    });
    if (index !== -1) {
      keys.splice(index, 1);
      return;
    }
  }
}
