import { describe, expect, it } from 'vitest';
import * as check from '../../src/client/arguments.ts';
import { SubscriptionPattern } from '../../src/client/subscription-pattern.ts';
import { parseServers } from '../../src/client/servers.ts';
import { RULES, validateOptions } from '../../src/client/validate.ts';
import { ConfigError } from '../../src/errors.ts';

const SERVER = { bootstrapServers: 'kafka:9092' };

function validate(options: Record<string, unknown>): ReturnType<typeof validateOptions> {
  return validateOptions({ ...SERVER, ...options });
}

function refusalOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).message;
  }
  return expect.unreachable();
}

describe('every option', () => {
  const wrong: Record<string, unknown[]> = {
    servers: [undefined, null, 5, '', 'a:b:c', 'kafka:0', 'kafka:99999', 'SASL_SSL://kafka:9092', [], [5], ['a', '']],
    int: [null, '5', 1.5, NaN, Infinity, -1, 2 ** 31, true, {}],
    boolean: [null, 'true', 1, {}],
    string: [null, 5, true, {}, []],
    choice: [null, 'smallest', 5, {}],
    reset: [
      null,
      'smallest',
      5,
      {},
      'by_duration:',
      'by_duration:1h',
      'by_duration:-PT1H',
      'by_duration:PT',
      'by_duration:P1Y',
    ],
    assignors: [
      null,
      [],
      'sticky!',
      ['range', 5],
      5,
      {},
      [{ name: 'mine' }],
      { name: '', supportedProtocols: ['eager'], assign: () => new Map() },
    ],
    function: [null, 'toString', {}],
    object: [5, 'x', {}, [], () => undefined],
  };

  it.each(Object.entries(RULES))('%s refuses what it does not take, by its name', (name, { kind }) => {
    for (const value of wrong[kind] ?? expect.unreachable()) {
      if (value === undefined && name !== 'bootstrapServers') continue;
      const message = refusalOf(() => validate({ [name]: value }));
      expect(message, `${name}: ${String(value)}`).toMatch(new RegExp(`^${name} takes .*|^${name} .*must`));
    }
  });

  const ranges = Object.entries(RULES).flatMap(([name, rule]) => {
    return rule.kind === 'int' ? [{ name, min: rule.min, max: rule.max ?? 0x7fffffff, normal: rule.default }] : [];
  });
  it.each(ranges)('$name takes $min to $max, default $normal', ({ name, min, max, normal }) => {
    expect(validate({})).toMatchObject({ [name]: normal });
    const others = {
      retryBackoffMs: 0,
      reconnectBackoffMs: 0,
      sessionTimeoutMs: max,
      fetchMaxBytes: 1,
      heartbeatIntervalMs: 1,
      receiveMessageMaxBytes: max,
    };
    for (const value of [min, max]) {
      if (name === 'heartbeatIntervalMs' && value === max) continue;
      if (name === 'sessionTimeoutMs' && value === min) continue;
      const { receiveMessageMaxBytes, ...rest } = others;
      const given = name === 'fetchMaxBytes' ? rest : { receiveMessageMaxBytes, ...rest };
      expect(validate({ ...given, [name]: value })).toMatchObject({ [name]: value });
    }
    expect(refusalOf(() => validate({ [name]: min - 1 }))).toBe(
      `${name} takes an integer from ${min} to ${max}, not ${min - 1}`,
    );
  });

  it('a misspelt one is named with what was meant', () => {
    expect(refusalOf(() => validate({ groupID: 'g' }))).toBe("unknown option 'groupID': did you mean 'groupId'?");
    expect(refusalOf(() => validate({ autoOfsetReset: 'earliest' }))).toMatch(/did you mean 'autoOffsetReset'/);
    expect(refusalOf(() => validate({ sessionTimeout: 5 }))).toMatch(/did you mean 'sessionTimeoutMs'/);
    expect(refusalOf(() => validate({ flavour: 'x' }))).toBe("unknown option 'flavour'");
    expect(refusalOf(() => validate({ constructor: 'x' }))).toMatch(/unknown option 'constructor'/);
  });

  it('no options at all', () => {
    for (const options of [undefined, null, 'localhost']) {
      expect(refusalOf(() => validateOptions(options as never))).toMatch(/options must be an object/);
    }
    expect(refusalOf(() => validateOptions({} as never))).toMatch(/bootstrapServers takes .* it is missing/);
  });

  it('undefined is the default', () => {
    expect(validate({ maxPollRecords: undefined, groupId: undefined })).toMatchObject({
      maxPollRecords: 500,
      groupId: null,
    });
  });

  it('values that cannot be printed are refused all the same', () => {
    const circular: Record<string, unknown> = {};
    circular['self'] = circular;
    for (const value of [circular, { big: 1n }, Symbol('s'), () => 5]) {
      expect(refusalOf(() => validate({ clientId: value }))).toMatch(/^clientId takes/);
    }
  });
});

