import { describe, expect, it } from 'vitest';
import { KafkaError, UnsupportedVersionError } from '../../src/errors.ts';
import { answered, assignment, CONNECTION_LOST, ConsumerRig, INTERVAL_MS, OPTIONS } from './consumer-rig.ts';

const NOTHING = {
  instanceId: null,
  rackId: null,
  rebalanceTimeoutMs: -1,
  subscribedTopicNames: null,
  subscribedTopicRegex: null,
  serverAssignor: null,
  topicPartitions: null,
};

const orders = (...partitions: number[]): { topic: string; partition: number }[] =>
  partitions.map((partition) => ({ topic: 'orders', partition }));

describe('joining', () => {
  it('says everything with epoch 0, at once', () => {
    const rig = new ConsumerRig({ serverAssignor: 'uniform', clientRack: 'r1', groupInstanceId: 'i' });
    rig.joining(['b', 'a', 'a']);
    expect(rig.request).toEqual({
      groupId: 'billing',
      memberId: 'me',
      memberEpoch: 0,
      instanceId: 'i',
      rackId: 'r1',
      rebalanceTimeoutMs: 300_000,
      subscribedTopicNames: ['a', 'b'],
      subscribedTopicRegex: null,
      serverAssignor: 'uniform',
      topicPartitions: [],
    });
    expect(rig.group.state).toBe('joining');
  });

  it('takes on its first assignment and acknowledges it at once; then beats at the interval of the broker, saying nothing', () => {
    const rig = new ConsumerRig();
    rig.joining();
    rig.answer({ memberEpoch: 7, heartbeatIntervalMs: 1_234, assignment: assignment({ 'id-orders': [1, 0] }) });
    expect(rig.types).toEqual(['epochChanged', 'assign', 'sendHeartbeat']);
    expect(rig.last('assign')).toMatchObject({
      partitions: orders(1, 0),
      added: orders(1, 0),
      generation: 7,
      memberId: 'me',
    });
    expect(rig.request).toMatchObject({
      ...NOTHING,
      memberEpoch: 7,
      topicPartitions: [{ topicId: 'id-orders', partitions: [0, 1] }],
    });
    expect(rig.group.state).toBe('stable');
    rig.answer({ memberEpoch: 7, heartbeatIntervalMs: 1_234 });
    rig.pass(1_233);
    expect(rig.actions).toEqual([]);
    rig.pass(1);
    expect(rig.request).toMatchObject({ ...NOTHING, memberEpoch: 7 });
  });

  it('tells the application also of an empty first assignment, and acknowledges nothing', () => {
    const rig = new ConsumerRig();
    rig.joining();
    rig.answer({ memberEpoch: 1, assignment: assignment({}) });
    expect(rig.types).toEqual(['epochChanged', 'assign']);
    expect(rig.last('assign').partitions).toEqual([]);
    expect(rig.group.state).toBe('stable');
  });

  it('takes the id that a broker of v0 makes, and stays with its own where none is given', () => {
    const rig = new ConsumerRig();
    rig.joining();
    rig.answer({ memberId: 'made-by-the-broker', assignment: assignment({}) });
    expect(rig.group.memberId).toBe('made-by-the-broker');
    rig.beat();
    rig.answer({ memberId: null });
    expect(rig.group.memberId).toBe('made-by-the-broker');
  });

  it('sends a changed subscription, and only that, with the next heartbeat at once', () => {
    const rig = new ConsumerRig();
    rig.stable();
    rig.subscribe(['orders']);
    expect(rig.actions).toEqual([]);
    rig.subscribe(['audit', 'orders']);
    expect(rig.request).toMatchObject({ ...NOTHING, memberEpoch: 1, subscribedTopicNames: ['audit', 'orders'] });
  });

  it('sends a pattern, and takes it back with an empty one', () => {
    const rig = new ConsumerRig();
    rig.joining([], 'audit\\..*');
    expect(rig.request).toMatchObject({ subscribedTopicNames: [], subscribedTopicRegex: 'audit\\..*' });
    rig.answer({ assignment: assignment({}) });
    rig.subscribe(['orders']);
    expect(rig.request).toMatchObject({ ...NOTHING, subscribedTopicNames: ['orders'], subscribedTopicRegex: '' });
    rig.answer();
    expect(rig.beat()).toMatchObject(NOTHING);
  });
});

