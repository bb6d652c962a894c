import type { Assignor } from './assignor.ts';
import { range } from './range.ts';
import { roundrobin } from './roundrobin.ts';
import { cooperativeSticky, sticky } from './sticky.ts';

/** The assignors that can be named in `partitionAssignmentStrategy`. */
export const ASSIGNORS: readonly Assignor[] = [range, roundrobin, sticky, cooperativeSticky];
