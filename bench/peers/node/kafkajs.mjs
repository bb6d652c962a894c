// kafkajs.mjs BOOTSTRAP TOPIC RECORDS GROUP batch|message
// Codecs beyond gzip are what a user plugs in: here the quickest that npm installs without a compiler.
import { createRequire } from 'node:module';
import * as zlib from 'node:zlib';
import { bootstrapServers, groupId, LIMITS, mode, topic, touch } from './tally.mjs';

const require = createRequire(import.meta.url);
const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = require('kafkajs');
const snappy = require('snappy');
const lz4 = require('lz4-napi');
const fzstd = require('fzstd');

const decompressing = (decompress) => () => ({
  compress: () => Promise.reject(new Error('only read here')),
  decompress,
});
CompressionCodecs[CompressionTypes.Snappy] = decompressing((bytes) => unsnappy(bytes));
CompressionCodecs[CompressionTypes.LZ4] = decompressing((bytes) => lz4.decompressFrameSync(bytes));
CompressionCodecs[CompressionTypes.ZSTD] = decompressing((bytes) =>
  zlib.zstdDecompressSync === undefined ? Buffer.from(fzstd.decompress(bytes)) : zlib.zstdDecompressSync(bytes),
);

/** Java's producer writes xerial's frame: 16 bytes of header, then blocks behind their lengths. */
function unsnappy(bytes) {
  if (bytes.toString('latin1', 1, 7) !== 'SNAPPY') return snappy.uncompressSync(bytes);
  const blocks = [];
  for (let at = 16; at < bytes.length;) {
    const length = bytes.readInt32BE(at);
    blocks.push(snappy.uncompressSync(bytes.subarray(at + 4, at + 4 + length)));
    at += 4 + length;
  }
  return Buffer.concat(blocks);
}

const kafka = new Kafka({ clientId: 'bench', brokers: bootstrapServers.split(','), logLevel: logLevel.ERROR });
const consumer = kafka.consumer({
  groupId,
  minBytes: LIMITS.minBytes,
  maxBytes: LIMITS.maxBytes,
  maxBytesPerPartition: LIMITS.maxPartitionBytes,
  maxWaitTimeInMs: LIMITS.maxWaitMs,
});
await consumer.connect();
await consumer.subscribe({ topics: [topic], fromBeginning: true });
const eachBatch = async ({ batch }) => {
  for (const { value, key, offset } of batch.messages) touch(value, key, Number(offset));
};
const eachMessage = async ({ message: { value, key, offset } }) => touch(value, key, Number(offset));
await consumer.run(mode === 'message' ? { eachMessage } : { eachBatch });