describe('reconciliation', () => {
  it('revokes, acknowledges, then assigns, and goes on beating meanwhile', () => {
    const rig = new ConsumerRig();
    rig.stable();
    rig.beat();
    rig.answer({ memberEpoch: 1, assignment: assignment({ 'id-orders': [1], 'id-audit': [3] }) });
    expect(rig.actions).toMatchObject([{ type: 'revoke', partitions: orders(0), lost: false, generation: 1 }]);
    expect(rig.group.state).toBe('reconciling');
    expect(rig.beat()).toMatchObject(NOTHING); // still owned: nothing has changed
    rig.answer({ memberEpoch: 2 });
    expect(rig.last('epochChanged')).toMatchObject({ generation: 2 });
    rig.on({ type: 'revoked' });
    expect(rig.types).toEqual(['sendHeartbeat']);
    expect(rig.request).toMatchObject({
      ...NOTHING,
      memberEpoch: 2,
      topicPartitions: [{ topicId: 'id-orders', partitions: [1] }],
    });
    rig.answer({ memberEpoch: 2 });
    expect(rig.types).toEqual(['assign', 'sendHeartbeat']);
    expect(rig.last('assign')).toMatchObject({ added: [{ topic: 'audit', partition: 3 }] });
  });

  it('one that only takes away ends with an empty assignment, once', () => {
    const rig = new ConsumerRig();
    rig.stable();
    rig.beat();
    rig.answer({ memberEpoch: 1, assignment: assignment({ 'id-orders': [1] }) });
    rig.on({ type: 'revoked' });
    expect(rig.types).toEqual(['sendHeartbeat', 'assign']);
    expect(rig.last('assign')).toMatchObject({ partitions: orders(1), added: [] });
    expect(rig.group.state).toBe('stable');
    rig.answer({ memberEpoch: 2 });
    expect(rig.types).toEqual(['epochChanged']);
    rig.beat();
    rig.answer({ memberEpoch: 2, assignment: assignment({ 'id-orders': [1] }) });
    expect(rig.types).toEqual([]);
  });

  it('takes a newer target up when the step that is running has ended', () => {
    const rig = new ConsumerRig();
    rig.stable();
    rig.beat();
    rig.answer({ assignment: assignment({ 'id-orders': [1] }) });
    rig.beat();
    rig.answer({ memberEpoch: 2, assignment: assignment({ 'id-audit': [0] }) });
    expect(rig.types).toEqual(['epochChanged']);
    rig.on({ type: 'revoked' });
    expect(rig.types).toEqual(['sendHeartbeat', 'revoke']);
    expect(rig.request.topicPartitions).toEqual([{ topicId: 'id-orders', partitions: [1] }]);
    expect(rig.last('revoke').partitions).toEqual(orders(1));
  });

  it('an acknowledgement waits for the heartbeat that is out, and for nothing else', () => {
    const rig = new ConsumerRig();
    rig.stable();
    rig.beat();
    rig.answer({ assignment: assignment({ 'id-orders': [1] }) });
    rig.beat();
    const { id } = rig.last('sendHeartbeat');
    rig.on({ type: 'revoked' });
    expect(rig.actions).toEqual([]);
    expect(rig.group.state).toBe('acknowledging');
    rig.on({ type: 'heartbeatAnswered', id, response: { ...answeredOk } });
    expect(rig.request.topicPartitions).toEqual([{ topicId: 'id-orders', partitions: [1] }]);
    expect(rig.group.state).toBe('stable');
  });

  it('topic ids without a name wait for metadata, which is asked again with back-off; the rest goes on', () => {
    const rig = new ConsumerRig();
    rig.joining();
    rig.answer({ assignment: assignment({ 'id-orders': [0], 'id-new': [5] }) });
    expect(rig.last('assign').added).toEqual(orders(0));
    expect(rig.last('resolveTopics').topicIds).toEqual(['id-new']);
    expect(rig.group.unresolvedTopicIds).toEqual(['id-new']);
    expect(rig.group.state).toBe('reconciling');
    rig.answer();
    rig.on({ type: 'metadataChanged' });
    expect(rig.actions).toEqual([]);
    rig.pass(99);
    expect(rig.actions).toEqual([]);
    rig.pass(1);
    expect(rig.types).toEqual(['resolveTopics']);
    rig.names.set('id-new', 'fresh');
    rig.on({ type: 'metadataChanged' });
    expect(rig.last('assign')).toMatchObject({
      partitions: [...orders(0), { topic: 'fresh', partition: 5 }],
      added: [{ topic: 'fresh', partition: 5 }],
    });
    expect(rig.request.topicPartitions).toEqual([
      { topicId: 'id-new', partitions: [5] },
      { topicId: 'id-orders', partitions: [0] },
    ]);
    expect(rig.group.state).toBe('stable');
  });

  it('a topic made again under its old name is revoked, then assigned anew', () => {
    const rig = new ConsumerRig();
    rig.stable();
    rig.names.set('id-orders-2', 'orders');
    rig.beat();
    rig.answer({ assignment: assignment({ 'id-orders-2': [0] }) });
    expect(rig.last('revoke').partitions).toEqual(orders(0, 1));
    rig.on({ type: 'revoked' });
    rig.answer();
    expect(rig.last('assign')).toMatchObject({ partitions: orders(0), added: orders(0) });
  });

  it('takes nothing on that the coordinator may be giving away: not between a heartbeat that says what is owned and its answer', () => {
    const rig = new ConsumerRig();
    rig.joining();
    rig.answer({ assignment: assignment({ 'id-new': [0, 1, 2] }) });
    expect(rig.last('assign').added).toEqual([]);
    rig.on({ type: 'coordinatorLost', error: CONNECTION_LOST });
    rig.names.set('id-new', 'fresh');
    const { id } = rig.last('findCoordinator');
    rig.on({ type: 'metadataChanged' });
    expect(rig.actions).toEqual([]); // what the coordinator knows of us is not known
    rig.on({ type: 'coordinatorFound', id, coordinator: '1 (localhost:9092)' });
    expect(rig.request.topicPartitions).toEqual([]);
    const sent = rig.last('sendHeartbeat').id;
    rig.on({ type: 'metadataChanged' });
    expect(rig.actions).toEqual([]); // it may be reading that we have none of these, and give them to others
    const response = { ...answeredOk, memberEpoch: 4, assignment: assignment({ 'id-new': [2] }) };
    rig.on({ type: 'heartbeatAnswered', id: sent, response });
    expect(rig.last('assign').partitions).toEqual([{ topic: 'fresh', partition: 2 }]);
  });
});

