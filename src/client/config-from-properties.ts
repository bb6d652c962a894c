import { ConfigError } from '../errors.ts';
import type { Deserializer } from '../protocol/record.ts';
import { ALIASES, FIXED, UNSUPPORTED, VALUE_ALIASES } from './foreign-properties.ts';
import type { ConsumerOptions } from './options.ts';
import { isAutoOffsetReset, RESET_POLICIES } from '../fetch/reset-policy.ts';
import { closest } from './spelling.ts';
import { RULES, show } from './validate.ts';

type Rule = (typeof RULES)[keyof typeof RULES];

const toDotted = (name: string): string => name.replace(/[A-Z]/g, (letter) => `.${letter.toLowerCase()}`);

/** Dotted name → option, of all that can be said in text. */
const OPTIONS: ReadonlyMap<string, { option: string; rule: Rule }> = new Map(
  Object.entries(RULES)
    .filter(([, { kind }]) => kind !== 'function' && kind !== 'object')
    .map(([option, rule]) => [toDotted(option), { option, rule }]),
);

const DESERIALIZER_OPTIONS: ReadonlyMap<string, string> = new Map([
  ['key.deserializer', 'keyDeserializer'],
  ['value.deserializer', 'valueDeserializer'],
]);

const utf8: Deserializer<string | null> = (bytes) => bytes?.toString() ?? null;

/** Java's class → what does the same here; `null` for the bytes as they are. */
const DESERIALIZERS: ReadonlyMap<string, Deserializer<unknown> | null> = new Map([
  ['org.apache.kafka.common.serialization.ByteArrayDeserializer', null],
  ['org.apache.kafka.common.serialization.StringDeserializer', utf8],
]);

/**
 * The options of a Java consumer's `.properties` file (see `parseProperties`) or of a librdkafka configuration: dotted names,
 * librdkafka's own spellings (`metadata.broker.list`, `auto.offset.reset=smallest` …), values as text or not. The names of
 * `ConsumerOptions` themselves are taken as well. Java's `StringDeserializer` and `ByteArrayDeserializer` are known.
 *
 * `K` and `V` are what the deserializers give: `configFromProperties<string | null, string | null>(…)` with `StringDeserializer`.
 *
 * @throws ConfigError for a name that is not known, with the nearest one; for a value that does not fit; and for what samsa
 *   cannot do (yet), such as `security.protocol=SSL`: nothing is left out silently
 */
export function configFromProperties<K = Buffer | null, V = Buffer | null>(
  properties: Readonly<Record<string, string | number | boolean>>,
): ConsumerOptions<K, V> {
  const options: Record<string, unknown> = {};
  const saidBy = new Map<string, string>();
  for (const [name, value] of Object.entries(properties)) {
    const found = optionOf(name, typeof value === 'string' ? value.trim() : value);
    if (found === null) continue;
    const other = saidBy.get(found.option);
    if (other !== undefined) throw new ConfigError(`'${other}' and '${name}' are the same option: leave one out`);
    saidBy.set(found.option, name);
    if (found.value !== undefined) options[found.option] = found.value;
  }
  return options as unknown as ConsumerOptions<K, V>; // the caller knows K and V; `new Consumer` looks for what is missing
}

function optionOf(name: string, value: unknown): { option: string; value: unknown } | null {
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean')
    throw new ConfigError(`${name} takes text, a number or a boolean, not ${show(value)}`);
  const dotted = /[A-Z]/.test(name) ? toDotted(name) : name;
  const canonical = ALIASES.get(dotted) ?? dotted;
  const known = OPTIONS.get(canonical);
  if (known !== undefined)
    return { option: known.option, value: convert(name, known.rule, value, VALUE_ALIASES.get(canonical)) };
  const deserializer = DESERIALIZER_OPTIONS.get(canonical);
  if (deserializer !== undefined) return { option: deserializer, value: deserializerOf(name, value) };
  checkForeign(name, dotted, value);
  return null;
}

function checkForeign(name: string, dotted: string, value: string | number | boolean): void {
  const accepted = FIXED.get(dotted);
  if (accepted?.includes(String(value).toLowerCase()) === true) return;
  if (accepted !== undefined)
    throw new ConfigError(`${name}=${String(value)}: samsa cannot do that yet; it takes ${accepted.join(' or ')}`);
  const unsupported = UNSUPPORTED.find(([known]) =>
    known.endsWith('.') ? dotted.startsWith(known) : dotted === known,
  );
  if (unsupported !== undefined) throw new ConfigError(`'${name}' is not taken: ${unsupported[1]}`);
  const near = closest(dotted, [...OPTIONS.keys(), ...ALIASES.keys(), ...FIXED.keys(), ...DESERIALIZER_OPTIONS.keys()]);
  const inTheSameStyle = name === dotted ? near : (OPTIONS.get(near ?? '')?.option ?? near);
  throw new ConfigError(`unknown option '${name}'${near === null ? '' : `: did you mean '${inTheSameStyle}'?`}`);
}

function convert(
  name: string,
  rule: Rule,
  value: string | number | boolean,
  aliases: ReadonlyMap<string, string> = new Map(),
): unknown {
  const text = String(value);
  switch (rule.kind) {
    case 'int': {
      const number = /^[+-]?\d+$/.test(text) ? Number(text) : NaN;
      const max = rule.max ?? Number.MAX_SAFE_INTEGER;
      if (number >= rule.min && number <= max) return number;
      throw new ConfigError(`${name} takes an integer from ${rule.min} to ${max}, not ${show(value)}`);
    }
    case 'boolean':
      if (/^(true|t|1)$/i.test(text)) return true;
      if (/^(false|f|0)$/i.test(text)) return false;
      throw new ConfigError(`${name} takes true or false, not ${show(value)}`);
    case 'choice': {
      const choice = aliases.get(text.toLowerCase()) ?? text.toLowerCase();
      if (rule.of.includes(choice)) return choice;
      throw new ConfigError(`${name} takes ${rule.of.join(', ')}, not ${show(value)}`);
    }
    case 'reset': {
      const known = aliases.get(text.toLowerCase()) ?? text;
      const policy = known.startsWith('by_duration:') ? known : known.toLowerCase();
      if (isAutoOffsetReset(policy)) return policy;
      throw new ConfigError(`${name} takes ${RESET_POLICIES}, not ${show(value)}`);
    }
    case 'assignors': {
      const list = text.split(',').map((each) => aliases.get(each.trim()) ?? each.trim());
      const wrong = list.find((each) => !rule.of.includes(each));
      if (wrong === undefined) return list;
      throw new ConfigError(`${name} takes ${rule.of.join(', ')}, not ${show(wrong)}`);
    }
    default:
      return text;
  }
}

function deserializerOf(name: string, value: string | number | boolean): Deserializer<unknown> | undefined {
  const known = DESERIALIZERS.get(String(value));
  if (known !== undefined) return known ?? undefined;
  const takes = [...DESERIALIZERS.keys()].join(' or ');
  throw new ConfigError(`${name} takes ${takes}, not ${show(value)}; pass a function to new Consumer() instead`);
}
