import { ConfigError } from '../errors.ts';
import type { Assignor, RebalanceProtocol } from '../group/assignors/assignor.ts';
import { ASSIGNORS } from '../group/assignors/index.ts';

export type {
  Assignor,
  AssignorMember,
  ClusterView,
  GroupAssignment,
  LastAssignment,
  PartitionInfo,
  RebalanceProtocol,
  TopicPartitions,
} from '../group/assignors/assignor.ts';

/** The assignors that can be named. */
export const ASSIGNOR_NAMES: readonly string[] = ASSIGNORS.map(({ name }) => name);

const PROTOCOLS: readonly RebalanceProtocol[] = ['eager', 'cooperative'];

/**
 * What `partitionAssignmentStrategy` stands for: names (also comma-separated in one string) and assignors of the application.
 * @returns null where it is neither
 * @throws ConfigError where two assignors share a name, or all of them no rebalance protocol
 */
export function assignorsOf(value: unknown): readonly Assignor[] | null {
  const given: readonly unknown[] = Array.isArray(value) ? value : [value];
  const list = given.flatMap((each) =>
    typeof each === 'string' ? each.split(',').map((name) => name.trim()) : [each],
  );
  const assignors = new Set<Assignor>();
  for (const each of list) {
    const assignor = typeof each === 'string' ? ASSIGNORS.find(({ name }) => name === each) : each;
    if (!isAssignor(assignor)) return null;
    assignors.add(assignor);
  }
  if (assignors.size === 0) return null;
  checkTogether([...assignors]);
  return [...assignors];
}

function isAssignor(value: unknown): value is Assignor {
  if (typeof value !== 'object' || value === null) return false;
  const { name, supportedProtocols, subscriptionUserData, assign } = value as Partial<Record<keyof Assignor, unknown>>;
  const isListed = (protocol: unknown): boolean => PROTOCOLS.some((each) => each === protocol);
  return (
    typeof name === 'string' &&
    name !== '' &&
    Array.isArray(supportedProtocols) &&
    supportedProtocols.length > 0 &&
    supportedProtocols.every(isListed) &&
    typeof assign === 'function' &&
    (subscriptionUserData === undefined || typeof subscriptionUserData === 'function')
  );
}

function checkTogether(assignors: readonly Assignor[]): void {
  const names = assignors.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined)
    throw new ConfigError(`partitionAssignmentStrategy: two different assignors have the name '${twice}'`);
  if (PROTOCOLS.some((protocol) => assignors.every((each) => each.supportedProtocols.includes(protocol)))) return;
  const shown = assignors.map((each) => `'${each.name}' (${each.supportedProtocols.join(', ')})`).join(', ');
  throw new ConfigError(`partitionAssignmentStrategy: no rebalance protocol is common to all of ${shown}`);
}
