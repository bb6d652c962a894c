import { describe, expect, it } from 'vitest';
import { ClusterMetadata } from '../../src/network/metadata.ts';
import type { MetadataPartition, MetadataResponse } from '../../src/protocol/api/metadata.ts';
import { NO_UUID } from '../../src/protocol/codec.ts';

const ID = 'AAAAAAAAAAAAAAAAAAAAAQ';
const OTHER_ID = 'AAAAAAAAAAAAAAAAAAAAAg';

function partition(partitionIndex: number, leaderId: number, leaderEpoch: number): MetadataPartition {
  return {
    errorCode: 0,
    partitionIndex,
    leaderId,
    leaderEpoch,
    replicaNodes: [1, 2],
    isrNodes: [1],
    offlineReplicas: [],
  };
}

function response(partitions: MetadataPartition[], { topicId = ID, errorCode = 0 } = {}): MetadataResponse {
  return {
    throttleTimeMs: 0,
    brokers: [{ nodeId: 1, host: 'a', port: 1, rack: 'r' }],
    clusterId: null,
    controllerId: 1,
    topics: [{ errorCode, name: 't', topicId, isInternal: false, partitions, topicAuthorizedOperations: 0 }],
    clusterAuthorizedOperations: 0,
    errorCode: 0,
  };
}

function known(...responses: MetadataResponse[]): ClusterMetadata {
  const metadata = new ClusterMetadata();
  for (const each of responses) metadata.update(each);
  return metadata;
}

describe('a list of all topics', () => {
  const list = (...names: string[]): MetadataResponse => {
    const [topic] = response([partition(0, 1, 1)]).topics;
    if (topic === undefined) throw new Error('no topic');
    return { ...response([]), topics: names.map((name) => ({ ...topic, name, topicId: NO_UUID })) };
  };

  it('what one list has not is doubtful, what two in a row have not is gone', () => {
    const metadata = new ClusterMetadata();
    expect(metadata.listed).toBeNull();
    metadata.update(list('a', 'b'), true);
    metadata.update(list('a'), true);
    expect([...(metadata.listed ?? [])].sort()).toEqual(['a', 'b']);
    expect([...metadata.doubtful]).toEqual(['b']);
    metadata.update(list('c')); // an answer about some says nothing of the others
    metadata.update(list('a'), true);
    expect([...(metadata.listed ?? [])]).toEqual(['a']);
    expect([...metadata.doubtful]).toEqual([]);
    expect([...metadata.topics.keys()]).toEqual(['a', 'c']);
  });

  it('what comes back in time has never been away', () => {
    const metadata = new ClusterMetadata();
    for (const names of [['a', 'b'], ['a'], ['b', 'a'], ['a']]) metadata.update(list(...names), true);
    expect([...(metadata.listed ?? [])].sort()).toEqual(['a', 'b']);
  });
});

