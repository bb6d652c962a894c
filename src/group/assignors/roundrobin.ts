/**
 * `roundrobin`: all partitions of all topics in one row, the members in a circle; each partition goes to the next member that
 * subscribes to its topic. Even where all subscribe to the same topics; otherwise it may be lopsided. The result equals that
 * of Java's RoundRobinAssignor.
 */
import type { Assignor, GroupAssignment } from './assignor.ts';
import { compareMembers, compareStrings, give } from './assignor.ts';

export const roundrobin: Assignor = {
  name: 'roundrobin',
  supportedProtocols: ['eager'],

  assign(cluster, members) {
    const assignment: GroupAssignment = new Map(members.map((member) => [member.memberId, []]));
    const circle = [...members].sort(compareMembers).map((member) => ({
      topics: new Set(member.topics),
      share: assignment.get(member.memberId) ?? [],
    }));
    const topics = [...new Set(members.flatMap((member) => member.topics))].sort(compareStrings);
    let next = 0;
    for (const topic of topics) {
      const partitions = [...(cluster.get(topic) ?? [])].sort((a, b) => a.partition - b.partition);
      for (const { partition } of partitions) {
        // Someone subscribes to the topic, or it would not be in the row: the search ends.
        for (;;) {
          const member = circle[next];
          next = (next + 1) % circle.length;
          if (member === undefined || !member.topics.has(topic)) continue;
          give(member.share, topic, partition);
          break;
        }
      }
    }
    return assignment;
  },
};
