import type { Consumer, RebalanceListener } from '../../src/index.ts';
import type { Positions } from './positions.ts';

/**
 * The example of the javadoc of Java's ConsumerRebalanceListener, `SaveOffsetsOnRebalance`: what was read is saved when a partition is
 * given back, and whoever gets it next begins there. Nothing of a partition is read before its `onAssigned` has returned.
 */
export function saveOffsetsOnRebalance(consumer: Consumer, positions: Positions): RebalanceListener {
  return {
    async onRevoked(partitions) {
      for (const partition of partitions) positions.save(partition, await consumer.position(partition));
    },
    onLost() {
      // Others may have read on already: what they saved must not be overwritten.
    },
    onAssigned(partitions) {
      for (const partition of partitions) {
        const position = positions.read(partition);
        if (position !== undefined) consumer.seek(partition, position);
      }
    },
  };
}
