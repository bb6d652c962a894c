import { expect, it } from 'vitest';
import { ConsumerMembership } from '../../src/group/consumer-membership.ts';
import { isLegalConsumerMove } from '../../src/group/consumer-states.ts';
import { OPTIONS } from './consumer-rig.ts';

it('throws at an illegal move', () => {
  const member = new ConsumerMembership({ ...OPTIONS, topicName: () => undefined });
  expect(() => member.moveTo('stable', 'a test')).toThrow('illegal move unsubscribed → stable (a test)');
  expect(member.state).toBe('unsubscribed');
  member.moveTo('joining', 'a test');
  expect(member.state).toBe('joining');
});

it('knows the moves of Java’s MemberState', () => {
  expect(isLegalConsumerMove('stable', 'acknowledging')).toBe(false);
  expect(isLegalConsumerMove('reconciling', 'acknowledging')).toBe(true);
  expect(isLegalConsumerMove('fenced', 'stable')).toBe(false);
  expect(isLegalConsumerMove('fatal', 'joining')).toBe(false);
});
