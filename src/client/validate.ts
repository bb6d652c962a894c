import { ConfigError } from '../errors.ts';
import type { ConsumerOptions } from './options.ts';
import { isAutoOffsetReset, RESET_POLICIES, type AutoOffsetReset } from '../fetch/reset-policy.ts';
import type { Assignor } from '../group/assignors/assignor.ts';
import { COMPRESSION_NAMES } from '../protocol/compression/codec.ts';
import { ASSIGNOR_NAMES, assignorsOf } from './assignment-strategy.ts';
import { parseServers, type Server } from './servers.ts';
import { closest } from './spelling.ts';

/** The same with every default filled in. */
export interface Settings {
  bootstrapServers: readonly Server[];
  clientId: string;
  groupId: string | null;
  groupInstanceId: string | null;
  groupProtocol: 'classic' | 'consumer';
  groupRemoteAssignor: string | null;
  autoOffsetReset: AutoOffsetReset;
  enableAutoCommit: boolean;
  enableAutoOffsetStore: boolean;
  autoCommitIntervalMs: number;
  sessionTimeoutMs: number;
  heartbeatIntervalMs: number;
  maxPollIntervalMs: number;
  maxPollRecords: number;
  fetchMinBytes: number;
  fetchMaxBytes: number;
  fetchMaxWaitMs: number;
  maxPartitionFetchBytes: number;
  isolationLevel: 'read_uncommitted' | 'read_committed';
  onCorruptBatch: 'fail' | 'skip';
  checkCrcs: boolean;
  partitionAssignmentStrategy: readonly Assignor[];
  clientRack: string;
  requestTimeoutMs: number;
  defaultApiTimeoutMs: number;
  retryBackoffMs: number;
  retryBackoffMaxMs: number;
  reconnectBackoffMs: number;
  reconnectBackoffMaxMs: number;
  socketConnectionSetupTimeoutMs: number;
  metadataMaxAgeMs: number;
  metadataRecoveryStrategy: 'rebootstrap' | 'none';
  metadataRecoveryRebootstrapTriggerMs: number;
  allowAutoCreateTopics: boolean;
  excludeInternalTopics: boolean;
  statisticsIntervalMs: number;
  receiveMessageMaxBytes: number;
  maxDecompressedBytes: number;
}

const MAX_INT32 = 0x7fffffff;
/** What a response holds besides the records, at the least (librdkafka reckons with the same). */
const RESPONSE_OVERHEAD_BYTES = 512;

type Rule =
  | { kind: 'int'; default: number; min: number; max?: number }
  | { kind: 'boolean'; default: boolean }
  | { kind: 'string'; default: string | null }
  | { kind: 'choice'; default: string; of: readonly string[] }
  | { kind: 'assignors'; default: readonly string[]; of: readonly string[] }
  | { kind: 'reset'; default: string }
  | { kind: 'servers' }
  | { kind: 'function' | 'object' };

const int = (defaultValue: number, min = 0, max = MAX_INT32): Rule => ({
  kind: 'int',
  default: defaultValue,
  min,
  max,
});

