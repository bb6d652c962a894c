import type { ErrorFates } from '../protocol/error-fates.ts';

export type MetadataFate =
  /** Asked again after a back-off. */
  | 'retry'
  /** The same, told at the first time. */
  | 'warn'
  /** Thrown to one read for each response that says so, and asked again after a back-off. */
  | 'refuse';

/** What follows from the error of one topic: never more than this topic's reading. As Java, which keeps only the two. */
export const METADATA_FATES: ErrorFates<MetadataFate> = {
  title: 'Metadata, a topic',
  codes: {
    LEADER_NOT_AVAILABLE: 'retry',
    INVALID_TOPIC_EXCEPTION: 'refuse',
    TOPIC_AUTHORIZATION_FAILED: 'refuse',
  },
  others: 'warn',
};
