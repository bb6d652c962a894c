import type { AnyHandler } from '../handler.ts';
import { apiVersionsHandler } from './api-versions.ts';
import { heartbeatHandler, joinGroupHandler, leaveGroupHandler, syncGroupHandler } from './classic-group.ts';
import { consumerGroupHeartbeatHandler } from './consumer-group-heartbeat.ts';
import { createTopicsHandler } from './create-topics.ts';
import { describeGroupsHandler } from './describe-groups.ts';
import { fetchHandler } from './fetch.ts';
import { findCoordinatorHandler } from './find-coordinator.ts';
import { listGroupsHandler } from './list-groups.ts';
import { listOffsetsHandler } from './list-offsets.ts';
import { metadataHandler } from './metadata.ts';
import { offsetCommitHandler } from './offset-commit.ts';
import { offsetFetchHandler } from './offset-fetch.ts';
import { offsetForLeaderEpochHandler } from './offset-for-leader-epoch.ts';
import { produceHandler } from './produce.ts';
import { saslAuthenticateHandler, saslHandshakeHandler } from './sasl.ts';

/** Everything that the mock cluster does, by the API's key. */
export const HANDLERS: ReadonlyMap<number, AnyHandler> = new Map(
  [
    produceHandler,
    fetchHandler,
    listOffsetsHandler,
    metadataHandler,
    offsetCommitHandler,
    offsetFetchHandler,
    findCoordinatorHandler,
    joinGroupHandler,
    heartbeatHandler,
    leaveGroupHandler,
    syncGroupHandler,
    apiVersionsHandler,
    createTopicsHandler,
    offsetForLeaderEpochHandler,
    consumerGroupHeartbeatHandler,
    describeGroupsHandler,
    listGroupsHandler,
    saslHandshakeHandler,
    saslAuthenticateHandler,
  ].map((handler): [number, AnyHandler] => [handler.api.key, handler as AnyHandler]),
);
