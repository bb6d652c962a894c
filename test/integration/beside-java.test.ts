import { randomUUID } from 'node:crypto';
import { expect, inject, it } from 'vitest';
import { besideJava } from '../beside-java/beside-java.ts';
import { javaMajorVersion } from '../harness/kafka-jars.ts';
import { TOOLS_VERSION } from '../harness/kafka-tools.ts';

it.skipIf(javaMajorVersion() < 17).each(['classic', 'consumer'] as const)(
  `does what Java's consumer of ${TOOLS_VERSION} does, but where a reason says otherwise: group protocol %s`,
  { timeout: 400_000 },
  async (groupProtocol) => {
    const { bootstrapServers } = inject('broker');
    const outcomes = await besideJava({ bootstrapServers, groupProtocol }, randomUUID());
    expect(outcomes.length).toBeGreaterThan(20);
    expect(outcomes.filter(({ java, samsa, reason }) => java !== samsa && reason === undefined)).toEqual([]);
  },
);
