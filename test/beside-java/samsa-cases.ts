import { Consumer, type ConsumerOptions, type RebalanceListener, type TopicPartition } from '../../src/index.ts';

/** One case: what it reads, and what came of it in a few words. The same words as in `JavaCases.java`. */
type Case = (topic: string) => Promise<string>;

export interface CaseSetting {
  readonly bootstrapServers: string;
  readonly groupProtocol: 'classic' | 'consumer';
}

const RECORDS = 20;
/** No case waits longer for records, as in `JavaCases.java`. */
const PATIENCE_MS = 10_000;

/** The cases of `JavaCases.java`, in its order, written with samsa. */
export function samsaCases({ bootstrapServers, groupProtocol }: CaseSetting): Record<string, Case> {
  const consumer = (groupId: string | null, options: Partial<ConsumerOptions> = {}): Consumer =>
    new Consumer({
      bootstrapServers,
      autoOffsetReset: 'earliest',
      autoCommitIntervalMs: 600_000, // what is committed is committed by the case
      logger: null,
      ...(groupId === null ? {} : { groupId, groupProtocol }),
      ...(groupId === null || groupProtocol === 'consumer' ? {} : { heartbeatIntervalMs: 300 }),
      ...options,
    });

  const committed = async (groupId: string, partition: TopicPartition): Promise<number> => {
    await using other = consumer(groupId);
    const [found] = await other.committed([partition]);
    return found?.offset ?? -1;
  };

  const committedOfAll = async (topic: string): Promise<number> => {
    const offsets = await Promise.all([0, 1].map((partition) => committed(topic, { topic, partition })));
    return offsets.reduce((sum, offset) => sum + Math.max(0, offset), 0);
  };

  return {
    'assign-again': async (topic) => {
      const first = { topic, partition: 0 };
      await using reader = consumer(null, { autoOffsetReset: 'latest', maxPollRecords: 5 });
      reader.assign([first]);
      reader.seek(first, 0);
      await take(reader, 5);
      reader.pause([first]);
      reader.assign([first, { topic, partition: 1 }]);
      const isPaused = reader.paused().some(({ partition }) => partition === 0);
      return `position ${await reader.position(first)}, paused ${isPaused}`;
    },

    'seek-in-onAssigned': async (topic) => {
      await using reader = consumer(topic);
      reader.subscribe([topic], { onAssigned: (partitions) => partitions.forEach((each) => reader.seek(each, 7)) });
      return `${await take(reader, 6)} records`;
    },

    'position-in-onAssigned': async (topic) => {
      await using reader = consumer(topic);
      const positions: number[] = [];
      reader.subscribe([topic], {
        onAssigned: async (partitions) => {
          for (const each of partitions) positions.push(await reader.position(each));
        },
      });
      await take(reader, RECORDS);
      return `positions [${positions.join(', ')}]`;
    },

    'onRevoked-at-close': async (topic) => {
      const said: string[] = [];
      const reader = consumer(topic);
      reader.subscribe([topic], {
        onRevoked: async (partitions) => {
          let positions = 0;
          for (const each of partitions) positions += await reader.position(each);
          const beginnings = await reader.beginningOffsets(partitions);
          const assigned = reader.assignment().length;
          said.push(`assignment ${assigned}, positions ${positions}, beginnings ${beginnings.length}`);
        },
      });
      await take(reader, RECORDS);
      await reader.close();
      return said.join('; ');
    },

    'commit-in-onRevoked-at-close': async (topic) => {
      const reader = consumer(topic, { enableAutoCommit: false });
      reader.subscribe([topic], { onRevoked: () => reader.commit() });
      await take(reader, RECORDS);
      await reader.close();
      return `committed ${await committedOfAll(topic)}`;
    },

    'unsubscribe-after-poll': async (topic) => {
      let revoked = 0;
      await using reader = consumer(topic);
      await using other = consumer(topic);
      reader.subscribe([topic], { onRevoked: (partitions) => void (revoked += partitions.length) });
      await take(reader, RECORDS);
      reader.unsubscribe();
      other.subscribe([topic]);
      await pollUntil(other, () => other.assignment().length === 2);
      return `revoked ${revoked}, the other member has ${other.assignment().length}`;
    },

    'onAssigned-throws': async (topic) => {
      let calls = 0;
      let errors = 0;
      let taken = 0;
      await using reader = consumer(topic);
      reader.subscribe([topic], {
        onAssigned: () => {
          if (++calls <= 2) throw new Error('no store');
        },
      });
      let atFirstRecord = 'none';
      for (const end = performance.now() + PATIENCE_MS; taken < RECORDS && performance.now() < end;) {
        try {
          const count = await pollOnce(reader);
          if (count > 0 && taken === 0) atFirstRecord = `${calls} calls, ${errors} errors`;
          taken += count;
        } catch {
          errors++;
        }
      }
      return `${taken} records, the first one after ${atFirstRecord}`;
    },

    'onRevoked-throws': async (topic) => {
      let errors = 0;
      let calls = 0;
      await using reader = consumer(topic);
      await using other = consumer(topic);
      reader.subscribe([topic], {
        onRevoked: () => {
          if (++calls === 1) throw new Error('no store');
        },
      });
      await take(reader, RECORDS);
      other.subscribe([topic]);
      const isShared = (): boolean => other.assignment().length >= 1;
      const reading = (async () => {
        for (const end = performance.now() + PATIENCE_MS; !isShared() && performance.now() < end;) {
          await pollOnce(reader).catch(() => errors++);
        }
      })();
      await pollUntil(other, isShared);
      await reading;
      return `${errors} errors, the other member has ${other.assignment().length}`;
    },

    'poll-close': async (topic) => {
      const reader = consumer(topic);
      reader.subscribe([topic]);
      await take(reader, RECORDS);
      await reader.close();
      return (await committedOfAll(topic)) === RECORDS ? 'committed all' : 'committed not all';
    },

    'poll-throw-close': async (topic) => {
      const reader = consumer(topic);
      reader.subscribe([topic]);
      let handled = 0;
      try {
        const batches = await firstBatches(reader);
        for (const batch of batches) {
          for (const record of batch)
            if (++handled === 3) throw new Error(`the handler has failed at ${record.offset}`);
        }
      } catch {
        // as an application does that closes in `finally`
      } finally {
        await reader.close();
      }
      const isMore = (await committedOfAll(topic)) > 2;
      return isMore ? 'committed more than was handled' : 'committed no more than was handled';
    },

    'commit-after-poll': async (topic) => {
      const reader = consumer(topic, { enableAutoCommit: false });
      reader.subscribe([topic]);
      await take(reader, RECORDS);
      await reader.commitSync();
      await reader.close();
      return `committed ${await committedOfAll(topic)}`;
    },

    'out-of-range-none': async (topic) => {
      const partition = { topic, partition: 0 };
      await using reader = consumer(null, { autoOffsetReset: 'none' });
      reader.assign([{ ...partition, offset: 100 }]);
      const errors = await errorsOf(reader, 3, 'OffsetOutOfRangeError');
      reader.seek(partition, 0);
      return `${errors} errors, then ${await take(reader, 10)} records`;
    },

    'no-offset-none': async (topic) => {
      const partition = { topic, partition: 0 };
      await using reader = consumer(topic, { autoOffsetReset: 'none' });
      reader.assign([partition]);
      const errors = await errorsOf(reader, 2, 'NoOffsetError');
      reader.seek(partition, 0);
      return `${errors} errors, then ${await take(reader, 10)} records`;
    },

    'metadata-of-a-commit': async (topic) => {
      const partition = { topic, partition: 0 };
      await using reader = consumer(topic);
      reader.assign([partition]);
      await take(reader, 10);
      await reader.commitSync({ ...partition, offset: 2, metadata: 'state of 2' });
      await reader.commitSync();
      const [found] = await reader.committed([partition]);
      return `offset ${found?.offset}, metadata '${found?.metadata}'`;
    },

    'null-metadata': async (topic) => {
      const partition = { topic, partition: 0 };
      await using reader = consumer(topic);
      reader.assign([partition]);
      await reader.commitSync({ ...partition, offset: 2, metadata: null as never });
      const [found] = await reader.committed([partition]);
      return `offset ${found?.offset}, metadata '${found?.metadata}'`;
    },

    'subscribe-nothing': async (topic) => {
      await using reader = consumer(topic);
      reader.subscribe([topic]);
      reader.subscribe([]);
      return `subscription [${reader.subscription().join(', ')}]`;
    },

    'listener-of-the-subscription': async (topic) => {
      const said: string[] = [];
      const listener = (name: string): RebalanceListener => ({
        onAssigned: (partitions) => void said.push(`${name} assigned ${partitions.length}`),
        onRevoked: (partitions) => void said.push(`${name} revoked ${partitions.length}`),
      });
      const reader = consumer(topic);
      reader.subscribe([topic], listener('first'));
      await take(reader, RECORDS);
      reader.unsubscribe();
      reader.subscribe([topic], listener('second'));
      await pollUntil(reader, () => said.length >= 3);
      await reader.close();
      return said.join(', ');
    },

    'onLost-default': async (topic) => {
      const said: string[] = [];
      await using reader = consumer(topic, { maxPollIntervalMs: 1500 });
      reader.subscribe([topic], {
        onAssigned: () => void said.push('assigned'),
        onRevoked: () => void said.push('revoked'),
      });
      await take(reader, RECORDS);
      await new Promise((resolve) => setTimeout(resolve, 4000)); // the application is away, which is the case
      await pollUntil(reader, () => said.length >= 3);
      return said.slice(0, 3).join(', ');
    },

    'two-readers': async (topic) => {
      await using reader = consumer(null);
      reader.assign([{ topic, partition: 0, offset: 'latest' }]);
      const first = reader.poll({ timeoutMs: 3000 });
      const second = await reader.poll({ timeoutMs: 100 }).then(
        () => 'taken',
        () => 'refused',
      );
      await first;
      return second;
    },

    'seek-while-paused': async (topic) => {
      const partition = { topic, partition: 0 };
      await using reader = consumer(null);
      reader.assign([partition]);
      reader.pause([partition]);
      reader.seek(partition, 4);
      let before = 0;
      for (let polls = 0; polls < 5; polls++) before += await pollOnce(reader);
      reader.resume([partition]);
      return `${before} records, after resume ${await take(reader, 6)}`;
    },

    'assign-after-unsubscribe': async (topic) => {
      const partition = { topic, partition: 0 };
      await using reader = consumer(topic);
      reader.subscribe([topic]);
      await take(reader, RECORDS);
      reader.unsubscribe();
      reader.assign([{ ...partition, offset: 0 }]);
      const taken = await take(reader, 10);
      return `assignment ${reader.assignment().length}, ${taken} records`;
    },

    'commit-after-unsubscribe': async (topic) => {
      const partition = { topic, partition: 0 };
      const reader = consumer(topic);
      reader.subscribe([topic]);
      await take(reader, RECORDS);
      reader.unsubscribe();
      await reader.commitSync({ ...partition, offset: 3 });
      await reader.close();
      return `committed ${await committed(topic, partition)}`;
    },

    'leader-epoch-of-a-time': async (topic) => {
      await using reader = consumer(null);
      const [found] = await reader.offsetsForTimes([{ topic, partition: 0, timestamp: 0 }]);
      return `offset ${found?.offset}, leader epoch ${found?.leaderEpoch}`;
    },

    'close-in-onAssigned': async (topic) => {
      const reader = consumer(topic);
      let said = 'not closed';
      reader.subscribe([topic], {
        onAssigned: async () => {
          const began = performance.now();
          await reader.close();
          said = performance.now() - began < PATIENCE_MS ? 'closed soon' : 'closed late';
        },
      });
      await pollUntil(reader, () => said !== 'not closed').catch(() => undefined);
      await reader.close();
      return said;
    },
  };
}

async function pollOnce(reader: Consumer): Promise<number> {
  const batches = await reader.poll({ timeoutMs: 100 });
  return batches.reduce((sum, { recordCount }) => sum + recordCount, 0);
}

async function pollUntil(reader: Consumer, isDone: () => boolean): Promise<void> {
  for (const end = performance.now() + PATIENCE_MS; !isDone() && performance.now() < end;) await pollOnce(reader);
}

/** Polls until so many records were given. */
async function take(reader: Consumer, count: number): Promise<number> {
  let taken = 0;
  for (const end = performance.now() + PATIENCE_MS; taken < count && performance.now() < end;)
    taken += await pollOnce(reader);
  return taken;
}

async function firstBatches(reader: Consumer): ReturnType<Consumer['poll']> {
  for (;;) {
    const batches = await reader.poll({ timeoutMs: 100 });
    if (batches.length > 0) return batches;
  }
}

/** Polls until so many errors of this class were thrown. */
async function errorsOf(reader: Consumer, count: number, name: string): Promise<number> {
  let errors = 0;
  for (let polls = 0; polls < 100 && errors < count; polls++) {
    await pollOnce(reader).catch((error: unknown) => {
      if ((error as Error).name === name) errors++;
    });
  }
  return errors;
}
