/**
 * The decoders of other clients, as they are in `bench/peers`: from a response's record bytes to records. They check no CRC. Their insides have no types and no promises; they are of the versions in `bench/peers/package.json`.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { touch, type Work } from './work.ts';

const PEERS = new URL('../peers/package.json', import.meta.url);

interface KafkaJsMessage {
  readonly value: Buffer | null;
  readonly headers: Record<string, Buffer>;
}

export async function kafkajs(): Promise<Readonly<Record<string, Work>>> {
  const require = createRequire(PEERS);
  const Decoder = require('kafkajs/src/protocol/decoder') as new (bytes: Buffer) => { canReadInt32(): boolean };
  const decodeBatch = require('kafkajs/src/protocol/recordBatch/v0/decoder') as (
    decoder: object,
  ) => Promise<{ records: KafkaJsMessage[] }>;
  const batches = async function* (response: Buffer): AsyncGenerator<KafkaJsMessage[]> {
    const decoder = new Decoder(response);
    while (decoder.canReadInt32()) yield (await decodeBatch(decoder)).records;
  };
  return Promise.resolve({
    value: async (response) => {
      let sum = 0;
      for await (const records of batches(response))
        for (const { value } of records) sum += value === null ? 0 : touch(value);
      return sum;
    },
    headers: async (response) => {
      let sum = 0;
      for await (const records of batches(response))
        for (const { headers } of records)
          for (const [name, value] of Object.entries(headers)) sum += name.length + touch(value);
      return sum;
    },
  });
}

interface PlatformaticRecord {
  readonly key: Buffer;
  readonly value: Buffer;
  readonly offsetDelta: number;
  readonly timestampDelta: bigint;
  readonly headers: [Buffer, Buffer][];
}

interface PlatformaticBatch {
  readonly firstOffset: bigint;
  readonly firstTimestamp: bigint;
  readonly records: PlatformaticRecord[];
}

interface PlatformaticModule {
  readonly Reader: { from(bytes: Buffer): object };
  readonly readRecordsBatches: (reader: object) => PlatformaticBatch[];
}

export async function platformatic(): Promise<Readonly<Record<string, Work>>> {
  const path = createRequire(PEERS).resolve('@platformatic/kafka');
  const { Reader, readRecordsBatches } = (await import(path)) as PlatformaticModule;
  return {
    value: (response) => {
      let sum = 0;
      for (const { records } of readRecordsBatches(Reader.from(response)))
        for (const { value } of records) sum += touch(value);
      return sum;
    },
    // Offset, timestamp and headers as its consumer hands them on, which its decoder leaves to do.
    message: (response) => {
      let sum = 0;
      const messages: object[] = [];
      for (const { firstOffset, firstTimestamp, records } of readRecordsBatches(Reader.from(response))) {
        for (const { key, value, headers, offsetDelta, timestampDelta } of records) {
          const offset = firstOffset + BigInt(offsetDelta);
          const timestamp = firstTimestamp + timestampDelta;
          messages.push({ key, value, headers: new Map(headers), topic: 'bench', partition: 0, offset, timestamp });
          sum += touch(value);
        }
      }
      return sum + messages.length;
    },
    headers: (response) => {
      let sum = 0;
      for (const { records } of readRecordsBatches(Reader.from(response)))
        for (const { headers } of records)
          for (const [name, value] of headers) sum += name.toString().length + touch(value);
      return sum;
    },
  };
}

/** Of the package as it is installed; throws where it is not. */
export function peerVersion(packageName: string): string {
  const manifest = new URL(`../peers/node_modules/${packageName}/package.json`, import.meta.url);
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
}
