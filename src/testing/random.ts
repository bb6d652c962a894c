/** Numbers that look random and are the same for the same seed (mulberry32): ids, and faults that happen now and then. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** From 0 to below 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  }

  /** A whole number from 0 to below `limit`. */
  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  /** 16 random bytes as Kafka prints a UUID: 22 characters of URL-safe base64. */
  kafkaUuid(): string {
    return this.#uuidBytes().toString('base64url');
  }

  /** The same in the usual form, with dashes: how brokers name members. */
  uuid(): string {
    const hex = this.#uuidBytes().toString('hex');
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
  }

  #uuidBytes(): Buffer {
    const bytes = Buffer.alloc(16);
    for (let at = 0; at < 16; at++) bytes[at] = this.below(256);
    // Version 4; Kafka never gives out an id that begins with a dash, for the sake of its command lines.
    bytes[0] = (bytes.readUInt8(0) & 0x7f) | 0x01;
    bytes[6] = (bytes.readUInt8(6) & 0x0f) | 0x40;
    bytes[8] = (bytes.readUInt8(8) & 0x3f) | 0x80;
    return bytes;
  }
}
