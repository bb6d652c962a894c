import { expect, it } from 'vitest';
import { Doubt } from '../../src/client/doubt.ts';

it('a doubt ends with the answer to what was asked after it began, and with none before', () => {
  const told: boolean[] = [];
  const doubt = new Doubt((isOpen) => told.push(isOpen));
  const before = doubt.count;
  doubt.begin();
  const between = doubt.count;
  doubt.begin();
  const after = doubt.count;
  doubt.answered(before);
  doubt.answered(between);
  expect(told).toEqual([true]);
  doubt.answered(after);
  doubt.end();
  expect(told).toEqual([true, false]);
});
