/**
 * A group of hundreds of samsa's own group machines and a coordinator that answers at once, in virtual time and without sockets.
 * Every JoinGroup and SyncGroup goes through the codecs, both ways, as frames: bytes are counted as they would go over the wire, and
 * what the leader does in one turn of its event loop is timed.
 */
import type { Assignor, ClusterView } from '../../src/group/assignors/assignor.ts';
import { ClassicGroup } from '../../src/group/classic.ts';
import type { GroupAction, GroupEvent } from '../../src/group/events.ts';
import type { Api } from '../../src/protocol/api.ts';
import { joinGroup, type JoinGroupRequest, type JoinGroupResponse } from '../../src/protocol/api/join-group.ts';
import { syncGroup, type SyncGroupRequest, type SyncGroupResponse } from '../../src/protocol/api/sync-group.ts';
import {
  decodeRequestFrame,
  decodeResponseFrame,
  encodeRequestFrame,
  encodeResponseFrame,
} from '../../src/protocol/header.ts';

const HEARTBEAT_MS = 3_000;
const LIMIT_MS = 1_000 * HEARTBEAT_MS;
const MEMBER_ID_REQUIRED = 79;
const REBALANCE_IN_PROGRESS = 27;
const OK = { throttleTimeMs: 0, errorCode: 0 };

/** What it took until the group stood still again. */
export interface Settled {
  rebalances: number;
  /** Longest turn of the leader's event loop: an answer read, the assignment made, SyncGroup written. */
  leaderMs: number;
  /** JoinGroup and SyncGroup, requests and answers. */
  totalBytes: number;
  leaderBytes: number;
  /** The same of another member, on average. */
  memberBytes: number;
  /** Partitions that went from one member to another that is still there. */
  moved: number;
}

interface Client {
  id: string;
  group: ClassicGroup;
  join: { id: number; request: JoinGroupRequest } | null;
  sync: { id: number; request: SyncGroupRequest } | null;
  bytes: number;
  longestMs: number;
}

export class Simulation {
  readonly #assignor: Assignor;
  readonly #cluster: ClusterView;
  readonly #clients: Client[] = [];
  /** Events wait in a queue, so that no machine is called while another one acts. */
  readonly #queue: (() => void)[] = [];
  #now = 0;
  #generation = 0;
  #rebalances = 0;
  #leader: string | null = null;
  #isRebalancing = false;
  #lastId = 0;

  constructor(assignor: Assignor, cluster: ClusterView) {
    this.#assignor = assignor;
    this.#cluster = cluster;
  }