const answeredOk = {
  throttleTimeMs: 0,
  errorCode: 0,
  errorMessage: null,
  memberId: null,
  memberEpoch: 1,
  heartbeatIntervalMs: INTERVAL_MS,
  assignment: null,
};

describe('errors', () => {
  it.each([110, 25, 69])(
    '%i: everything is lost, and the member joins with epoch 0 when the application is done',
    (code) => {
      const rig = new ConsumerRig();
      rig.stable();
      rig.beat();
      rig.answer({ errorCode: code, memberEpoch: 0 });
      expect(rig.actions).toMatchObject([{ type: 'revoke', partitions: orders(0, 1), lost: true }]);
      expect(rig.group.state).toBe('fenced');
      expect(rig.group.deadline()).toBe(Infinity);
      rig.on({ type: 'revoked' });
      expect(rig.request).toMatchObject({
        memberId: 'me',
        memberEpoch: 0,
        topicPartitions: [],
        rebalanceTimeoutMs: 300_000,
      });
    },
  );

  it('what is being revoked is lost with the rest', () => {
    const rig = new ConsumerRig();
    rig.stable();
    rig.beat();
    rig.answer({ assignment: assignment({ 'id-orders': [0] }) });
    expect(rig.last('revoke').partitions).toEqual(orders(1));
    rig.beat();
    rig.answer({ errorCode: 110 });
    expect(rig.last('revoke')).toMatchObject({ partitions: orders(1, 0), lost: true });
    rig.on({ type: 'revoked' });
    expect(rig.request.memberEpoch).toBe(0);
  });

  it('thrown out again right after joining, it waits longer each time', () => {
    const rig = new ConsumerRig();
    rig.joining();
    const waits = [0, 1, 2].map(() => {
      rig.answer({ errorCode: 25 });
      const wait = rig.types.includes('sendHeartbeat') ? 0 : rig.group.deadline() - rig.now;
      if (wait > 0) rig.pass(wait);
      return wait;
    });
    expect(waits).toEqual([0, 100, 200]);
  });

  it('14 COORDINATOR_LOAD_IN_PROGRESS, and a code that is in no table: back off, then all fields', () => {
    const rig = new ConsumerRig();
    rig.stable();
    for (const [code, waitMs] of [
      [14, 100],
      [-1, 200],
      [-1, 400],
      [9999, 800],
      [7, 1_000],
    ] as const) {
      if (code === 14) rig.beat();
      rig.answer({ errorCode: code });
      // Each is told once, until a heartbeat has worked.
      const isTold = code !== 14 && waitMs !== 400;
      expect(rig.actions).toMatchObject(isTold ? [{ type: 'trouble', error: { code } }] : []);
      expect(rig.group.deadline() - rig.now).toBe(waitMs);
      rig.pass(waitMs);
      expect(rig.request).toMatchObject({
        memberEpoch: 1,
        rebalanceTimeoutMs: 300_000,
        subscribedTopicNames: ['orders'],
        topicPartitions: [{ topicId: 'id-orders', partitions: [0, 1] }],
      });
    }
  });

  it.each([15, 16])('%i: finds the coordinator and heartbeats there at once, with all fields', (code) => {
    const rig = new ConsumerRig();
    rig.stable();
    rig.beat();
    rig.answer({ errorCode: code });
    expect(rig.types).toEqual(['coordinatorUnknown', 'findCoordinator']);
    expect(rig.group.state).toBe('stable');
    rig.find();
    expect(rig.request).toMatchObject({
      memberEpoch: 1,
      rebalanceTimeoutMs: 300_000,
      subscribedTopicNames: ['orders'],
    });
  });

  it.each([
    [24, /group/i],
    [30, /ACL Read/],
    [35, /Kafka 4\.0.*classic/],
    [42, /what the broker says/],
    [69, /group\.consumer\.migration\.policy/],
    [81, /group\.consumer\.max\.size/],
    [82, /groupInstanceId 'i'/],
    [111, /groupInstanceId 'i'.*still running/],
    [112, /groupRemoteAssignor 'odd'/],
    [128, /'\(' must be .* RE2J/],
    [31, /CLUSTER_AUTHORIZATION_FAILED/],
  ])('%i on joining is fatal, and says why', (code, text) => {
    const rig = new ConsumerRig({ groupInstanceId: 'i', serverAssignor: 'odd' });
    rig.joining(['orders'], '(');
    rig.answer({ errorCode: code, errorMessage: 'what the broker says' });
    const { error } = rig.last('fail');
    expect(error.code).toBe(code);
    expect(error.message).toMatch(text);
    expect(error.message).toContain('what the broker says');
    expect(rig.group.state).toBe('fatal');
    expect(rig.group.deadline()).toBe(Infinity);
    rig.on({ type: 'close' });
    expect(rig.types).toEqual(['left']);
  });

  it.each(['joining', 'stable'] as const)('29 while %s: thrown to reads at each answer, and asked again', (state) => {
    const rig = new ConsumerRig();
    if (state === 'joining') rig.joining();
    else rig.stable();
    if (state === 'stable') rig.beat();
    for (const waitMs of [100, 200, 400]) {
      rig.answer({ errorCode: 29 });
      expect(rig.types).toEqual(['obstacle']);
      expect(rig.last('obstacle').error).toMatchObject({
        code: 29,
        message: expect.stringContaining('Describe') as string,
      });
      rig.pass(waitMs);
      expect(rig.types).toEqual(['sendHeartbeat']);
      expect(rig.group.owned).toHaveLength(state === 'stable' ? 2 : 0);
    }
    rig.answer();
    expect(rig.last('obstacle').error).toBeNull();
    expect(rig.types).toEqual(['obstacle', ...(state === 'stable' ? [] : ['epochChanged', 'assign'])]);
    expect(rig.group.state).toBe('stable');
  });

  it('a fatal answer takes everything away, and the member leaves at once, for the broker counts on it', () => {
    const rig = new ConsumerRig();
    rig.stable();
    rig.beat();
    rig.answer({ errorCode: 128 });
    expect(rig.types).toEqual(['revoke', 'fail', 'sendHeartbeat']);
    expect(rig.last('revoke').lost).toBe(true);
    expect(rig.request.memberEpoch).toBe(-1);
    rig.answer();
    rig.on({ type: 'revoked' });
    rig.subscribe(['audit']);
    rig.on({ type: 'polled' });
    expect(rig.pass(600_000)).toEqual([]);
    expect(rig.group.state).toBe('fatal');
    rig.on({ type: 'close' });
    expect(rig.types).toEqual(['left']);
  });

  it('closed while that goodbye is out: waits for its answer', () => {
    const rig = new ConsumerRig();
    rig.stable();
    rig.on({ type: 'failed', error: CONNECTION_LOST });
    expect(rig.types).toEqual(['revoke', 'fail', 'sendHeartbeat']);
    const { id } = rig.last('sendHeartbeat');
    rig.on({ type: 'revoked' });
    rig.on({ type: 'close' });
    expect(rig.types).toEqual([]);
    rig.on({ type: 'heartbeatAnswered', id, response: answered({ memberEpoch: -1 }) });
    expect(rig.types).toEqual(['left']);
  });

  it('a broker without the API: who can, and what to do until then', () => {
    const rig = new ConsumerRig();
    rig.joining();
    const error = new UnsupportedVersionError('no version of ConsumerGroupHeartbeat in common');
    rig.on({ type: 'heartbeatFailed', id: rig.last('sendHeartbeat').id, error });
    expect(rig.last('fail').error).toBeInstanceOf(UnsupportedVersionError);
    expect(rig.last('fail').error.message).toMatch(/Kafka 4\.0 or newer.*groupProtocol to 'classic'.*in common/);
  });

  it('a broker of v0 and a pattern', () => {
    const rig = new ConsumerRig();
    rig.joining([], 'a.*');
    const error = new UnsupportedVersionError('ConsumerGroupHeartbeat v0 has no place for subscribedTopicRegex');
    rig.on({ type: 'heartbeatFailed', id: rig.last('sendHeartbeat').id, error });
    expect(rig.last('fail').error.message).toMatch(/patterns .* Kafka 4\.0/);
  });

  it('no answer: finds the coordinator and says everything again', () => {
    const rig = new ConsumerRig();
    rig.stable();
    rig.beat();
    const { id } = rig.last('sendHeartbeat');
    rig.on({ type: 'coordinatorLost', error: CONNECTION_LOST });
    expect(rig.types).toEqual(['coordinatorUnknown', 'findCoordinator']);
    const find = rig.last('findCoordinator').id;
    rig.on({ type: 'heartbeatFailed', id, error: CONNECTION_LOST });
    expect(rig.actions).toEqual([]);
    rig.on({ type: 'coordinatorFailed', id: find, errorCode: 15, error: new KafkaError('none', { retriable: true }) });
    rig.pass(200);
    rig.find();
    expect(rig.request).toMatchObject({ memberEpoch: 1, rebalanceTimeoutMs: 300_000 });
  });

  it('a commit that is refused makes the member ask the coordinator at once', () => {
    const rig = new ConsumerRig();
    rig.stable();
    rig.on({ type: 'commitFenced', errorCode: 113, generation: 0, memberId: 'me' });
    expect(rig.actions).toEqual([]); // of an epoch that has passed
    rig.on({ type: 'commitFenced', errorCode: 113, generation: 1, memberId: 'me' });
    expect(rig.request).toMatchObject({ ...NOTHING, memberEpoch: 1 });
    rig.answer({ memberEpoch: 2 });
    expect(rig.actions).toMatchObject([{ type: 'epochChanged', generation: 2 }]);
  });
});