/** Every option, what it takes, and its default: the one table that validation and `-X name=value` go by. */
export const RULES: Readonly<Record<keyof ConsumerOptions, Rule>> = {
  bootstrapServers: { kind: 'servers' },
  clientId: { kind: 'string', default: 'samsa' },
  groupId: { kind: 'string', default: null },
  groupInstanceId: { kind: 'string', default: null },
  groupProtocol: { kind: 'choice', default: 'classic', of: ['classic', 'consumer'] },
  groupRemoteAssignor: { kind: 'string', default: null },
  autoOffsetReset: { kind: 'reset', default: 'latest' },
  enableAutoCommit: { kind: 'boolean', default: true },
  autoCommitIntervalMs: int(5000, 1),
  enableAutoOffsetStore: { kind: 'boolean', default: true },
  sessionTimeoutMs: int(45000, 1),
  heartbeatIntervalMs: int(3000, 1),
  maxPollIntervalMs: int(300000, 1),
  maxPollRecords: int(500, 1),
  fetchMinBytes: int(1),
  fetchMaxBytes: int(52428800, 1),
  fetchMaxWaitMs: int(500),
  maxPartitionFetchBytes: int(1048576, 1),
  isolationLevel: { kind: 'choice', default: 'read_uncommitted', of: ['read_uncommitted', 'read_committed'] },
  onCorruptBatch: { kind: 'choice', default: 'fail', of: ['fail', 'skip'] },
  checkCrcs: { kind: 'boolean', default: true },
  partitionAssignmentStrategy: { kind: 'assignors', default: ['range', 'cooperative-sticky'], of: ASSIGNOR_NAMES },
  clientRack: { kind: 'string', default: '' },
  requestTimeoutMs: int(30000, 1),
  defaultApiTimeoutMs: int(60000, 1),
  retryBackoffMs: int(100),
  retryBackoffMaxMs: int(1000),
  reconnectBackoffMs: int(50),
  reconnectBackoffMaxMs: int(1000),
  socketConnectionSetupTimeoutMs: int(10000, 1),
  metadataMaxAgeMs: int(300000, 1),
  metadataRecoveryStrategy: { kind: 'choice', default: 'rebootstrap', of: ['rebootstrap', 'none'] },
  metadataRecoveryRebootstrapTriggerMs: int(300000),
  allowAutoCreateTopics: { kind: 'boolean', default: true },
  excludeInternalTopics: { kind: 'boolean', default: true },
  statisticsIntervalMs: int(0),
  receiveMessageMaxBytes: int(104858112, 1024),
  maxDecompressedBytes: int(104857600, 1),
  codecs: { kind: 'object' },
  keyDeserializer: { kind: 'function' },
  valueDeserializer: { kind: 'function' },
  signal: { kind: 'object' },
  logger: { kind: 'object' },
};

/** @throws ConfigError that names the option and what it takes */
export function validateOptions(options: ConsumerOptions<unknown, unknown>): Settings {
  if (typeof options !== 'object' || options === null)
    throw new ConfigError('new Consumer(options): options must be an object');
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(RULES, name)) throw unknownOption(name);
  }
  const given = options as unknown as Record<string, unknown>;
  const settings: Record<string, unknown> = {};
  for (const [name, rule] of Object.entries(RULES)) settings[name] = validated(name, rule, given[name]);
  const result = settings as unknown as Settings; // every name of Settings has a rule
  checkTogether(result, given);
  return result;
}

function validated(name: string, rule: Rule, value: unknown): unknown {
  if (rule.kind === 'servers') return parseServers(value);
  if (rule.kind === 'assignors') return assignors(name, rule, value === undefined ? rule.default : value);
  if (value === undefined) return 'default' in rule ? rule.default : undefined;
  switch (rule.kind) {
    case 'int':
      if (typeof value === 'number' && Number.isInteger(value) && value >= rule.min && value <= (rule.max ?? MAX_INT32))
        return value;
      throw wrong(name, value, `an integer from ${rule.min} to ${rule.max ?? MAX_INT32}`);
    case 'boolean':
      if (typeof value === 'boolean') return value;
      throw wrong(name, value, 'true or false');
    case 'string':
      if (typeof value === 'string' && (value !== '' || rule.default === '')) return value;
      throw wrong(name, value, 'a string that is not empty');
    case 'choice':
      if (typeof value === 'string' && rule.of.includes(value)) return value;
      throw wrong(name, value, oneOf(rule.of));
    case 'reset':
      if (isAutoOffsetReset(value)) return value;
      throw wrong(name, value, RESET_POLICIES);
    case 'function':
      if (typeof value === 'function') return value;
      throw wrong(name, value, 'a function (bytes, context) => value');
    case 'object':
      if (name === 'codecs') return codecs(value);
      return name === 'signal' ? signal(value) : logger(value);
  }
}

function assignors(name: string, rule: { of: readonly string[] }, value: unknown): readonly Assignor[] {
  const known = assignorsOf(value);
  if (known !== null) return known;
  throw wrong(name, value, `one or more of ${oneOf(rule.of)}, or objects { name, supportedProtocols, assign }`);
}

function signal(value: unknown): unknown {
  if (isSignal(value)) return value;
  throw wrong('signal', value, 'an AbortSignal');
}

/** Not by class: polyfills and other realms have signals, too. */
export function isSignal(value: unknown): value is AbortSignal {
  return hasFunctions(value, ['addEventListener', 'removeEventListener']) && 'aborted' in value;
}

function codecs(value: unknown): unknown {
  const names = COMPRESSION_NAMES.slice(1); // all but 'none'
  const isRight = ([name, codec]: [string, unknown]): boolean =>
    names.some((each) => each === name) && hasFunctions(codec, ['decompress']);
  const entries = typeof value === 'object' && value !== null ? Object.entries(value) : [];
  if (entries.length > 0 && entries.every(isRight)) return value;
  throw wrong('codecs', value, `an object of ${names.join(', ')} with a function decompress(bytes, maxBytes) each`);
}