describe('options together', () => {
  it.each([
    [
      { sessionTimeoutMs: 3000, heartbeatIntervalMs: 3000 },
      /heartbeatIntervalMs \(3000\) must be less than sessionTimeoutMs/,
    ],
    [{ enableAutoCommit: true }, /enableAutoCommit needs a groupId/],
    [{ groupInstanceId: 'static' }, /groupInstanceId needs a groupId/],
    [
      { fetchMaxBytes: 2000, receiveMessageMaxBytes: 2000 },
      /receiveMessageMaxBytes \(2000\) must be .*fetchMaxBytes \(2000\)/,
    ],
  ])('%j', (options, message) => {
    expect(refusalOf(() => validate(options))).toMatch(message);
  });

  it('what follows from another', () => {
    expect(validate({}).enableAutoCommit).toBe(false);
    expect(validate({ groupId: 'g' }).enableAutoCommit).toBe(true);
    expect(validate({ retryBackoffMs: 5000, reconnectBackoffMs: 6000 })).toMatchObject({
      retryBackoffMaxMs: 5000,
      reconnectBackoffMaxMs: 6000,
    });
    expect(validate({ fetchMaxBytes: 200_000_000 }).receiveMessageMaxBytes).toBe(200_000_512);
  });

  it('signal and logger are taken by what they can do', () => {
    const { signal } = new AbortController();
    expect(() => validate({ signal, logger: console })).not.toThrow();
    expect(() => validate({ logger: null })).not.toThrow();
    expect(refusalOf(() => validate({ signal: null }))).toMatch(/^signal takes an AbortSignal/);
    expect(refusalOf(() => validate({ logger: { info: () => undefined } }))).toMatch(
      /^logger takes an object with the functions/,
    );
  });
});

describe('servers', () => {
  it.each([
    ['kafka:9093', [{ host: 'kafka', port: 9093 }]],
    ['kafka', [{ host: 'kafka', port: 9092 }]],
    ['[::1]:9094', [{ host: '::1', port: 9094 }]],
    [
      ' a:1 , b_c.d-e:65535',
      [
        { host: 'a', port: 1 },
        { host: 'b_c.d-e', port: 65535 },
      ],
    ],
    [
      'PLAINTEXT://a:1, plaintext://[::1],',
      [
        { host: 'a', port: 1 },
        { host: '::1', port: 9092 },
      ],
    ],
    ['a:1,,', [{ host: 'a', port: 1 }]],
    [
      ['a:1', '10.0.0.1'],
      [
        { host: 'a', port: 1 },
        { host: '10.0.0.1', port: 9092 },
      ],
    ],
  ])('%j', (value, expected) => {
    expect(parseServers(value)).toEqual(expected);
  });

  it.each(['::1', 'a:', ':9092', 'a b:1', ',', 'http://a:1', 'SASL_SSL://a:1', '[::1', 'a:1:2'])(
    '%j is refused and shown',
    (value) => {
      expect(refusalOf(() => parseServers(value))).toMatch(/^bootstrapServers takes 'host:port'/);
    },
  );
});

