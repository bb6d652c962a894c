import { describe, expect, test } from 'vitest';
import { ConfigError, Consumer, configFromProperties, parseProperties } from '../../src/index.ts';
import { RULES } from '../../src/client/validate.ts';

describe('configFromProperties', () => {
  test("takes a Java consumer's names", () => {
    const options = configFromProperties({
      'bootstrap.servers': 'a:9092,b:9092',
      'group.id': 'billing',
      'group.instance.id': 'billing-1',
      'auto.offset.reset': 'earliest',
      'enable.auto.commit': 'FALSE',
      'fetch.max.wait.ms': ' 250 ',
      'max.poll.records': 100,
      'check.crcs': true,
      'partition.assignment.strategy':
        'org.apache.kafka.clients.consumer.RoundRobinAssignor, org.apache.kafka.clients.consumer.RangeAssignor',
      'client.rack': 'a',
      'allow.auto.create.topics': 'false',
      'isolation.level': 'read_committed',
      'group.protocol': 'CLASSIC',
      'security.protocol': 'PLAINTEXT',
    });
    expect(options).toEqual({
      bootstrapServers: 'a:9092,b:9092',
      groupId: 'billing',
      groupInstanceId: 'billing-1',
      groupProtocol: 'classic',
      autoOffsetReset: 'earliest',
      enableAutoCommit: false,
      fetchMaxWaitMs: 250,
      maxPollRecords: 100,
      isolationLevel: 'read_committed',
      checkCrcs: true,
      partitionAssignmentStrategy: ['roundrobin', 'range'],
      clientRack: 'a',
      allowAutoCreateTopics: false,
    });
    expect(() => new Consumer(options)).not.toThrow();
  });

  test("takes librdkafka's own spellings", () => {
    const options = configFromProperties({
      'metadata.broker.list': 'a:9092',
      'fetch.wait.max.ms': 10,
      'fetch.message.max.bytes': 2000,
      'socket.timeout.ms': 7000,
      'topic.metadata.refresh.interval.ms': '9000',
      'partition.assignment.strategy': 'range,roundrobin',
      'enable.partition.eof': true,
      'receive.message.max.bytes': 100_000_000,
    });
    expect(options).toEqual({
      bootstrapServers: 'a:9092',
      fetchMaxWaitMs: 10,
      maxPartitionFetchBytes: 2000,
      requestTimeoutMs: 7000,
      metadataMaxAgeMs: 9000,
      partitionAssignmentStrategy: ['range', 'roundrobin'],
      receiveMessageMaxBytes: 100_000_000,
    });
  });

  test.each([
    ['smallest', 'earliest'],
    ['beginning', 'earliest'],
    ['largest', 'latest'],
    ['end', 'latest'],
    ['error', 'none'],
    ['Latest', 'latest'],
    ['by_duration:P1DT12H', 'by_duration:P1DT12H'],
  ])('auto.offset.reset=%s is %s', (value, autoOffsetReset) => {
    expect(configFromProperties({ 'auto.offset.reset': value })).toEqual({ autoOffsetReset });
  });

  test('takes every option under its dotted and under its own name', () => {
    const values = {
      int: '5000',
      boolean: 'true',
      string: 'x',
      reset: 'by_duration:PT1H',
      assignors: 'range',
      servers: 'a:1',
    };
    for (const [option, rule] of Object.entries(RULES)) {
      if (rule.kind === 'function' || rule.kind === 'object') continue;
      const dotted = option.replace(/[A-Z]/g, (letter) => `.${letter.toLowerCase()}`);
      const value = rule.kind === 'choice' ? rule.of[0] : values[rule.kind];
      const expected = configFromProperties({ [option]: value ?? '' });
      expect(Object.keys(expected), option).toEqual([option]);
      expect(configFromProperties({ [dotted]: value ?? '' }), dotted).toEqual(expected);
    }
  });

  test("knows Java's deserializers of bytes and strings", () => {
    const { keyDeserializer, valueDeserializer } = configFromProperties<Buffer | null, string | null>({
      'key.deserializer': 'org.apache.kafka.common.serialization.ByteArrayDeserializer',
      'value.deserializer': 'org.apache.kafka.common.serialization.StringDeserializer',
    });
    expect(keyDeserializer).toBeUndefined();
    const context = { topic: 't', partition: 0 } as unknown as Parameters<NonNullable<typeof valueDeserializer>>[1];
    expect(valueDeserializer?.(Buffer.from('grün'), context)).toBe('grün');
    expect(valueDeserializer?.(null, context)).toBeNull();
    expect(() => configFromProperties({ 'value.deserializer': 'com.example.Avro' })).toThrow(
      /^value\.deserializer takes .*StringDeserializer, not 'com\.example\.Avro'/,
    );
  });

  test.each([
    ['fetch.max.wait.mss', 1, "unknown option 'fetch.max.wait.mss': did you mean 'fetch.max.wait.ms'?"],
    ['fetchMaxWaitMS', 1, "unknown option 'fetchMaxWaitMS': did you mean 'fetchMaxWaitMs'?"],
    ['metadata.brokers.list', 'a', "unknown option 'metadata.brokers.list': did you mean 'metadata.broker.list'?"],
    ['colour', 'red', "unknown option 'colour'"],
    ['isolation.level', 'committed', "isolation.level takes read_uncommitted, read_committed, not 'committed'"],
    ['group.protocol', 'modern', "group.protocol takes classic, consumer, not 'modern'"],
    ['security.protocol', 'SASL_SSL', 'security.protocol=SASL_SSL: samsa cannot do that yet; it takes plaintext'],
    ['ssl.keystore.location', '/k', "'ssl.keystore.location' is not taken: samsa cannot do TLS yet"],
    ['sasl.mechanism', 'PLAIN', "'sasl.mechanism' is not taken: samsa cannot do SASL yet"],
    [
      'partition.assignment.strategy',
      'range,fancy',
      "takes range, roundrobin, sticky, cooperative-sticky, not 'fancy'",
    ],
    ['session.timeout.ms', '45s', "session.timeout.ms takes an integer from 1 to 2147483647, not '45s'"],
    ['session.timeout.ms', '', 'session.timeout.ms takes an integer'],
    ['fetch.min.bytes', 1.5, 'fetch.min.bytes takes an integer'],
    ['fetch.min.bytes', -1, 'fetch.min.bytes takes an integer from 0'],
    ['check.crcs', 'maybe', "check.crcs takes true or false, not 'maybe'"],
    [
      'auto.offset.reset',
      'middle',
      /auto\.offset\.reset takes 'earliest', 'latest', 'none' or 'by_duration:.*, not 'middle'/,
    ],
  ])('refuses %s=%s', (name, value, message) => {
    expect(() => configFromProperties({ [name]: value })).toThrow(ConfigError);
    expect(() => configFromProperties({ [name]: value })).toThrow(message);
  });

  test('refuses the same option under two names, and what is no value', () => {
    const twice = { 'bootstrap.servers': 'a:1', 'metadata.broker.list': 'b:1' };
    expect(() => configFromProperties(twice)).toThrow("'bootstrap.servers' and 'metadata.broker.list' are the same");
    const nothing = { 'client.id': null } as unknown as Record<string, string>;
    expect(() => configFromProperties(nothing)).toThrow('client.id takes text, a number or a boolean, not null');
  });
});

