import { once } from 'node:events';
import net from 'node:net';
import { Worker } from 'node:worker_threads';

// Its event loop stands still once it listens, so nobody takes the connections that the kernel has made.
const LISTENER = `
  const { parentPort } = require('node:worker_threads');
  const server = require('node:net').createServer();
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
    parentPort.postMessage(server.address().port);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  });
`;
/** More than the kernel keeps for a backlog of 1. */
const FILLERS = 4;

/** An address that lets no connection through, as that of a machine that is gone: what is sent there is not even refused. */
export class BlackHole {
  readonly port: number;
  readonly #worker: Worker;
  readonly #fillers: readonly net.Socket[];

  private constructor(port: number, worker: Worker) {
    this.port = port;
    this.#worker = worker;
    this.#fillers = Array.from({ length: FILLERS }, () => {
      const socket = net.connect({ port, host: '127.0.0.1' });
      socket.on('error', () => undefined);
      return socket;
    });
  }

  static async open(): Promise<BlackHole> {
    const worker = new Worker(LISTENER, { eval: true });
    const [port] = (await once(worker, 'message')) as [number];
    const hole = new BlackHole(port, worker);
    await once(hole.#fillers[0] as net.Socket, 'connect'); // there is one
    return hole;
  }

  async close(): Promise<void> {
    for (const socket of this.#fillers) socket.destroy();
    await this.#worker.terminate();
  }
}
