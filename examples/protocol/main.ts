// samsa/protocol alone: requests made by hand, over a plain socket. No consumer, no retries, nothing that runs by itself.
//
//   npx tsx examples/protocol/main.ts HOST:PORT [TOPIC…]
//
// Asks a broker which versions it has, then for its metadata in the highest one that both know, and prints the answer.
import net from 'node:net';
// Outside of this repository: from 'samsa/protocol'.
import {
  apiVersions,
  apiByKey,
  decodeResponseFrame,
  encodeRequestFrame,
  FrameAssembler,
  metadata,
  negotiateVersion,
  NO_UUID,
  readCorrelationId,
  type Api,
} from '../../src/protocol/index.ts';

const MAX_FRAME_BYTES = 16 * 1024 * 1024;
const CLIENT_ID = 'by-hand';

/** Bytes as they come, cut into frames: an answer each, without its length. */
async function* framesFrom(socket: net.Socket): AsyncGenerator<Buffer, undefined> {
  const assembler = new FrameAssembler(MAX_FRAME_BYTES);
  for await (const bytes of socket as AsyncIterable<Buffer>) yield* assembler.feed(bytes);
}

async function main(address: string, topics: string[]): Promise<void> {
  const [host, port] = address.split(':');
  const socket = net.connect({ host: host ?? '', port: Number(port) });
  const frames = framesFrom(socket);
  let correlationId = 0;

  const ask = async <Req, Res>(api: Api<Req, Res>, version: number, request: Req): Promise<Res> => {
    socket.write(encodeRequestFrame(api, version, ++correlationId, CLIENT_ID, request));
    const { value: frame } = await frames.next();
    if (frame === undefined) throw new Error(`${address} has closed the connection instead of answering ${api.name}`);
    if (readCorrelationId(frame) !== correlationId) throw new Error('an answer to another request');
    return decodeResponseFrame(api, version, frame);
  };

  try {
    const about = { clientSoftwareName: 'by-hand', clientSoftwareVersion: '1.0' };
    const { apiKeys } = await ask(apiVersions, 0, about); // version 0 is one that every broker has
    const known = apiKeys.filter(({ apiKey }) => apiByKey(apiKey) !== undefined);
    console.log(`${address} has ${apiKeys.length} APIs, samsa/protocol knows ${known.length} of them`);

    const range = apiKeys.find(({ apiKey }) => apiKey === metadata.key);
    const version = negotiateVersion(metadata, range && { min: range.minVersion, max: range.maxVersion });
    const answer = await ask(metadata, version, {
      topics: topics.length === 0 ? null : topics.map((name) => ({ topicId: NO_UUID, name })),
      allowAutoTopicCreation: false,
      includeClusterAuthorizedOperations: false,
      includeTopicAuthorizedOperations: false,
    });
    console.log(`Metadata v${version}: ${JSON.stringify(answer, null, 2)}`);
  } finally {
    socket.destroy();
  }
}

const [address, ...topics] = process.argv.slice(2);
if (address === undefined || !/^[^:]+:\d+$/.test(address)) {
  console.error('usage: npx tsx examples/protocol/main.ts HOST:PORT [TOPIC…]');
  process.exitCode = 2;
} else {
  await main(address, topics).catch((error: unknown) => {
    console.error(String(error));
    process.exitCode = 1;
  });
}