  /** Runs until everyone is stable. */
  change(changes: { join?: readonly (readonly string[])[]; leave?: number }): Settled {
    const before = this.#owners();
    this.#rebalances = 0;
    for (const client of this.#clients) Object.assign(client, { bytes: 0, longestMs: 0 });
    for (const client of this.#clients.splice(this.#clients.length - (changes.leave ?? 0))) {
      this.#isRebalancing = true;
      if (client.id === this.#leader) throw new Error('the leader is not to leave here');
    }
    for (const topics of changes.join ?? []) this.#start(topics);
    for (const end = this.#now + LIMIT_MS; this.#now < end && !this.#isQuiet(); this.#now += HEARTBEAT_MS) {
      for (const client of this.#clients) this.#feed(client, () => client.group.tick(this.#now));
      this.#drain();
    }
    if (!this.#isQuiet()) throw new Error('the group does not come to rest');
    const leader = this.#clients.find(({ id }) => id === this.#leader);
    const totalBytes = this.#clients.reduce((sum, { bytes }) => sum + bytes, 0);
    const leaderBytes = leader?.bytes ?? 0;
    const now = this.#owners();
    const isHere = new Set(this.#clients.map(({ id }) => id));
    return {
      rebalances: this.#rebalances,
      leaderMs: leader?.longestMs ?? 0,
      totalBytes,
      leaderBytes,
      memberBytes: Math.round((totalBytes - leaderBytes) / Math.max(1, this.#clients.length - 1)),
      moved: [...before].filter(([partition, id]) => isHere.has(id) && now.get(partition) !== id).length,
    };
  }

  get shares(): number[] {
    return this.#clients.map(({ group }) => group.owned.length);
  }

  #owners(): Map<string, string> {
    return new Map(
      this.#clients.flatMap(({ id, group }) =>
        group.owned.map(({ topic, partition }) => [`${topic}-${partition}`, id] as const),
      ),
    );
  }

  #isQuiet(): boolean {
    return !this.#isRebalancing && this.#clients.every(({ group, join }) => group.state === 'stable' && join === null);
  }

  #start(topics: readonly string[]): void {
    const group = new ClassicGroup({
      groupId: 'billing-of-orders',
      groupInstanceId: null,
      sessionTimeoutMs: 45_000,
      rebalanceTimeoutMs: 300_000,
      heartbeatIntervalMs: HEARTBEAT_MS,
      retryBackoffMs: 100,
      retryBackoffMaxMs: 1_000,
      clientRack: '',
      assignors: [this.#assignor],
      random: () => 0.5,
    });
    const client: Client = { id: '', group, join: null, sync: null, bytes: 0, longestMs: 0 };
    this.#clients.push(client);
    this.#on(client, { type: 'subscribed', topics });
  }

  #drain(): void {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) next();
  }

  #on(client: Client, event: GroupEvent): void {
    this.#queue.push(() => this.#feed(client, () => client.group.on(event, this.#now)));
  }

  /** One turn of the client's event loop. */
  #feed(client: Client, act: () => GroupAction[]): void {
    const startedAt = performance.now();
    const actions = act();
    const sent = actions.map((action) => this.#encode(client, action));
    client.longestMs = Math.max(client.longestMs, performance.now() - startedAt);
    for (const [index, action] of actions.entries()) this.#perform(client, action, sent[index] ?? null);
    this.#answerWhenComplete();
  }

  #encode(client: Client, action: GroupAction): Buffer | null {
    const frame =
      action.type === 'sendJoin'
        ? encodeRequestFrame(joinGroup, joinGroup.maxVersion, action.id, 'samsa', action.request)
        : action.type === 'sendSync'
          ? encodeRequestFrame(syncGroup, syncGroup.maxVersion, action.id, 'samsa', action.request)
          : null;
    client.bytes += frame?.length ?? 0;
    return frame;
  }

  #perform(client: Client, action: GroupAction, frame: Buffer | null): void {
    switch (action.type) {
      case 'findCoordinator':
        return this.#on(client, { type: 'coordinatorFound', id: action.id, coordinator: 'simulated' });
      case 'sendJoin':
        return this.#onJoin(client, action.id, received(joinGroup, frame));
      case 'sendSync':
        client.sync = { id: action.id, request: received(syncGroup, frame) };
        return;
      case 'sendHeartbeat': {
        const errorCode = this.#isRebalancing ? REBALANCE_IN_PROGRESS : 0;
        return this.#on(client, { type: 'heartbeatAnswered', id: action.id, response: { ...OK, errorCode } });
      }
      case 'refreshMetadata': {
        const partitions = new Map(action.topics.map((topic) => [topic, this.#cluster.get(topic) ?? []]));
        return this.#on(client, { type: 'metadata', partitions });
      }
      case 'revoke':
        return this.#on(client, { type: 'revoked' });
      case 'fail':
        throw action.error;
      case 'assign':
      case 'rebalancing':
      case 'trouble':
      case 'log':
        return;
      case 'sendLeave':
      case 'dropConnection':
      case 'coordinatorUnknown':
      case 'left':
        throw new Error(`nobody leaves or is lost here: ${action.type}`);
    }
  }

  #onJoin(client: Client, id: number, request: JoinGroupRequest): void {
    if (request.memberId === '') {
      client.id = `samsa-${String(++this.#lastId).padStart(8, '0')}-0000-4000-8000-000000000000`;
      return this.#answerJoin(client, id, { errorCode: MEMBER_ID_REQUIRED, memberId: client.id });
    }
    client.join = { id, request };
    this.#isRebalancing = true;
  }

  #answerWhenComplete(): void {
    if (this.#isRebalancing && this.#clients.every(({ join }) => join !== null)) this.#answerJoins();
    const leader = this.#clients.find(({ id }) => id === this.#leader);
    if (leader?.sync == null || !this.#clients.every(({ sync }) => sync !== null)) return;
    const assignments = new Map(
      leader.sync.request.assignments.map(({ memberId, assignment }) => [memberId, assignment]),
    );
    for (const client of this.#clients) {
      if (client.sync === null) continue;
      const { id } = client.sync;
      client.sync = null;
      const response: SyncGroupResponse = {
        ...OK,
        protocolType: 'consumer',
        protocolName: this.#assignor.name,
        assignment: assignments.get(client.id) ?? Buffer.alloc(0),
      };
      this.#answer(client, syncGroup, id, response, (decoded) => ({ type: 'syncAnswered', id, response: decoded }));
    }
  }

  #answerJoins(): void {
    this.#generation += 1;
    this.#rebalances += 1;
    this.#isRebalancing = false;
    this.#leader ??= this.#clients[0]?.id ?? null;
    const members = this.#clients.map(({ id, join }) => ({
      memberId: id,
      groupInstanceId: null,
      metadata: join?.request.protocols[0]?.metadata ?? Buffer.alloc(0),
    }));
    for (const client of this.#clients) {
      if (client.join === null) continue;
      const { id } = client.join;
      client.join = null;
      const isLeader = client.id === this.#leader;
      this.#answerJoin(client, id, { memberId: client.id, members: isLeader ? members : [] });
    }
  }

  #answerJoin(client: Client, id: number, changes: Partial<JoinGroupResponse>): void {
    const response: JoinGroupResponse = {
      ...OK,
      generationId: this.#generation,
      protocolType: 'consumer',
      protocolName: this.#assignor.name,
      leader: this.#leader ?? '',
      skipAssignment: false,
      memberId: '',
      members: [],
      ...changes,
    };
    this.#answer(client, joinGroup, id, response, (decoded) => ({ type: 'joinAnswered', id, response: decoded }));
  }

  #answer<Req, Res>(
    client: Client,
    api: Api<Req, Res>,
    id: number,
    response: Res,
    toEvent: (decoded: Res) => GroupEvent,
  ): void {
    const frame = encodeResponseFrame(api, api.maxVersion, id, response);
    client.bytes += frame.length;
    this.#queue.push(() => {
      this.#feed(client, () =>
        client.group.on(toEvent(decodeResponseFrame(api, api.maxVersion, frame.subarray(4))), this.#now),
      );
    });
  }
}

function received<Req, Res>(api: Api<Req, Res>, frame: Buffer | null): Req {
  return decodeRequestFrame(api, (frame ?? Buffer.alloc(4)).subarray(4)).body;
}
