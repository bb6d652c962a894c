/**
 * Several members, a model of their coordinator and a network between them that loses, delays and breaks, in virtual time. What must
 * always hold is checked at each step and throws where it does not.
 */
import { ConnectionError, KafkaError, RequestTimeoutError } from '../../../src/errors.ts';
import type { ConsumerGroupAction, ConsumerGroupEvent } from '../../../src/group/consumer-events.ts';
import type { TopicPartition } from '../../../src/group/events.ts';
import type { ConsumerGroupHeartbeatResponse } from '../../../src/protocol/api/consumer-group-heartbeat.ts';
import {
  type Connection,
  HEARTBEAT_INTERVAL_MS,
  ModelClient,
  nameOf,
  SESSION_TIMEOUT_MS,
  type Send,
} from './client.ts';
import { failed, keysOf, ModelConsumerCoordinator } from './coordinator.ts';

const REQUEST_TIMEOUT_MS = 6_000;
/** More actions of one client within one virtual second than that is a loop without a wait. */
const MAX_ACTIONS_PER_SECOND = 300;
/** Outside of these, no topic is waited for. */
const RECONCILES = ['reconciling', 'acknowledging'];
/** What a process with a group instance id may well die of. */
const INSTANCE_CODES = [82, 111];

export class Simulation {
  readonly broker = new ModelConsumerCoordinator({
    sessionTimeoutMs: SESSION_TIMEOUT_MS,
    heartbeatIntervalMs: HEARTBEAT_INTERVAL_MS,
  });
  readonly clients: ModelClient[] = [];
  /** The broker that is coordinator, of three. */
  coordinator = 0;
  isCoordinatorFound = true;
  now = 0;
  readonly #trace: [at: number, who: string, what: unknown][] = [];
  #events: { at: number; order: number; run: () => void }[] = [];
  #order = 0;
  #topicsMade = 0;

  constructor() {
    this.makeTopic('a', 3);
    this.makeTopic('b', 4);
  }

  get trace(): string {
    return this.#trace
      .map(([at, who, what]) => `${at} ${who} ${typeof what === 'string' ? what : JSON.stringify(what)}`)
      .join('\n');
  }

  /** Under a new id, in place of one of the same name. */
  makeTopic(name: string, count: number): void {
    for (const [topicId, topic] of this.broker.topics) if (topic.name === name) this.broker.topics.delete(topicId);
    this.broker.topics.set(`id-${++this.#topicsMade}-${name}`, { name, count });
  }

  addPartition(name: string): void {
    for (const topic of this.broker.topics.values()) if (topic.name === name) topic.count += 1;
  }

  start(latencyMs: number, instanceId: string | null, topics: string[]): ModelClient {
    const client = new ModelClient(`c${this.clients.length}`, latencyMs, instanceId);
    this.clients.push(client);
    this.subscribe(client, topics);
    return client;
  }

  subscribe(client: ModelClient, topics: string[]): void {
    client.topics = topics;
    client.wantsIn = true;
    this.feed(client, { type: 'subscribed', subscription: { topics, regex: null } });
  }

  /** The process is gone: nothing is sent any more, not even the heartbeat that leaves. */
  crash(client: ModelClient): void {
    client.isAlive = false;
    client.reading.clear();
    client.finishing.clear();
    this.#disconnect(client);
  }

  /** The client sees its connection break; what has reached the broker has reached it. */
  breakConnection(client: ModelClient, error: KafkaError = new ConnectionError('reset')): void {
    const { connection } = client;
    if (connection === null) return;
    const pending = [...connection.pending.keys()];
    this.#disconnect(client);
    // Drivers may tell of the connection first, of its requests first, or of the connection alone.
    const tells = [
      () => this.feed(client, { type: 'coordinatorLost', error }),
      () => pending.forEach((id) => this.feed(client, { type: 'heartbeatFailed', id, error })),
    ];
    if (client.latencyMs % 3 === 1) tells.reverse();
    if (client.latencyMs % 3 === 2) tells.pop();
    for (const tell of tells) tell();
  }

