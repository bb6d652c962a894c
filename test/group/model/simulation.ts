/**
 * Several group machines, a model of their coordinator and a network between them that loses, delays and breaks, in virtual
 * time. What must always hold is checked at each step and throws where it does not.
 */
import { ConnectionError, KafkaError, RequestTimeoutError } from '../../../src/errors.ts';
import type { PartitionInfo } from '../../../src/group/assignors/assignor.ts';
import type { GroupAction, GroupEvent, TopicPartition } from '../../../src/group/events.ts';
import { decodeSubscription } from '../../../src/protocol/consumer-protocol.ts';
import type { Api, Connection, Rebalancing, Send } from './client.ts';
import { Client, REBALANCE_TIMEOUT_MS, SESSION_TIMEOUT_MS } from './client.ts';
import { ModelCoordinator, joinError, syncError } from './coordinator.ts';

const REQUEST_TIMEOUT_MS = 10_000;
/** More actions of one client within one virtual second than that is a loop without a wait. */
const MAX_ACTIONS_PER_SECOND = 300;

const API_OF = {
  sendJoin: 'JoinGroup',
  sendSync: 'SyncGroup',
  sendHeartbeat: 'Heartbeat',
  sendLeave: 'LeaveGroup',
} as const;

const FAILURE_OF = {
  sendJoin: 'joinFailed',
  sendSync: 'syncFailed',
  sendHeartbeat: 'heartbeatFailed',
  sendLeave: 'leaveFailed',
} as const;

export class Simulation {
  readonly broker = new ModelCoordinator({
    sessionTimeoutMs: SESSION_TIMEOUT_MS,
    rebalanceTimeoutMs: REBALANCE_TIMEOUT_MS,
  });
  readonly clients: Client[] = [];
  readonly topics = new Map([
    ['a', 3],
    ['b', 4],
  ]);
  /** The broker that is coordinator, of three. */
  coordinator = 0;
  isCoordinatorFound = true;
  now = 0;
  readonly trace: string[] = [];
  #events: { at: number; order: number; run: () => void }[] = [];
  #order = 0;

  start(latencyMs: number, instanceId: string | null, topics: string[], rebalancing: Rebalancing): Client {
    const client = new Client(`c${this.clients.length}`, latencyMs, instanceId, rebalancing);
    this.clients.push(client);
    this.subscribe(client, topics);
    return client;
  }

  subscribe(client: Client, topics: string[]): void {
    client.topics = topics;
    client.wantsIn = true;
    this.#feed(client, { type: 'subscribed', topics });
  }

  /** The process is gone: nothing is sent any more, not even LeaveGroup. */
  crash(client: Client): void {
    client.isAlive = false;
    client.owned = [];
    this.#disconnect(client);
  }

  /** The client sees its connection break; what has reached the broker has reached it. */
  breakConnection(client: Client, error: KafkaError = new ConnectionError('reset')): void {
    const { connection } = client;
    if (connection === null) return;
    this.#disconnect(client);
    // Drivers may tell of the connection first, of its requests first, or of the connection alone.
    const tells = [
      () => this.#feed(client, { type: 'coordinatorLost', error }),
      () => this.#failAll(client, connection, error),
    ];
    if (client.latencyMs % 3 === 1) tells.reverse();
    if (client.latencyMs % 3 === 2) tells.pop();
    for (const tell of tells) tell();
  }

  move(): void {
    this.coordinator = (this.coordinator + 1) % 3;
    this.broker.move(this.now);
  }

  commit(client: Client): void {
    const { memberId, generation } = client.group;
    if (client.coordinator !== this.coordinator || generation === -1) return;
    const errorCode = this.broker.commit(memberId, generation, this.now);
    this.#after(client.latencyMs, () => this.#feed(client, { type: 'commitFenced', errorCode, generation, memberId }));
  }

  refreshAll(): void {
    for (const client of this.clients) {
      const topics = [...client.group.watchedTopics];
      this.#after(client.latencyMs, () => this.#feed(client, this.#metadata(topics)));
    }
  }

  feed(client: Client, event: GroupEvent): void {
    this.#feed(client, event);
  }