// Expected values are what java.util.Properties.load gives for the same text.
describe('parseProperties', () => {
  test.each([
    ['a=1\nb:2\nc 3\nd\te', { a: '1', b: '2', c: '3', d: 'e' }],
    ['  a  =  b c  ', { a: 'b c  ' }],
    ['a = = b', { a: '= b' }],
    ['# no\n! no\n  # no\n\n \t\na=#1!', { a: '#1!' }],
    ['empty\nalso=\nand:', { empty: '', also: '', and: '' }],
    ['list=a,\\\n     b,\\\n\tc\nd=1', { list: 'a,b,c', d: '1' }],
    ['a=1\\\n# part of the value', { a: '1# part of the value' }],
    ['# a comment does not go on \\\na=1', { a: '1' }],
    ['path=c:\\\\temp\\\\\nb=2', { path: 'c:\\temp\\', b: '2' }],
    ['a\\ b\\=c\\:d=1', { 'a b=c:d': '1' }],
    ['e=\\t\\n\\r\\f\\q\\u0041\\u00e9\\"', { e: '\t\n\r\fqAé"' }],
    ['a=1\r\nb=2\rc=3', { a: '1', b: '2', c: '3' }],
    ['a=1\na=2', { a: '2' }],
    ['=x', { '': 'x' }],
    ['a=b\\', { a: 'b' }],
    ['sasl.jaas.config=X required user="a=b";', { 'sasl.jaas.config': 'X required user="a=b";' }],
  ])('reads %j', (text, expected) => {
    expect(parseProperties(text)).toEqual(expected);
  });

  test('names the line of an escape that is none', () => {
    expect(() => parseProperties('a=1\nb=x\\\ny\nc=\\u12g4')).toThrow('line 4 of the properties: \\u takes four');
  });

  test('a name may be anything', () => {
    expect(Object.entries(parseProperties('__proto__=1\nconstructor=2'))).toEqual([
      ['__proto__', '1'],
      ['constructor', '2'],
    ]);
  });
});
