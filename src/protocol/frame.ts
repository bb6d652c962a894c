import { ProtocolError } from '../errors.ts';

const PREFIX_BYTES = 4;
/** Below this, growing is not worth it. */
const LEAST_BYTES = 64 * 1024;

/**
 * Bytes of a socket → whole frames, without a copy: it says where the next bytes shall go, and each frame gets a
 * buffer of its own (`allocUnsafeSlow`), so that a record that is kept pins one frame and not a slab of the pool.
 *
 * Made for `net.connect({ onread: { buffer: () => assembler.target(), callback: (n) => assembler.advance(n) } })`.
 */
export class FrameAssembler {
  readonly #maxFrameBytes: number;
  readonly #prefix = Buffer.allocUnsafeSlow(PREFIX_BYTES);
  /** The frame being filled, or its beginning; null while its length is. */
  #frame: Buffer | null = null;
  #length = 0;
  #filled = 0;
  /**
   * A frame up to this length gets its buffer at once. The buffer of a longer one grows with the bytes that have come, so that a mere
   * length costs no memory. May be changed at any time; it counts for the next frame.
   */
  promptBytes: number;

  /**
   * @param maxFrameBytes largest length to accept, without the 4 bytes of the length itself
   * @param promptBytes default: the same
   */
  constructor(maxFrameBytes: number, promptBytes = maxFrameBytes) {
    this.#maxFrameBytes = maxFrameBytes;
    this.promptBytes = promptBytes;
  }

  /** Where the next bytes from the socket go; never empty. Valid until the next `advance()`. */
  target(): Buffer {
    return (this.#frame ?? this.#prefix).subarray(this.#filled);
  }

  /**
   * Takes note that the first `bytesRead` bytes of `target()` were filled.
   * @returns the frame, without its length, once it is whole: the caller owns it; null before that
   * @throws ProtocolError for a length that no Kafka broker sends: the connection must be closed then
   */
  advance(bytesRead: number): Buffer | null {
    const destination = this.#frame ?? this.#prefix;
    this.#filled += bytesRead;
    if (this.#filled > destination.length) throw new RangeError(`${bytesRead} bytes do not fit into target()`);
    if (this.#filled < destination.length) return null;
    if (this.#frame === null) {
      this.#length = this.#checkedLength();
      this.#frame = Buffer.allocUnsafeSlow(Math.min(this.#length, Math.max(this.promptBytes, LEAST_BYTES)));
      this.#filled = 0;
      return null;
    }
    const frame = this.#frame;
    if (frame.length < this.#length) {
      this.#frame = Buffer.allocUnsafeSlow(Math.min(this.#length, 2 * frame.length));
      frame.copy(this.#frame);
      return null;
    }
    this.#filled = 0;
    this.#frame = null;
    return frame;
  }

  /** Before anything is allocated: the length is all that the other side has sent so far. */
  #checkedLength(): number {
    const length = this.#prefix.readInt32BE(0);
    // Every frame begins with a correlation id (response) or an api key and version (request).
    if (length >= 4 && length <= this.#maxFrameBytes) return length;
    throw new ProtocolError(`frame of ${length} bytes, expected 4 to ${this.#maxFrameBytes}${hintFor(this.#prefix)}`, {
      position: 0,
    });
  }
}

/** The usual reasons for a senseless length: the port belongs to something else. */
function hintFor(prefix: Buffer): string {
  const type = prefix.readUInt8(0);
  if ((type === 0x15 || type === 0x16) && prefix.readUInt8(1) === 0x03) {
    return ': the other side speaks TLS, which samsa cannot do yet; use the plaintext port';
  }
  const text = prefix.toString('latin1');
  if (text === 'HTTP') return ': the other side is an HTTP server, not a Kafka broker; check host and port';
  if (/^[\x20-\x7e]{4}$/.test(text))
    return `: the other side sent text ('${text}…'), it is no Kafka broker; check host and port`;
  return '';
}
