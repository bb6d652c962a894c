import { connect, createServer } from 'node:net';

// Below what Linux, macOS and Windows hand out to outgoing connections (32768 and up). A client that reconnects to a
// dead broker's port in that range can be given this very port as its own, and then talks to itself.
const LOWEST = 15_000;
const HIGHEST = 32_000;

/** A TCP port of 127.0.0.1 that nobody listens on, outside the range of outgoing connections. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST));
    if (await canListen(port)) return port;
  }
  throw new Error(`no free port between ${LOWEST} and ${HIGHEST}`);
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    // All interfaces, as a container's published port is.
    server.listen(port, () => server.close(() => resolve(true)));
  });
}

// length 10 | ApiVersions 18, version 0 | correlation id 1 | null client id
const API_VERSIONS_REQUEST = Buffer.from('0000000a0012000000000001ffff', 'hex');

/** Whether a Kafka broker answers ApiVersions there. An open port is not enough: a container's proxy has one early. */
export function answersApiVersions(host: string, port: number, timeoutMs = 1000): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    let received = Buffer.alloc(0);
    const finish = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(timeoutMs, () => finish(false));
    socket.on('error', () => finish(false));
    socket.on('close', () => finish(false));
    socket.on('connect', () => socket.write(API_VERSIONS_REQUEST));
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 10) return;
      // length | correlation id | error code
      finish(received.readInt32BE(4) === 1 && received.readInt16BE(8) === 0);
    });
  });
}
