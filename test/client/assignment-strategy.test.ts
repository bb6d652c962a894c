import { describe, expect, it } from 'vitest';
import type { Assignor } from '../../src/client/assignment-strategy.ts';
import { validateOptions } from '../../src/client/validate.ts';
import { ConfigError } from '../../src/errors.ts';

const mine: Assignor = { name: 'mine', supportedProtocols: ['eager'], assign: () => new Map() };

function namesOf(partitionAssignmentStrategy: unknown): string[] {
  const options = { bootstrapServers: 'kafka:9092', partitionAssignmentStrategy } as never;
  return validateOptions(options).partitionAssignmentStrategy.map(({ name }) => name);
}

describe('partitionAssignmentStrategy', () => {
  it.each([
    ['sticky', ['sticky']],
    ['range, cooperative-sticky', ['range', 'cooperative-sticky']],
    [
      ['roundrobin', 'range', 'roundrobin'],
      ['roundrobin', 'range'],
    ],
    [mine, ['mine']],
    [
      ['range', mine, mine],
      ['range', 'mine'],
    ],
  ])('%j is %j', (given, names) => {
    expect(namesOf(given)).toEqual(names);
  });

  it('keeps the object itself, so that it may have a state', () => {
    const options = { bootstrapServers: 'kafka:9092', partitionAssignmentStrategy: [mine] };
    expect(validateOptions(options).partitionAssignmentStrategy[0]).toBe(mine);
  });

  it('refuses two assignors of one name', () => {
    expect(() => namesOf(['range', { ...mine, name: 'range' }])).toThrow(
      new ConfigError("partitionAssignmentStrategy: two different assignors have the name 'range'"),
    );
  });

  it('refuses assignors that no rebalance protocol is common to', () => {
    expect(() => namesOf(['range', { ...mine, supportedProtocols: ['cooperative'] }])).toThrow(
      new ConfigError(
        "partitionAssignmentStrategy: no rebalance protocol is common to all of 'range' (eager), 'mine' (cooperative)",
      ),
    );
    expect(namesOf(['cooperative-sticky', { ...mine, supportedProtocols: ['cooperative'] }])).toHaveLength(2);
  });

  it.each([
    ['supportedProtocols', []],
    ['supportedProtocols', ['lazy']],
    ['supportedProtocols', 'eager'],
    ['assign', undefined],
    ['subscriptionUserData', 5],
    ['name', 5],
  ])('refuses an object with a wrong %s: %j', (field, value) => {
    expect(() => namesOf([{ ...mine, [field]: value }])).toThrow(
      /^partitionAssignmentStrategy takes one or more of 'range', .* or objects \{ name, supportedProtocols, assign \}/,
    );
  });
});
