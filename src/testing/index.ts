// samsa/testing: what tests of applications need. Never imports the client, so as not to share its mistakes.

export { encodeRecordBatch, type BatchOptions, type TestCompression, type TestRecord } from './record-batch-writer.ts';
