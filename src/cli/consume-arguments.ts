import type { ConsumerOptions } from '../index.ts';
import { COMMON_HELP, COMMON_OPTIONS, consumerOptions, parseArguments } from './common-arguments.ts';
import { compileFormat, type RecordFormat } from './format.ts';
import { parseStart, type Start } from './start.ts';
import { UsageError } from './usage-error.ts';

export const CONSUME_HELP = `samsa consume: prints the records of topics, with the letters of kcat

Usage: samsa consume -b HOST:PORT -t TOPIC… [OPTIONS]

  -t, --topic TOPIC             a topic; repeatable, further names may also follow without -t. One that begins with ^ is a
                                regular expression and stands for every topic that matches: with -g without -p also for
                                those that come later
  -g, --group GROUP             as a member of this group, with the partitions that it is given, and commit;
                                without it: all partitions, and nothing is committed
  -p, --partition PARTITION     this partition only; repeatable. With -g: begins where the group has committed, and
                                commits, without being a member
  -o, --offset WHERE            beginning, end, stored (what the group has committed), an OFFSET, -N (the last N of each
                                partition), s@MS (the first record not older than MS, milliseconds since 1970).
                                Default: beginning; with -g: stored. With -g and without -p, beginning and end say what
                                happens where the group has committed nothing, which else auto.offset.reset does (latest)
  -e, --exit                    ends when the end of every partition is reached
  -c, --count COUNT             ends after so many records; a group commits exactly those
  -f, --format FORMAT           what to print of each record, default '%s\\n':
                                  %s value, %k key, %t topic, %p partition, %o offset, %T timestamp (milliseconds),
                                  %h headers (name=value,…), %S and %K length of value and key (-1 for null), %%
                                  \\n \\r \\t \\\\ \\xHH
                                or json: one object a line with topic, partition, offset, timestamp, key, value and
                                headers ([name, value] each); text, but base64 where the bytes are not UTF-8, with
                                keyEncoding or valueEncoding 'base64' beside it, or 'base64' as a header's third entry
      --progress                once a second on standard error: records/s, MB/s printed, records in all
${COMMON_HELP}`;

export interface ConsumeArguments {
  /** Names, and patterns that begin with `^`. */
  topics: readonly string[];
  /** Empty for all. */
  partitions: readonly number[];
  start: Start;
  exitsAtEnd: boolean;
  /** Infinity for no limit. */
  count: number;
  format: RecordFormat;
  progress: boolean;
  options: ConsumerOptions;
}

/** @returns null where the help is asked for. @throws UsageError, ConfigError */
export function parseConsumeArguments(args: readonly string[]): ConsumeArguments | null {
  const { values, positionals } = parseArguments('consume', args, {
    ...COMMON_OPTIONS,
    topic: { type: 'string', short: 't', multiple: true },
    group: { type: 'string', short: 'g' },
    partition: { type: 'string', short: 'p', multiple: true },
    offset: { type: 'string', short: 'o' },
    exit: { type: 'boolean', short: 'e' },
    count: { type: 'string', short: 'c' },
    format: { type: 'string', short: 'f' },
    progress: { type: 'boolean' },
  });
  if (values.help === true) return null;
  const topics = [...new Set([...(values.topic ?? []), ...positionals])];
  if (topics.length === 0) throw new UsageError('no topic given: -t TOPIC');
  for (const topic of topics) checkTopic(topic);
  const options = consumerOptions(values);
  if (values.group !== undefined) options.groupId = values.group;
  const hasGroup = options.groupId !== undefined;
  const partitions = [...new Set((values.partition ?? []).map((text) => integer('-p', text, 0)))];
  const start = values.offset === undefined ? defaultStart(hasGroup) : parseStart(values.offset);
  checkStart(start, hasGroup, partitions.length > 0, values.offset ?? '');
  return {
    topics,
    partitions,
    start,
    exitsAtEnd: values.exit === true,
    count: values.count === undefined ? Infinity : integer('-c', values.count, 1),
    format: compileFormat(values.format ?? '%s\\n'),
    progress: values.progress === true,
    options: completeOptions(options, start),
  };
}

function checkTopic(topic: string): void {
  if (!topic.startsWith('^')) {
    if (/^[a-zA-Z0-9._-]{1,249}$/.test(topic)) return;
    throw new UsageError(`-t takes a topic's name: letters, digits and . _ -, not '${topic}'`);
  }
  try {
    new RegExp(topic);
  } catch (error) {
    throw new UsageError(`-t ${topic} is not a regular expression: ${(error as Error).message}`);
  }
}

function defaultStart(hasGroup: boolean): Start {
  return { kind: hasGroup ? 'stored' : 'beginning' };
}

function checkStart({ kind }: Start, hasGroup: boolean, hasPartitions: boolean, text: string): void {
  if (kind === 'stored' && !hasGroup) throw new UsageError('-o stored needs -g: offsets are stored by groups');
  if (!hasGroup || hasPartitions || kind === 'stored' || kind === 'beginning' || kind === 'end') return;
  throw new UsageError(`-o ${text} with -g needs -p: a group begins where it has committed; or leave out -g`);
}

/** What the command decides where nothing else is said. */
function completeOptions(given: Partial<ConsumerOptions>, { kind }: Start): ConsumerOptions {
  const options: Partial<ConsumerOptions> = { allowAutoCreateTopics: false, ...given };
  if (options.groupId === undefined) {
    // Of a --config made for a group: nothing is committed without one, and nobody is a member.
    delete options.enableAutoCommit;
    delete options.groupInstanceId;
    options.autoOffsetReset ??= 'earliest';
  } else if (kind === 'beginning' || kind === 'end')
    options.autoOffsetReset = kind === 'beginning' ? 'earliest' : 'latest';
  return options as ConsumerOptions; // consumerOptions() has seen to it that there is a bootstrapServers
}

function integer(option: string, text: string, min: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  if (Number.isSafeInteger(value) && value >= min) return value;
  throw new UsageError(`${option} takes a whole number from ${min} on, not '${text}'`);
}