describe('groupProtocol', () => {
  it('consumer leaves to the broker what is the broker’s affair', () => {
    const given = { groupId: 'g', groupProtocol: 'consumer' };
    expect(validate({ ...given, groupRemoteAssignor: 'uniform' })).toMatchObject({ groupRemoteAssignor: 'uniform' });
    expect(validate({ ...given, sessionTimeoutMs: undefined }).groupProtocol).toBe('consumer');
    expect(refusalOf(() => validate({ ...given, sessionTimeoutMs: 45000 }))).toMatch(
      /^sessionTimeoutMs is the broker's affair.*group\.consumer\.session\.timeout\.ms/,
    );
    expect(refusalOf(() => validate({ ...given, heartbeatIntervalMs: 3000 }))).toMatch(
      /^heartbeatIntervalMs .*leave it out/,
    );
    expect(refusalOf(() => validate({ ...given, partitionAssignmentStrategy: 'range' }))).toMatch(
      /^partitionAssignmentStrategy .*groupRemoteAssignor/,
    );
  });

  it('classic has no remote assignor', () => {
    expect(validate({})).toMatchObject({ groupProtocol: 'classic', groupRemoteAssignor: null });
    expect(refusalOf(() => validate({ groupRemoteAssignor: 'uniform' }))).toMatch(
      /^groupRemoteAssignor needs groupProtocol/,
    );
  });
});

describe('arguments', () => {
  it('topic names', () => {
    const named = (...topics: string[]): unknown => ({ topics, patterns: [], brokerPattern: null });
    expect(check.subscription('orders', 'subscribe()')).toEqual(named('orders'));
    expect(check.subscription(['a', 'b', 'a'], 'subscribe()')).toEqual(named('a', 'b'));
    for (const value of [undefined, [], 5, [''], ['.'], ['..'], ['a b'], ['a'.repeat(250)], [5], [[/x/]], [null]]) {
      expect(refusalOf(() => check.subscription(value, 'subscribe()'))).toMatch(/^subscribe\(\) takes/);
    }
  });

  it('patterns: RegExps without a memory, and strings that begin with ^', () => {
    const { topics, patterns } = check.subscription(['a', /^B/gi, '^c.*[0-9]$'], 'subscribe()');
    expect(topics).toEqual(['a']);
    expect(patterns).toEqual([/^B/i, /^c.*[0-9]$/]);
    expect(check.subscription(/x/, 'subscribe()')).toEqual({ topics: [], patterns: [/x/], brokerPattern: null });
    expect(refusalOf(() => check.subscription('^a(', 'subscribe()'))).toMatch(
      /^subscribe\(\): '\^a\(' is not a regular expression: .*Unterminated/,
    );
  });

  it('patterns for the broker: one, or one made of several', () => {
    const patterns = ['a.*', 'b|c'].map((each) => new SubscriptionPattern(each));
    expect(check.subscription(patterns[0], 'subscribe()')).toEqual({ topics: [], patterns: [], brokerPattern: 'a.*' });
    const { brokerPattern, topics } = check.subscription(['t', ...patterns], 'subscribe()');
    expect(brokerPattern).toBe('(?:a.*)|(?:b|c)');
    expect(topics).toEqual(['t']);
    expect(refusalOf(() => new SubscriptionPattern(''))).toMatch(/regular expression as text/);
    expect(refusalOf(() => new SubscriptionPattern(/x/ as never))).toMatch(/regular expression as text/);
  });

  it('partitions', () => {
    expect(check.topicPartitions([{ topic: 't', partition: 0, more: 1 }], 'pause()')).toEqual([
      { topic: 't', partition: 0 },
    ]);
    for (const value of [
      null,
      {},
      [null],
      [{ topic: 't' }],
      [{ partition: 0 }],
      [{ topic: 't', partition: -1 }],
      [{ topic: 't', partition: '0' }],
    ]) {
      expect(refusalOf(() => check.topicPartitions(value, 'pause()'))).toMatch(/^pause\(\) takes/);
    }
  });

  it('offsets and milliseconds', () => {
    expect(check.offset(0, 'seek()')).toBe(0);
    for (const value of [-1, 1.5, 2 ** 53, NaN, '5', null, 5n]) {
      expect(refusalOf(() => check.offset(value, 'seek()'))).toMatch(/^seek\(\) takes an offset from 0 on/);
    }
    expect(check.milliseconds(Infinity, 'poll()')).toBe(0x7fffffff);
    for (const value of [-1, NaN, '5', null]) {
      expect(refusalOf(() => check.milliseconds(value, 'poll()'))).toMatch(/^poll\(\) takes milliseconds/);
    }
  });
});