  run(durationMs: number): void {
    const end = this.now + durationMs;
    let stepsAtOnce = 0;
    for (;;) {
      const next = this.#nextAt();
      if (next > end) break;
      stepsAtOnce = next > this.now ? 0 : stepsAtOnce + 1;
      if (stepsAtOnce > 1_000) throw new Error(`time stands still at ${this.now}\n${this.trace.join('\n')}`);
      this.now = Math.max(this.now, next);
      this.#step();
    }
    this.now = end;
  }

  #nextAt(): number {
    let at = this.broker.deadline();
    for (const event of this.#events) at = Math.min(at, event.at);
    for (const client of this.clients) if (client.isAlive) at = Math.min(at, client.group.deadline());
    return at;
  }

  #step(): void {
    const due = this.#events.filter((event) => event.at <= this.now).sort((a, b) => a.at - b.at || a.order - b.order);
    this.#events = this.#events.filter((event) => event.at > this.now);
    for (const event of due) event.run();
    if (this.broker.deadline() <= this.now) this.broker.tick(this.now);
    for (const client of this.clients) {
      if (client.isAlive && client.group.deadline() <= this.now) this.#perform(client, client.group.tick(this.now));
    }
    for (const client of this.clients) this.#checkAlive(client);
  }

  #after(ms: number, run: () => void): void {
    this.#order += 1;
    this.#events.push({ at: this.now + ms, order: this.#order, run });
  }

  #feed(client: Client, event: GroupEvent): void {
    if (!client.isAlive) return;
    this.#perform(client, client.group.on(event, this.now));
  }

  #perform(client: Client, actions: GroupAction[]): void {
    for (const action of actions) {
      if (action.type === 'log' || action.type === 'rebalancing') {
        if (action.type === 'log') this.#note(client, action.message);
        continue;
      }
      this.#note(client, action.type);
      this.#countActions(client);
      this.#performOne(client, action);
    }
  }

  #performOne(client: Client, action: Exclude<GroupAction, { type: 'log' | 'rebalancing' }>): void {
    switch (action.type) {
      case 'findCoordinator':
        return this.#find(client, action.id);
      case 'sendHeartbeat':
        client.heartbeatsInFlight += 1;
        this.#check(client, client.heartbeatsInFlight === 1, 'two heartbeats in flight');
        return this.#send(client, action);
      case 'sendJoin':
        this.#checkClaims(client, action);
        return this.#send(client, action);
      case 'sendSync':
      case 'sendLeave':
        return this.#send(client, action);
      case 'dropConnection':
        return this.#disconnect(client);
      case 'coordinatorUnknown':
        this.#disconnect(client);
        client.coordinator = null;
        return;
      case 'refreshMetadata': {
        client.isRefreshing = true;
        const { topics } = action;
        return this.#after(client.latencyMs, () => {
          client.isRefreshing = false;
          this.#feed(client, this.#metadata([...topics]));
        });
      }
      case 'revoke':
        return this.#revoke(client, action.partitions, action.lost);
      case 'assign':
        return this.#assign(client, action);
      case 'fail':
        throw new Error(`${client.name} failed: ${action.error.message}\n${this.trace.join('\n')}`);
      case 'trouble':
      case 'left':
        return;
    }
  }

  #find(client: Client, id: number): void {
    client.isFinding = true;
    const code = this.#takeInjected(client, 'FindCoordinator') ?? (this.isCoordinatorFound ? 0 : 15);
    this.#after(2 * client.latencyMs, () => {
      client.isFinding = false;
      if (code !== 0) {
        const error = new KafkaError('not found', { retriable: true });
        return this.#feed(client, { type: 'coordinatorFailed', id, errorCode: code, error });
      }
      client.coordinator = this.coordinator;
      this.#feed(client, { type: 'coordinatorFound', id, coordinator: String(this.coordinator) });
    });
  }

  #send(client: Client, action: Send): void {
    this.#check(client, client.coordinator !== null, `${action.type} without a coordinator`);
    client.connection ??= {
      isOpen: true,
      broker: client.coordinator ?? 0,
      isStuck: false,
      queue: [],
      isBusy: false,
      pending: new Map(),
    };
    const connection = client.connection;
    connection.pending.set(action.id, action);
    const timeoutMs = action.type === 'sendJoin' ? action.timeoutMs : REQUEST_TIMEOUT_MS;
    this.#after(timeoutMs, () => {
      if (!connection.isOpen || !connection.pending.has(action.id)) return;
      this.breakConnection(client, new RequestTimeoutError(`${action.type} timed out`));
    });
    connection.isStuck ||= client.isSilent;
    if (connection.isStuck) return;
    this.#after(client.latencyMs, () => {
      if (!connection.isOpen) return;
      connection.queue.push(action);
      this.#work(client, connection);
    });
  }

  #work(client: Client, connection: Connection): void {
    const action = connection.isBusy ? undefined : connection.queue.shift();
    if (action === undefined) return;
    connection.isBusy = true;
    this.#serve(client, connection, action, (event) => {
      if (action.type === 'sendSync' && client.losesNextSync) {
        client.losesNextSync = false;
        return; // and the connection stays busy
      }
      const loses = client.losesNextAnswer;
      client.losesNextAnswer = false;
      this.#after(client.latencyMs, () => {
        if (!connection.isOpen) {
          // Given up, but on its way already: half of the clients hand it over all the same.
          if (client.latencyMs % 2 === 1) this.#feed(client, event);
          return;
        }
        if (loses) return this.breakConnection(client);
        connection.pending.delete(action.id);
        if (action.type === 'sendHeartbeat') client.heartbeatsInFlight -= 1;
        this.#feed(client, event);
      });
      connection.isBusy = false;
      this.#work(client, connection);
    });
  }

  #serve(client: Client, connection: Connection, action: Send, answer: (event: GroupEvent) => void): void {
    const { id } = action;
    const isWrong = connection.broker !== this.coordinator;
    const code = this.#takeInjected(client, API_OF[action.type]) ?? (isWrong ? 16 : null);
    switch (action.type) {
      case 'sendJoin':
        if (code !== null) return answer({ type: 'joinAnswered', id, response: joinError(code) });
        return this.broker.join(action.request, this.now, (response) => answer({ type: 'joinAnswered', id, response }));
      case 'sendSync':
        if (code !== null) return answer({ type: 'syncAnswered', id, response: syncError(code) });
        return this.broker.sync(action.request, this.now, (response) => answer({ type: 'syncAnswered', id, response }));
      case 'sendHeartbeat': {
        const { memberId, generationId } = action.request;
        const errorCode = code ?? this.broker.heartbeat(memberId, generationId, this.now);
        return answer({ type: 'heartbeatAnswered', id, response: { throttleTimeMs: 0, errorCode } });
      }
      case 'sendLeave': {
        const errorCode = code ?? this.broker.leave(action.request.memberId, this.now);
        return answer({ type: 'leaveAnswered', id, response: { throttleTimeMs: 0, errorCode, members: [] } });
      }
    }
  }

  #failAll(client: Client, connection: Connection, error: KafkaError): void {
    for (const { id, type } of connection.pending.values()) this.#feed(client, { type: FAILURE_OF[type], id, error });
  }

  #disconnect(client: Client): void {
    if (client.connection !== null) client.connection.isOpen = false;
    client.connection = null;
    client.heartbeatsInFlight = 0;
  }

  /** A claim is what the application works on, no more and no less: others get the rest. */
  #checkClaims(client: Client, { request }: Send & { type: 'sendJoin' }): void {
    this.#check(client, client.revoking === null, 'JoinGroup before the application gave up its partitions');
    for (const { metadata } of request.protocols) {
      const { ownedPartitions: claims, generationId } = decodeSubscription(metadata);
      const claimed = claims.flatMap(({ topic, partitions }) => partitions.map((partition) => ({ topic, partition })));
      this.#check(client, isSameSet(claimed, client.owned), `claims ${show(claimed)} and owns ${show(client.owned)}`);
      const isMember = request.memberId !== '' && generationId >= 0;
      this.#check(client, isMember || claimed.length === 0, `claims ${show(claimed)}, and is no member`);
      const isSubscribed = claimed.every(({ topic }) => client.topics.includes(topic));
      this.#check(client, isSubscribed, `claims ${show(claimed)}, which it does not subscribe to`);
    }
    this.#check(client, client.rebalancing === 'cooperative' || client.owned.length === 0, 'eager, and owns something');
  }

  #revoke(client: Client, partitions: readonly TopicPartition[], lost: boolean): void {
    this.#check(client, client.revoking === null || lost, 'revoked twice');
    const isOwned = partitions.every((one) => client.owned.some((two) => isSame(one, two)));
    this.#check(client, isOwned, `revokes ${show(partitions)}, owns ${show(client.owned)}`);
    const isWhole = partitions.length === client.owned.length;
    this.#check(client, isWhole || (!lost && client.rebalancing === 'cooperative'), 'gives up a part only');
    const isFirst = client.revoking === null;
    client.revoking = partitions;
    if (!isFirst) return;
    this.#after(client.revokeDelayMs, () => {
      const gone = client.revoking ?? [];
      client.revoking = null;
      client.owned = client.owned.filter((one) => !gone.some((two) => isSame(one, two)));
      this.#feed(client, { type: 'revoked' });
    });
  }

  #assign(client: Client, { partitions, added }: GroupAction & { type: 'assign' }): void {
    const kept = client.owned.filter((one) => !(client.revoking ?? []).some((two) => isSame(one, two)));
    const isWhole = isSameSet(partitions, [...kept, ...added]);
    this.#check(client, isWhole, `has ${show(kept)}, gets ${show(added)}, and in all ${show(partitions)}`);
    for (const other of this.clients) {
      // Whoever was thrown out hears of it later; its commits are refused.
      if (other === client || !other.isAlive || !this.broker.members.has(other.group.memberId)) continue;
      const shared = other.owned.find((one) => added.some((two) => isSame(one, two)));
      this.#check(client, shared === undefined, `gets ${JSON.stringify(shared)}, which ${other.name} has`);
    }
    client.owned.push(...added);
  }

  #metadata(topics: string[]): GroupEvent {
    const partitions = new Map<string, PartitionInfo[]>();
    for (const topic of topics) {
      const count = this.topics.get(topic) ?? 0;
      partitions.set(
        topic,
        Array.from({ length: count }, (_, partition) => ({ partition, replicaRacks: [] })),
      );
    }
    return { type: 'metadata', partitions };
  }

  #takeInjected(client: Client, api: Api): number | null {
    const index = client.injected.findIndex((entry) => entry.api === api);
    return index === -1 ? null : (client.injected.splice(index, 1)[0]?.code ?? null);
  }

  /** A member that is on its way has something under way: nothing ever waits for an event that nobody owes. */
  #checkAlive(client: Client): void {
    const { state } = client.group;
    if (!client.isAlive || state === 'unjoined' || state === 'stale' || state === 'left') return;
    const isOwed =
      client.isFinding || client.isRefreshing || client.revoking !== null || (client.connection?.pending.size ?? 0) > 0;
    this.#check(client, isOwed || client.group.deadline() < Infinity, `stuck in ${state}`);
  }

  #countActions(client: Client): void {
    const second = Math.floor(this.now / 1000);
    client.actionsInSecond = second === client.second ? client.actionsInSecond + 1 : 1;
    client.second = second;
    this.#check(client, client.actionsInSecond <= MAX_ACTIONS_PER_SECOND, 'spins without a wait');
  }

  #note(client: Client, text: string): void {
    this.trace.push(`${this.now} ${client.name} ${text}`);
    if (this.trace.length > 400) this.trace.splice(0, 200);
  }

  #check(client: Client, holds: boolean, what: string): void {
    if (!holds) throw new Error(`${this.now} ${client.name}: ${what}\n${this.trace.join('\n')}`);
  }
}

function isSameSet(some: readonly TopicPartition[], others: readonly TopicPartition[]): boolean {
  return some.length === others.length && some.every((one) => others.some((two) => isSame(one, two)));
}

function show(partitions: readonly TopicPartition[]): string {
  return `[${partitions.map(({ topic, partition }) => `${topic}-${partition}`).join(' ')}]`;
}

export function isSame(one: TopicPartition, two: TopicPartition): boolean {
  return one.topic === two.topic && one.partition === two.partition;
}
