/** What all consumers of these tests have: intervals are short, so that a history is. */
export const SHORT = {
  defaultApiTimeoutMs: 3000,
  retryBackoffMs: 5,
  retryBackoffMaxMs: 40,
  reconnectBackoffMs: 5,
  reconnectBackoffMaxMs: 40,
  socketConnectionSetupTimeoutMs: 1000,
  autoOffsetReset: 'earliest',
  groupId: 'g',
  logger: null,
} as const;
