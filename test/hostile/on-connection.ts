import { type KafkaError, toKafkaError } from '../../src/errors.ts';
import { Connection } from '../../src/network/connection.ts';
import { kafkaErrorOf } from '../../src/protocol/error-codes.ts';
import { metadata } from '../../src/protocol/api/metadata.ts';
import { MockCluster } from '../../src/testing/index.ts';
import { type Memory, MemoryWatch } from './consumption.ts';
import type { Misdeed } from './misdeeds.ts';
import { HostilePeer } from './peer.ts';

const REQUEST = {
  topics: [],
  allowAutoTopicCreation: false,
  includeClusterAuthorizedOperations: false,
  includeTopicAuthorizedOperations: false,
};

export interface Meeting {
  /** What `open` or `send` was rejected with; null where neither was. */
  readonly error: KafkaError | null;
  readonly ms: number;
  /** What was in flight beside it was rejected with the same; true where nothing was. */
  readonly othersToo: boolean;
  readonly isOpen: boolean;
  readonly memory: Memory;
}

/** One connection and a peer that begins with its misdeeds at ApiVersions, or at the first request after it. */
export async function meet(
  misdeed: Misdeed,
  when: 'at ApiVersions' | 'later',
  requestTimeoutMs: number,
): Promise<Meeting> {
  await using kafka = await MockCluster.start();
  const peer = await HostilePeer.before(kafka.broker(1).address);
  peer.misdeed = misdeed;
  peer.spared = when === 'later' ? ['ApiVersions'] : [];
  const memory = new MemoryWatch();
  let connection: Connection | undefined;
  let startedAt = performance.now();
  let error: KafkaError | null = null;
  let othersToo = true;
  try {
    connection = await Connection.open({
      host: peer.host,
      port: peer.port,
      addressesTried: 0,
      clientId: 'test',
      softwareVersion: '0',
      connectTimeoutMs: 2000,
      requestTimeoutMs,
      maxFrameBytes: 104_858_112,
      onOpening: () => undefined,
      onClose: () => undefined,
    });
    startedAt = performance.now();
    const sent = [connection.send(metadata, REQUEST), connection.send(metadata, REQUEST)];
    const [first, second] = await Promise.allSettled(sent);
    if (first?.status === 'rejected') error = toKafkaError(first.reason);
    if (second?.status === 'rejected') {
      error ??= toKafkaError(second.reason);
      othersToo = second.reason === error;
    } else othersToo = error === null;
    const answer = first?.status === 'fulfilled' ? first.value : null;
    if (answer !== null && answer.errorCode !== 0) error = kafkaErrorOf(answer.errorCode, { api: 'Metadata' });
  } catch (thrown) {
    error = toKafkaError(thrown);
  }
  const ms = performance.now() - startedAt;
  // What the peer sends beyond the answers may still be on its way.
  if (error === null && misdeed.error !== null) error = (await connection?.closed) ?? null;
  const isOpen = connection?.isOpen ?? false;
  const most = memory.most();
  memory.end();
  connection?.close();
  await peer.close();
  return { error, ms, othersToo, isOpen, memory: most };
}