describe('leaders (KIP-320)', () => {
  it.each([
    ['a newer epoch is taken', response([partition(0, 2, 8)]), { leader: 2, leaderEpoch: 8 }],
    ['the same epoch is taken', response([partition(0, -1, 7)]), { leader: -1, leaderEpoch: 7 }],
    ['an older epoch is refused', response([partition(0, 2, 6)]), { leader: 1, leaderEpoch: 7 }],
    [
      'an older epoch without a topic id, too',
      response([partition(0, 2, 6)], { topicId: NO_UUID }),
      { leader: 1, leaderEpoch: 7 },
    ],
    ['no epoch (before v7) is taken', response([partition(0, 2, -1)]), { leader: 2, leaderEpoch: -1 }],
    [
      'another topic id begins anew',
      response([partition(0, 2, 0)], { topicId: OTHER_ID }),
      { leader: 2, leaderEpoch: 0 },
    ],
  ])('%s', (_, next, expected) => {
    expect(known(response([partition(0, 1, 7)]), next).partition('t', 0)).toMatchObject(expected);
  });

  it('who leads less than before is told', () => {
    const metadata = known(response([partition(0, 1, 7), partition(1, 1, 7)]));
    expect([...metadata.update(response([partition(0, 2, 8), partition(1, 1, 7)])).movedFrom]).toEqual([1]);
    expect([...metadata.update(response([partition(0, 1, 7), partition(1, 1, 7)])).movedFrom]).toEqual([]);
  });

  it('stand while the broker has an error and says nothing of them', () => {
    const metadata = known(response([partition(0, 1, 7)]), response([], { errorCode: 5 }));
    expect(metadata.partition('t', 0)).toMatchObject({ leader: 1 });
    expect(metadata.topics.get('t')?.errorCode).toBe(5);
  });

  const UNKNOWN = response([], { errorCode: 3, topicId: NO_UUID });

  it('stand while one broker does not know the topic, as one that has only just started', () => {
    const metadata = known(response([partition(0, 1, 7)]));
    expect(metadata.update(UNKNOWN, false, 'a:1').isCertain).toBe(false);
    expect(metadata.topics.get('t')).toMatchObject({ errorCode: 3, topicId: ID });
    expect(metadata.partition('t', 0)).toMatchObject({ leader: 1 });
    expect(metadata.update(response([partition(0, 1, 7)]), false, 'a:1').isCertain).toBe(true);
    expect(metadata.topics.get('t')?.errorCode).toBe(0);
    // It counts from the beginning again.
    expect(metadata.update(UNKNOWN, false, 'b:1').isCertain).toBe(false);
    expect(metadata.partition('t', 0)).toBeDefined();
  });

  it.each([
    ['two brokers have forgotten', ['a:1', 'b:1']],
    ['the only broker has forgotten three times', ['a:1', 'a:1', 'a:1']],
  ])('a topic that %s has no partitions', (_, askedOf) => {
    const metadata = known(response([partition(0, 1, 7)]));
    for (const from of askedOf) {
      expect(metadata.topics.get('t')?.partitions).toHaveLength(1);
      metadata.update(UNKNOWN, false, from);
    }
    expect(metadata.topics.get('t')).toMatchObject({ errorCode: 3, partitions: [] });
    expect(metadata.topicId('t')).toBeNull();
    expect(metadata.topicName(ID)).toBeUndefined();
  });

  it.each([5, 29, 17])('no other error of the topic takes them away (%i)', (errorCode) => {
    const metadata = known(response([partition(0, 1, 7)]));
    for (const from of ['a:1', 'b:1', 'c:1'])
      metadata.update(response([], { errorCode, topicId: NO_UUID }), false, from);
    expect(metadata.topics.get('t')).toMatchObject({ errorCode, topicId: ID });
    expect(metadata.partition('t', 0)).toMatchObject({ leader: 1 });
  });
});

it('a new id replaces the old name', () => {
  const metadata = known(response([partition(0, 1, 7)]), response([partition(0, 1, 0)], { topicId: OTHER_ID }));
  expect(metadata.topicName(ID)).toBeUndefined();
  expect(metadata.topicName(OTHER_ID)).toBe('t');
});

it('partitions are found whatever their order and gaps', () => {
  const metadata = known(response([partition(5, 1, 0), partition(0, 2, 0), partition(3, 3, 0)]));
  expect([0, 3, 5].map((index) => metadata.partition('t', index)?.leader)).toEqual([2, 3, 1]);
  expect(metadata.partition('t', 1)).toBeUndefined();
  expect(metadata.partition('u', 0)).toBeUndefined();
});

it('an answer without brokers leaves those that are known', () => {
  const metadata = known(response([]), { ...response([]), brokers: [] });
  expect(metadata.brokers.get(1)).toEqual({ nodeId: 1, host: 'a', port: 1, rack: 'r' });
});

describe('leader hints (KIP-951)', () => {
  const endpoint = { nodeId: 9, host: 'b', port: 2, rack: null };
  const hint = (leaderId: number, leaderEpoch: number) => ({ topic: 't', partition: 0, leaderId, leaderEpoch });

  it('a newer leader is taken, with its address', () => {
    const metadata = known(response([partition(0, 1, 7)]));
    metadata.learnLeaders([hint(9, 8)], [endpoint]);
    expect(metadata.partition('t', 0)).toMatchObject({ leader: 9, leaderEpoch: 8 });
    expect(metadata.brokers.get(9)).toEqual(endpoint);
  });

  it.each([6, 7])('one of epoch %i is not, where epoch 7 is known', (leaderEpoch) => {
    const metadata = known(response([partition(0, 1, 7)]));
    metadata.learnLeaders([hint(9, leaderEpoch)], [endpoint]);
    expect(metadata.partition('t', 0)).toMatchObject({ leader: 1, leaderEpoch: 7 });
  });

  it('nor is one without an address, or of a partition that is not known', () => {
    const metadata = known(response([partition(0, 1, 7)]));
    metadata.learnLeaders([hint(9, 8), { ...hint(1, 8), partition: 5 }], []);
    expect(metadata.partition('t', 0)).toMatchObject({ leader: 1, leaderEpoch: 7 });
    expect(metadata.partition('t', 5)).toBeUndefined();
  });
});