function logger(value: unknown): unknown {
  if (value === null || hasFunctions(value, ['debug', 'info', 'warn', 'error'])) return value;
  throw wrong('logger', value, 'an object with the functions debug, info, warn and error, or null for silence');
}

/** Options that the broker decides in the consumer group protocol, and where. */
const BROKERS_AFFAIR = {
  sessionTimeoutMs: 'group.consumer.session.timeout.ms of the broker or consumer.session.timeout.ms of the group',
  heartbeatIntervalMs:
    'group.consumer.heartbeat.interval.ms of the broker or consumer.heartbeat.interval.ms of the group',
  partitionAssignmentStrategy: 'groupRemoteAssignor, the name of an assignor of the broker',
} as const;

function checkGroupProtocol({ groupProtocol, groupRemoteAssignor }: Settings, given: Record<string, unknown>): void {
  if (groupProtocol === 'classic') {
    if (groupRemoteAssignor !== null)
      throw new ConfigError(
        "groupRemoteAssignor needs groupProtocol 'consumer'; 'classic' has partitionAssignmentStrategy",
      );
    return;
  }
  for (const [name, instead] of Object.entries(BROKERS_AFFAIR)) {
    if (given[name] === undefined) continue;
    throw new ConfigError(
      `${name} is the broker's affair with groupProtocol 'consumer': leave it out; there is ${instead}`,
    );
  }
}

/** What one option alone cannot tell. */
function checkTogether(settings: Settings, given: Record<string, unknown>): void {
  checkGroupProtocol(settings, given);
  if (settings.heartbeatIntervalMs >= settings.sessionTimeoutMs) {
    throw new ConfigError(
      `heartbeatIntervalMs (${settings.heartbeatIntervalMs}) must be less than sessionTimeoutMs (${settings.sessionTimeoutMs}), at most a third of it`,
    );
  }
  if (settings.groupId === null && given['enableAutoCommit'] === true) {
    throw new ConfigError('enableAutoCommit needs a groupId: offsets are committed in the name of a group');
  }
  if (settings.groupId === null && settings.groupInstanceId !== null)
    throw new ConfigError('groupInstanceId needs a groupId');
  if (settings.groupId === null) settings.enableAutoCommit = false;
  const mostFrameBytes = settings.fetchMaxBytes + RESPONSE_OVERHEAD_BYTES;
  if (settings.receiveMessageMaxBytes < mostFrameBytes) {
    if (given['receiveMessageMaxBytes'] !== undefined) {
      throw new ConfigError(
        `receiveMessageMaxBytes (${settings.receiveMessageMaxBytes}) must be at least ${RESPONSE_OVERHEAD_BYTES} more than fetchMaxBytes (${settings.fetchMaxBytes}): no response would be read`,
      );
    }
    settings.receiveMessageMaxBytes = Math.min(mostFrameBytes, MAX_INT32);
  }
  if (settings.retryBackoffMaxMs < settings.retryBackoffMs) settings.retryBackoffMaxMs = settings.retryBackoffMs;
  if (settings.reconnectBackoffMaxMs < settings.reconnectBackoffMs)
    settings.reconnectBackoffMaxMs = settings.reconnectBackoffMs;
}

export function unknownOption(name: string): ConfigError {
  const near = closest(name, Object.keys(RULES));
  return new ConfigError(`unknown option '${name}'${near === null ? '' : `: did you mean '${near}'?`}`);
}

function wrong(name: string, value: unknown, takes: string): ConfigError {
  return new ConfigError(`${name} takes ${takes}, not ${show(value)}`);
}

export function show(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`;
  if (typeof value !== 'object' || value === null) return String(value);
  try {
    return JSON.stringify(value);
  } catch {
    return 'an object'; // one with a cycle or a BigInt in it
  }
}

function hasFunctions(value: unknown, names: readonly string[]): value is object {
  if (typeof value !== 'object' || value === null) return false;
  return names.every((name) => typeof (value as Record<string, unknown>)[name] === 'function');
}

function oneOf(values: readonly string[]): string {
  return values
    .map((value) => `'${value}'`)
    .join(', ')
    .replace(/, ([^,]*)$/, ' or $1');
}
