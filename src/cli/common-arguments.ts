import { readFileSync } from 'node:fs';
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { ConfigError, configFromProperties, parseProperties, type ConsumerOptions } from '../index.ts';
import { UsageError } from './usage-error.ts';

// What every command takes.

type OptionsConfig = NonNullable<ParseArgsConfig['options']>;

export const COMMON_OPTIONS = {
  'bootstrap-servers': { type: 'string', short: 'b' },
  property: { type: 'string', short: 'X', multiple: true },
  config: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const satisfies OptionsConfig;

export const COMMON_HELP = `  -b, --bootstrap-servers LIST  host:port[,host:port…], where to begin
  -X, --property NAME=VALUE     any option of the consumer, with Java's, librdkafka's or samsa's own name; repeatable
      --config FILE             a Java .properties file of such options; -X and the options above go before it
  -h, --help                    this text
`;

interface CommonValues {
  'bootstrap-servers'?: string | undefined;
  property?: string[] | undefined;
  config?: string | undefined;
}

/**
 * `parseArgs` with messages in one line that name the option.
 * @param command for the hint at its help
 */
export function parseArguments<T extends OptionsConfig>(
  command: string,
  args: readonly string[],
  options: T,
): ReturnType<typeof parseArgs<{ args: string[]; options: T; allowPositionals: true; strict: true }>> {
  try {
    return parseArgs({ args: withNegativeNumbers(args, options), options, allowPositionals: true, strict: true });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : '';
    const message = error instanceof Error ? error.message : String(error);
    const name = /'(-[^', ]*)/.exec(message)?.[1] ?? '';
    const hint = `(see samsa ${command} --help)`;
    if (code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION') throw new UsageError(`unknown option '${name}' ${hint}`);
    const takes = message.includes('does not take') ? 'takes no value' : 'takes a value';
    throw new UsageError(`option '${name}' ${takes} ${hint}`);
  }
}

/** `-o -5` → `-o-5`: a negative number is a value, as for kcat; `parseArgs` would take it for an option and refuse. */
function withNegativeNumbers(args: readonly string[], options: OptionsConfig): string[] {
  const result: string[] = [];
  for (const arg of args) {
    const before = result.at(-1) ?? '';
    if (/^-\d+$/.test(arg) && takesValue(before, options))
      result[result.length - 1] = before.startsWith('--') ? `${before}=${arg}` : `${before}${arg}`;
    else result.push(arg);
  }
  return result;
}

function takesValue(arg: string, options: OptionsConfig): boolean {
  return Object.entries(options).some(([name, { type, short }]) => {
    return type === 'string' && (arg === `--${name}` || (short !== undefined && arg === `-${short}`));
  });
}

/** The consumer's options of `--config`, `-X` and `-b`; each goes before the ones named earlier. */
export function consumerOptions(values: CommonValues): Partial<ConsumerOptions> {
  const options: Partial<ConsumerOptions> = {};
  if (values.config !== undefined) Object.assign(options, readConfig(values.config));
  for (const each of values.property ?? []) {
    const equals = each.indexOf('=');
    if (equals < 1) throw new UsageError(`-X takes NAME=VALUE, not '${each}'`);
    Object.assign(options, configFromProperties({ [each.slice(0, equals)]: each.slice(equals + 1) }));
  }
  const servers = values['bootstrap-servers'];
  if (servers !== undefined) options.bootstrapServers = servers;
  if (options.bootstrapServers === undefined) throw new UsageError('no broker given: -b HOST:PORT says where to begin');
  return options;
}

/** @throws UsageError */
export function readConfig(file: string): Partial<ConsumerOptions> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`--config: ${error instanceof Error ? error.message : String(error)}`);
  }
  try {
    return configFromProperties(parseProperties(text));
  } catch (error) {
    if (error instanceof ConfigError) throw new UsageError(`--config ${file}: ${error.message}`);
    throw error;
  }
}
