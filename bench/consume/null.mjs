// null.mjs BOOTSTRAP TOPIC RECORDS GROUP: the floor. One Fetch after the other on one connection, frames into the same buffer
// over and over, batch headers walked for the next offset; no record is looked at, no CRC checked, no group joined, no library
// loaded: the two requests are written by hand.
import { connect } from 'node:net';

const [bootstrapServers, topic, wanted] = process.argv.slice(2);
const target = Number(wanted);
const [host, port] = bootstrapServers.split(',')[0].split(':');
const METADATA = { key: 3, version: 1 };
const FETCH = { key: 1, version: 11 }; // the last one that names topics and has no tagged fields
const MAX_BYTES = 50 * 1024 * 1024;
const PARTITION_BYTES = 1024 * 1024;

let correlationId = 0;
let answered = () => undefined;
let header = Buffer.alloc(4);
let headerBytes = 0;
let slab = Buffer.allocUnsafeSlow(8 * PARTITION_BYTES);
let frame = null;
let frameBytes = 0;
let reads = 0;

const socket = connect({
  host,
  port: Number(port),
  noDelay: true,
  onread: {
    buffer: () => (frame === null ? header.subarray(headerBytes) : frame.subarray(frameBytes)),
    callback: (bytes) => {
      reads++;
      if (frame === null) {
        headerBytes += bytes;
        if (headerBytes < 4) return true;
        const length = header.readInt32BE(0);
        if (length > slab.length) slab = Buffer.allocUnsafeSlow(length * 2);
        frame = slab.subarray(0, length);
        frameBytes = 0;
        return true;
      }
      frameBytes += bytes;
      if (frameBytes < frame.length) return true;
      const whole = frame;
      frame = null;
      headerBytes = 0;
      answered(whole);
      return true;
    },
  },
});

function send({ key, version }, ...fields) {
  const body = Buffer.concat([int16(key), int16(version), int32(correlationId++), string('null'), ...fields]);
  socket.write(Buffer.concat([int32(body.length), body]));
}

function int16(value) {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function int64(value) {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(value));
  return bytes;
}

function string(text) {
  return Buffer.concat([int16(text.length), Buffer.from(text)]);
}

/** How many partitions the topic has: their number stands behind its name at the answer's end. */
async function partitionCount() {
  const answer = await new Promise((resolve) => {
    answered = (whole) => resolve(Buffer.from(whole));
    send(METADATA, int32(1), string(topic));
  });
  const name = answer.lastIndexOf(topic);
  return answer.readInt32BE(name + topic.length + 1); // behind isInternal
}

function fetchRequest() {
  const limits = [int32(-1), int32(500), int32(1), int32(MAX_BYTES), Buffer.from([0])];
  const noSession = [int32(0), int32(-1)];
  const asked = positions.map(({ partition, offset }) =>
    Buffer.concat([int32(partition), int32(-1), int64(offset), int64(-1), int32(PARTITION_BYTES)]),
  );
  return [...limits, ...noSession, int32(1), string(topic), int32(asked.length), ...asked, int32(0), string('')];
}

await new Promise((resolve) => socket.once('connect', resolve));
const positions = Array.from({ length: await partitionCount() }, (_, partition) => ({ partition, offset: 0 }));
let records = 0;
const first = performance.now();
answered = onFetched;
next();

function next() {
  // In rotating order, as brokers fill an answer from the front.
  positions.push(positions.shift());
  send(FETCH, ...fetchRequest());
}

function onFetched(whole) {
  let at = 14; // correlation id, throttle time, error code, session id
  at += 4 + 2 + whole.readInt16BE(at + 4) + 4; // one topic: its name, and how many partitions follow
  for (let left = whole.readInt32BE(at - 4); left > 0; left--) {
    const position = positions.find(({ partition }) => partition === whole.readInt32BE(at));
    at += 4 + 2 + 24; // partition, error code, three offsets
    const aborted = whole.readInt32BE(at);
    at += 4 + Math.max(aborted, 0) * 16 + 4; // transactions, preferred replica
    const end = at + 4 + whole.readInt32BE(at);
    at += 4;
    while (at + 61 <= end) {
      const batchEnd = at + 12 + whole.readInt32BE(at + 8);
      if (batchEnd > end) break;
      const base = whole.readUInt32BE(at) * 2 ** 32 + whole.readUInt32BE(at + 4);
      records += whole.readInt32BE(at + 57);
      position.offset = base + whole.readInt32BE(at + 23) + 1;
      at = batchEnd;
    }
    at = end;
  }
  if (records < target) return next();
  const seconds = (performance.now() - first) / 1000;
  console.log(JSON.stringify({ records, bytes: null, lastBytes: null, offsets: null, seconds, startMs: null, reads }));
  process.exit(0);
}
