import { ConfigError } from '../../errors.ts';
import type { Assignor } from './assignor.ts';
import { range } from './range.ts';
import { roundrobin } from './roundrobin.ts';

/** The assignors that can be named in `partitionAssignmentStrategy`. */
export const ASSIGNORS: readonly Assignor[] = [range, roundrobin];

/** @throws ConfigError that names those there are */
export function assignorOf(name: string): Assignor {
  const assignor = ASSIGNORS.find((each) => each.name === name);
  if (assignor !== undefined) return assignor;
  throw new ConfigError(`no assignor '${name}'; there are ${ASSIGNORS.map((each) => `'${each.name}'`).join(', ')}`);
}
