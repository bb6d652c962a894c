import Long from 'long';
import { apiVersions, type ApiVersionsRequest, type ApiVersionsResponse } from '../../protocol/api/api-versions.ts';
import { ERROR_CODES } from '../../protocol/error-codes.ts';
import type { Handler, RequestContext } from '../handler.ts';

/** In the answer to a version that the broker does not have, Kafka names no other API than this one (KIP-511). */
export const apiVersionsHandler: Handler<ApiVersionsRequest, ApiVersionsResponse> = {
  api: apiVersions,
  handle: (_request, context) => answer(ERROR_CODES.NONE, context),
  refuse: (_request, errorCode, context) => answer(errorCode, context),
};

function answer(errorCode: number, context: RequestContext): ApiVersionsResponse {
  const onlyThis = errorCode === ERROR_CODES.UNSUPPORTED_VERSION;
  const apiKeys = [...context.cluster.handlers.values()].flatMap(({ api }) => {
    const range = context.broker.versions.get(api.name);
    if (range === undefined || (onlyThis && api.name !== apiVersions.name)) return [];
    return [{ apiKey: api.key, minVersion: range.min, maxVersion: range.max }];
  });
  apiKeys.sort((a, b) => a.apiKey - b.apiKey);
  const response: ApiVersionsResponse = {
    errorCode,
    apiKeys,
    throttleTimeMs: 0,
    supportedFeatures: [],
    finalizedFeaturesEpoch: Long.NEG_ONE,
    finalizedFeatures: [],
    zkMigrationReady: false,
  };
  if (!onlyThis && context.broker.versions.has('ConsumerGroupHeartbeat')) {
    response.supportedFeatures = [{ name: 'group.version', minVersion: 0, maxVersion: 1 }];
    response.finalizedFeatures = [{ name: 'group.version', minVersionLevel: 1, maxVersionLevel: 1 }];
    response.finalizedFeaturesEpoch = Long.ONE;
  }
  return response;
}