  move(): void {
    this.coordinator = (this.coordinator + 1) % 3;
    this.broker.move(this.now);
  }

  /** A metadata refresh: some learn at once which id is which name, others later. */
  refresh(client: ModelClient): void {
    client.isResolving = true;
    this.#after(3 * client.latencyMs, () => {
      client.isResolving = false;
      if (client.emptyRefreshes > 0) client.emptyRefreshes -= 1;
      else for (const [topicId, { name }] of this.broker.topics) client.names.set(topicId, name);
      this.feed(client, { type: 'metadataChanged' });
    });
  }

  /** What the application does between rebalances: reads on, and commits. */
  commit(client: ModelClient): void {
    for (const state of client.reading.values()) state.position += 2;
    if (client.identity.generation > 0) this.#sendCommit(client, client.reading, () => undefined);
  }

  feed(client: ModelClient, event: ConsumerGroupEvent): void {
    if (client.isAlive) this.#perform(client, client.group.on(event, this.now));
  }

  run(durationMs: number): void {
    const end = this.now + durationMs;
    let stepsAtOnce = 0;
    for (;;) {
      const next = this.#nextAt();
      if (next > end) break;
      stepsAtOnce = next > this.now ? 0 : stepsAtOnce + 1;
      if (stepsAtOnce > 1_000) throw new Error(`time stands still at ${this.now}\n${this.trace}`);
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
    for (const client of this.clients) if (client.isAlive) this.#checkClient(client);
  }

  #after(ms: number, run: () => void): void {
    this.#order += 1;
    this.#events.push({ at: this.now + ms, order: this.#order, run });
  }

  #perform(client: ModelClient, actions: ConsumerGroupAction[]): void {
    for (const action of actions) {
      if (!client.isAlive) return;
      this.#note(client, action.type === 'log' ? action.message : action);
      if (action.type === 'log') continue;
      this.#countActions(client);
      this.#performOne(client, action);
    }
  }

  #performOne(client: ModelClient, action: Exclude<ConsumerGroupAction, { type: 'log' }>): void {
    switch (action.type) {
      case 'findCoordinator':
        return this.#find(client, action.id);
      case 'sendHeartbeat':
        return this.#sendHeartbeat(client, action);
      case 'coordinatorUnknown':
        this.#disconnect(client);
        client.coordinator = null;
        return;
      case 'resolveTopics':
        this.#check(client, action.topicIds.length > 0 && RECONCILES.includes(client.group.state), 'asks for no topic');
        return this.refresh(client);
      case 'revoke':
        return this.#revoke(client, action);
      case 'assign':
        return this.#assign(client, action);
      case 'epochChanged':
        client.identity = { memberId: action.memberId, generation: action.generation };
        return;
      case 'trouble':
      case 'obstacle':
        return;
      case 'fail':
        this.#check(client, INSTANCE_CODES.includes(action.error.code), `failed: ${action.error.message}`);
        return this.crash(client);
      case 'left':
        this.#check(client, !client.hasLeft && !client.isRevoking, 'left twice, or before the application was done');
        client.hasLeft = true;
    }
  }

  #find(client: ModelClient, id: number): void {
    client.isFinding = true;
    this.#after(2 * client.latencyMs, () => {
      client.isFinding = false;
      if (!this.isCoordinatorFound) {
        const error = new KafkaError('not found', { retriable: true });
        return this.feed(client, { type: 'coordinatorFailed', id, errorCode: 15, error });
      }
      client.coordinator = this.coordinator;
      this.feed(client, { type: 'coordinatorFound', id, coordinator: String(this.coordinator) });
    });
  }

  #connection(client: ModelClient): Connection {
    client.connection ??= { isOpen: true, broker: client.coordinator ?? 0, isStuck: false, pending: new Map() };
    return client.connection;
  }

  #sendHeartbeat(client: ModelClient, action: Send): void {
    const { request, id } = action;
    this.#check(client, client.coordinator !== null, 'heartbeat without a coordinator');
    const held = new Map([...client.reading, ...client.finishing]);
    if (request.memberEpoch <= 0) {
      this.#check(client, held.size === 0 || client.isLost, 'joins or leaves with partitions');
      client.identity = { memberId: '', generation: -1 };
    }
    if (request.topicPartitions !== null) {
      // What is said to be owned is what the application has: no less, for others may read the rest at once.
      const said = [...keysOf(request.topicPartitions)].sort();
      const has = [...held].map(([name, { topicId }]) => `${topicId}/${name.slice(name.lastIndexOf('-') + 1)}`).sort();
      this.#check(client, said.join() === has.join(), `says that it owns ${said.join()}, but has ${has.join()}`);
    }
    const connection = this.#connection(client);
    if (request.memberEpoch >= 0) this.#check(client, connection.pending.size === 0, 'two heartbeats in flight');
    connection.pending.set(id, action);
    this.#after(REQUEST_TIMEOUT_MS, () => {
      if (connection.isOpen && connection.pending.has(id))
        this.breakConnection(client, new RequestTimeoutError('no answer'));
    });
    connection.isStuck ||= client.isSilent;
    if (connection.isStuck) return;
    this.#after(client.latencyMs, () => {
      if (connection.isOpen) this.#serve(client, connection, action);
    });
  }

  #serve(client: ModelClient, connection: Connection, { id, request }: Send): void {
    const code = client.injected.shift() ?? (connection.broker === this.coordinator ? null : 16);
    const response = code === null ? this.broker.heartbeat(request, this.now) : failed(code);
    this.#note(client, response);
    const loses = client.losesNextAnswer;
    client.losesNextAnswer = false;
    this.#after(client.latencyMs, () => this.#deliver(client, connection, id, response, loses));
  }

  #deliver(
    client: ModelClient,
    connection: Connection,
    id: number,
    response: ConsumerGroupHeartbeatResponse,
    loses: boolean,
  ): void {
    // Given up, but on its way already: half of the clients hand it over all the same, when the next one is out perhaps.
    if (!connection.isOpen) {
      const isHandedOver = client.latencyMs % 2 === 1;
      const event = { type: 'heartbeatAnswered', id, response } as const;
      if (isHandedOver) this.#after(5 * client.latencyMs, () => this.feed(client, event));
      return;
    }
    if (loses) return this.breakConnection(client);
    connection.pending.delete(id);
    this.feed(client, { type: 'heartbeatAnswered', id, response });
  }

  #disconnect(client: ModelClient): void {
    if (client.connection !== null) client.connection.isOpen = false;
    client.connection = null;
  }

  #revoke(client: ModelClient, { partitions, lost }: Extract<ConsumerGroupAction, { type: 'revoke' }>): void {
    this.#check(client, !client.isRevoking || (lost && !client.isLost), 'revokes while it revokes');
    const names = partitions.map(nameOf);
    const isOurs = names.every((name) => client.reading.has(name) || client.finishing.has(name));
    this.#check(client, isOurs && partitions.length > 0, 'revokes what the application does not have');
    if (lost) {
      const all = [...client.finishing.keys(), ...client.reading.keys()];
      this.#check(client, all.sort().join() === [...names].sort().join(), 'loses only a part');
    }
    for (const name of names) {
      const state = client.reading.get(name);
      if (state === undefined) continue;
      client.reading.delete(name);
      client.finishing.set(name, state);
    }
    client.isLost ||= lost;
    if (client.isRevoking) return;
    client.isRevoking = true;
    this.#after(client.revokeDelayMs, () => this.#finish(client, 5));
  }

  /** The record in hand is finished, then committed, with another try where an epoch has overtaken it, then given up. */
  #finish(client: ModelClient, tries: number): void {
    const done = (): void => {
      client.isRevoking = false;
      client.isLost = false;
      client.finishing.clear();
      this.feed(client, { type: 'revoked' });
    };
    if (client.isLost || tries === 0 || client.identity.generation <= 0) return done();
    if (tries === 5) for (const state of client.finishing.values()) state.position += 3;
    this.#sendCommit(client, client.finishing, (code) => {
      if (code === 0 || code === 25) done();
      else this.#after(100, () => this.#finish(client, tries - 1));
    });
  }

  /** On the heartbeats' connection, behind them. @param then -1 for no answer */
  #sendCommit(
    client: ModelClient,
    reading: ReadonlyMap<string, { topicId: string; position: number }>,
    then: (code: number) => void,
  ): void {
    if (client.coordinator === null) return this.#after(50, () => then(-1));
    const { memberId, generation } = client.identity;
    const offsets = new Map([...reading].map(([name, { topicId, position }]) => [`${topicId}/${name}`, position]));
    const connection = this.#connection(client);
    this.#after(client.latencyMs, () => {
      const isServed = connection.isOpen && connection.broker === this.coordinator;
      const code = isServed ? this.broker.commit(memberId, generation, offsets) : -1;
      this.#after(client.latencyMs, () => {
        if (code > 0) this.feed(client, { type: 'commitFenced', errorCode: code, generation, memberId });
        then(code);
      });
    });
  }

  #assign(client: ModelClient, action: Extract<ConsumerGroupAction, { type: 'assign' }>): void {
    const { partitions, added, memberId, generation } = action;
    this.#check(client, !client.isRevoking, 'assigned while it revokes');
    client.identity = { memberId, generation };
    for (const each of added) {
      this.#check(client, !client.reading.has(nameOf(each)), `${nameOf(each)} is assigned twice`);
      const topicId = this.#idOf(client, each);
      const position = this.broker.offsets.get(`${topicId}/${nameOf(each)}`) ?? 0;
      client.reading.set(nameOf(each), { topicId, position });
    }
    const all = partitions.map(nameOf).sort().join();
    this.#check(client, [...client.reading.keys()].sort().join() === all, `owns ${all} but reads something else`);
  }

  /** Of the topic with that name of which the broker has given this partition to the client. */
  #idOf(client: ModelClient, { topic, partition }: TopicPartition): string {
    const member = this.broker.members.get(client.group.memberId);
    const ids = [...client.names].filter(([, name]) => name === topic).map(([topicId]) => topicId);
    return ids.find((topicId) => member?.assigned.has(`${topicId}/${partition}`) === true) ?? ids.at(-1) ?? '';
  }

  #checkClient(client: ModelClient): void {
    const { state, memberEpoch } = client.group;
    const member = this.broker.members.get(client.group.memberId);
    // Invariant 4: whom the broker counts as a member reads nothing but what the broker counts as its own.
    if (member !== undefined && memberEpoch > 0 && member.epoch > 0) {
      for (const [name, { topicId }] of client.reading) {
        const key = `${topicId}/${name.slice(name.lastIndexOf('-') + 1)}`;
        const isOurs = member.assigned.has(key) || member.revoking.has(key);
        this.#check(client, isOurs, `reads ${name} (${topicId}), which the broker has given away`);
      }
    }
    // Invariant 6: a member that is on its way has something under way: nothing waits for an event that nobody owes.
    if (state === 'unsubscribed' || state === 'stale' || state === 'fatal') return;
    const isOwed =
      client.isFinding || client.isResolving || client.isRevoking || (client.connection?.pending.size ?? 0) > 0;
    this.#check(client, isOwed || client.group.deadline() < Infinity, `stuck in ${state}`);
  }

  #countActions(client: ModelClient): void {
    const second = Math.floor(this.now / 1000);
    client.actionsInSecond = second === client.second ? client.actionsInSecond + 1 : 1;
    client.second = second;
    this.#check(client, client.actionsInSecond <= MAX_ACTIONS_PER_SECOND, 'spins without a wait');
  }

  #note(client: ModelClient, what: unknown): void {
    this.#trace.push([this.now, client.name, what]);
    if (this.#trace.length > 400) this.#trace.splice(0, 200);
  }

  #check(client: ModelClient, holds: boolean, what: string): void {
    if (!holds) throw new Error(`${this.now} ${client.name}: ${what}\n${this.trace}`);
  }
}
