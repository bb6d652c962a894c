import { once } from 'node:events';
import net from 'node:net';
import type { Api } from '../../src/protocol/api.ts';
import { FrameAssembler } from '../../src/protocol/frame.ts';
import { decodeResponseFrame, encodeRequestFrame, readCorrelationId } from '../../src/protocol/header.ts';

/**
 * A client that does nothing by itself: requests in the version that a test names, answers as they come. Nothing of the consumer's own
 * network code, so that the mock cluster is not tested by what is tested with it.
 */
export class RawClient {
  readonly socket: net.Socket;
  /** Frames that have come and nobody has taken, without their length. */
  readonly frames: Buffer[] = [];
  readonly #takers: ((frame: Buffer | null) => void)[] = [];
  #correlationId = 0;
  isClosed = false;

  private constructor(socket: net.Socket) {
    this.socket = socket;
    const assembler = new FrameAssembler(1 << 28);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.isClosed = true;
      for (const take of this.#takers.splice(0)) take(null);
    });
    socket.on('data', (bytes: Buffer) => {
      for (const frame of assembler.feed(bytes)) this.#onFrame(frame);
    });
  }

  /** @param address `host:port` */
  static async open(address: string): Promise<RawClient> {
    const [host = '', port] = address.split(':');
    const socket = net.connect({ host, port: Number(port), noDelay: true });
    await once(socket, 'connect');
    return new RawClient(socket);
  }

  /** @throws where the connection is closed before the answer */
  async send<Req, Res>(api: Api<Req, Res>, version: number, body: Req, clientId = 'raw'): Promise<Res> {
    const correlationId = this.post(api, version, body, clientId);
    const frame = await this.next();
    if (frame === null) throw new Error(`closed before the answer to ${api.name}`);
    if (readCorrelationId(frame) !== correlationId) throw new Error('an answer to another request');
    return decodeResponseFrame(api, version, frame);
  }

  /** Sends without waiting; gives the correlation id. */
  post<Req, Res>(api: Api<Req, Res>, version: number, body: Req, clientId = 'raw'): number {
    const correlationId = ++this.#correlationId;
    this.socket.write(encodeRequestFrame(api, version, correlationId, clientId, body));
    return correlationId;
  }

  /** The next frame; null when the connection is closed. */
  next(): Promise<Buffer | null> {
    const frame = this.frames.shift();
    if (frame !== undefined) return Promise.resolve(frame);
    if (this.isClosed) return Promise.resolve(null);
    return new Promise((resolve) => this.#takers.push(resolve));
  }

  close(): void {
    this.socket.destroy();
  }

  #onFrame(frame: Buffer): void {
    const take = this.#takers.shift();
    if (take === undefined) this.frames.push(frame);
    else take(frame);
  }
}
