import { FrameTooLargeError, ProtocolError } from '../errors.ts';

const PREFIX_BYTES = 4;
/** What is read at a frame's beginning: a small answer takes one read and is copied, of a large one no more than this is. */
const HEAD_BYTES = 4096;
/** Below this, growing is not worth it. */
const LEAST_BYTES = 64 * 1024;

/**
 * Bytes of a socket → whole frames: it says where the next bytes shall go, and each frame gets a buffer of its own
 * (`allocUnsafeSlow`), so that a record that is kept pins one frame and not a slab of the pool. But for a frame's first bytes, which
 * come with its length, nothing is copied.
 *
 * Made for `net.connect({ onread: { buffer: () => assembler.target(), callback } })`, where `callback` calls `advance(bytesRead)`, and
 * then `next()` until that gives null.
 */
export class FrameAssembler {
  /** Largest length to accept, without the 4 bytes of the length itself. May be changed at any time; it counts for the next frame. */
  maxFrameBytes: number;
  readonly #head = Buffer.allocUnsafeSlow(HEAD_BYTES);
  /** The bytes of `#head` that belong to no frame yet. */
  #headFrom = 0;
  #headTo = 0;
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
    this.maxFrameBytes = maxFrameBytes;
    this.promptBytes = promptBytes;
  }

  /** All bytes so far were those of whole frames, and `next` has given them out. */
  get isBetweenFrames(): boolean {
    return this.#frame === null && this.#headFrom === this.#headTo;
  }

  /** Where the next bytes from the socket go; never empty once `next()` has given all that there is. Valid until `advance()`. */
  target(): Buffer {
    return this.#frame === null ? this.#head.subarray(this.#headTo) : this.#frame.subarray(this.#filled);
  }

  /** Takes note that the first `bytesRead` bytes of `target()` were filled: there may be frames now. */
  advance(bytesRead: number): void {
    const room = this.#frame === null ? HEAD_BYTES - this.#headTo : this.#frame.length - this.#filled;
    if (bytesRead > room) throw new RangeError(`${bytesRead} bytes do not fit into target()`);
    if (this.#frame === null) this.#headTo += bytesRead;
    else this.#filled += bytesRead;
  }

  /**
   * @returns the next frame that is whole, without its length: the caller owns it; null where more bytes are needed
   * @throws ProtocolError for a length that no Kafka broker sends: the connection must be closed then
   */
  next(): Buffer | null {
    const frame = this.#frame ?? this.#begin();
    if (frame === null || this.#filled < frame.length) return null;
    if (frame.length < this.#length) {
      this.#frame = Buffer.allocUnsafeSlow(Math.min(this.#length, 2 * frame.length));
      frame.copy(this.#frame);
      return null;
    }
    this.#frame = null;
    return frame;
  }

  /** `advance` and `next` for whoever has the bytes already: copies them. @throws as `next` */
  *feed(bytes: Buffer): Generator<Buffer, undefined> {
    for (let at = 0; at < bytes.length;) {
      const copied = bytes.copy(this.target(), 0, at);
      at += copied;
      this.advance(copied);
      for (let frame = this.next(); frame !== null; frame = this.next()) yield frame;
    }
  }

  #begin(): Buffer | null {
    const from = this.#headFrom + PREFIX_BYTES;
    if (from > this.#headTo) {
      this.#head.copyWithin(0, this.#headFrom, this.#headTo);
      this.#headTo -= this.#headFrom;
      this.#headFrom = 0;
      return null;
    }
    this.#length = this.#checkedLength();
    this.#frame = Buffer.allocUnsafeSlow(Math.min(this.#length, Math.max(this.promptBytes, LEAST_BYTES)));
    this.#filled = this.#head.copy(this.#frame, 0, from, this.#headTo);
    this.#headFrom = from + this.#filled;
    if (this.#headFrom === this.#headTo) this.#headFrom = this.#headTo = 0;
    return this.#frame;
  }

  /** Before anything is allocated: the length is all that counts of what the other side has sent so far. */
  #checkedLength(): number {
    const prefix = this.#head.subarray(this.#headFrom, this.#headFrom + PREFIX_BYTES);
    const length = prefix.readInt32BE(0);
    // Every frame begins with a correlation id (response) or an api key and version (request).
    if (length >= 4 && length <= this.maxFrameBytes) return length;
    if (length > this.maxFrameBytes && hintFor(prefix) === '') throw tooLarge(length, this.maxFrameBytes);
    throw new ProtocolError(`frame of ${length} bytes, expected 4 to ${this.maxFrameBytes}${hintFor(prefix)}`, {
      position: 0,
    });
  }
}

function tooLarge(length: number, maxFrameBytes: number): FrameTooLargeError {
  const text = `frame of ${length} bytes, expected 4 to ${maxFrameBytes}; if that is no mistake, raise receiveMessageMaxBytes`;
  return new FrameTooLargeError(text, { position: 0 });
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