describe('leaving', () => {
  it('revokes, then leaves with epoch −1', () => {
    const rig = new ConsumerRig();
    rig.stable();
    rig.on({ type: 'close' });
    expect(rig.actions).toMatchObject([{ type: 'revoke', partitions: orders(0, 1), lost: false }]);
    expect(rig.group.state).toBe('prepare-leaving');
    expect(rig.beat()).toMatchObject({ memberEpoch: 1 }); // the application may take its time
    rig.on({ type: 'revoked' });
    expect(rig.request).toMatchObject({ ...NOTHING, memberEpoch: -1 });
    rig.answer({ memberEpoch: -1, heartbeatIntervalMs: 0 });
    expect(rig.actions).toEqual([{ type: 'left' }]);
    expect(rig.on({ type: 'close' })).toEqual([]);
    expect(rig.group.deadline()).toBe(Infinity);
  });

  it.each([15, 16, null])('met with %s: leaves where the coordinator is now, and tries that once', (errorCode) => {
    const lose = (rig: ConsumerRig): void => {
      if (errorCode === null) rig.on({ type: 'coordinatorLost', error: CONNECTION_LOST });
      else rig.answer({ errorCode });
    };
    const rig = new ConsumerRig();
    rig.stable();
    rig.on({ type: 'close' });
    rig.on({ type: 'revoked' });
    lose(rig);
    expect(rig.types).toEqual(['coordinatorUnknown', 'findCoordinator']);
    rig.find();
    expect(rig.request.memberEpoch).toBe(-1);
    lose(rig);
    expect(rig.types).toContain('left');
  });

  it('met with NOT_COORDINATOR: looks for the new one no longer than a back-off', () => {
    const rig = new ConsumerRig();
    rig.stable();
    rig.on({ type: 'close' });
    rig.on({ type: 'revoked' });
    rig.answer({ errorCode: 16 });
    rig.pass(OPTIONS.retryBackoffMaxMs - 1);
    expect(rig.types).toEqual([]);
    rig.pass(1);
    expect(rig.types).toEqual(['left']);
  });

  it('a static member leaves with epoch −2', () => {
    const rig = new ConsumerRig({ groupInstanceId: 'i' });
    rig.stable();
    rig.on({ type: 'close' });
    rig.on({ type: 'revoked' });
    expect(rig.request).toMatchObject({ ...NOTHING, instanceId: 'i', memberEpoch: -2 });
  });

  it('closes before it ever joined without a word', () => {
    const rig = new ConsumerRig();
    rig.subscribe();
    rig.on({ type: 'close' });
    expect(rig.actions).toEqual([{ type: 'left' }]);
  });

  it('leaves also where its joining is not answered yet: the broker may know the member by now', () => {
    const rig = new ConsumerRig();
    rig.joining();
    rig.on({ type: 'close' });
    expect(rig.request.memberEpoch).toBe(-1);
  });

  it('a partial revocation that is under way ends first', () => {
    const rig = new ConsumerRig();
    rig.stable();
    rig.beat();
    rig.answer({ assignment: assignment({ 'id-orders': [0] }) });
    rig.on({ type: 'unsubscribed' });
    expect(rig.actions).toEqual([]);
    rig.on({ type: 'revoked' });
    expect(rig.last('revoke').partitions).toEqual(orders(0));
    rig.on({ type: 'revoked' });
    expect(rig.request.memberEpoch).toBe(-1);
    const { id } = rig.last('sendHeartbeat');
    rig.subscribe(['audit']);
    rig.on({ type: 'heartbeatAnswered', id, response: answeredOk });
    expect(rig.request).toMatchObject({ memberEpoch: 0, subscribedTopicNames: ['audit'] });
  });

  it('no poll for too long: leaves at once, all is lost; joins again at the next poll', () => {
    const rig = new ConsumerRig();
    rig.stable();
    rig.beat(); // out, and not waited for
    rig.on({ type: 'pollExpired' });
    expect(rig.types).toEqual(['revoke', 'sendHeartbeat']);
    expect(rig.last('revoke').lost).toBe(true);
    expect(rig.request.memberEpoch).toBe(-1);
    rig.answer();
    expect(rig.group.state).toBe('stale');
    rig.on({ type: 'polled' });
    expect(rig.actions).toEqual([]); // the application has not given up yet what it lost
    rig.on({ type: 'revoked' });
    expect(rig.request.memberEpoch).toBe(0);
  });

  it('an answer that nobody asked for changes nothing; the log says what happens', () => {
    const rig = new ConsumerRig();
    rig.stable();
    rig.on({ type: 'revoked' }); // asked for by nobody
    expect(rig.actions).toEqual([]);
    expect(rig.group.describe()).toBe(
      "group 'billing': stable, member 'me', epoch 1, assignor of the broker's choice, 2 partitions, coordinator known",
    );
    expect(rig.log[0]).toBe("info: group 'billing': unsubscribed → joining: subscribed (member 'me', epoch 0)");
  });
});
