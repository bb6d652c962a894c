/**
 * Every error that samsa throws or hands to the application.
 *
 * Errors that the broker named carry Kafka's own code and name (https://kafka.apache.org/protocol#protocol_error_codes);
 * errors that arise on this side of the socket carry a code below −1000, which Kafka will never use.
 */

/** Codes of errors that no broker sent. */
export const CLIENT_ERROR_CODES = {
  CONFIG: -1001,
  CONNECTION: -1002,
  PROTOCOL: -1003,
  NO_OFFSET: -1004,
  CLOSED: -1005,
  STATE: -1006,
} as const;

export interface KafkaErrorOptions {
  /** Kafka's error code, or one of `CLIENT_ERROR_CODES`. Default −1, UNKNOWN_SERVER_ERROR. */
  code?: number;
  /** Kafka's name of the code, such as `'REBALANCE_IN_PROGRESS'`. */
  name?: string;
  /** True where the same request may succeed later without a change on this side. */
  retriable?: boolean;
  /** The API that failed, such as `'JoinGroup'`. */
  api?: string;
  cause?: unknown;
}

/** The root of all errors of this package. */
export class KafkaError extends Error {
  /** Kafka's error code; below −1000 for errors of this side (`CLIENT_ERROR_CODES`). */
  readonly code: number;
  readonly retriable: boolean;
  /** The API in whose course the error arose, or `null`. */
  readonly api: string | null;

  constructor(message: string, options: KafkaErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = options.code ?? -1;
    this.name = options.name ?? new.target.name;
    this.retriable = options.retriable ?? false;
    this.api = options.api ?? null;
  }
}

/** An option, an argument or a call that cannot work: it names the option and what it takes. */
export class ConfigError extends KafkaError {
  constructor(message: string, options: KafkaErrorOptions = {}) {
    super(message, { code: CLIENT_ERROR_CODES.CONFIG, ...options });
  }
}

/** No connection: refused, not resolved, reset or closed. Retriable: another try or another broker may answer. */
export class ConnectionError extends KafkaError {
  constructor(message: string, options: KafkaErrorOptions = {}) {
    super(message, { code: CLIENT_ERROR_CODES.CONNECTION, retriable: true, ...options });
  }
}

/**
 * Bytes that make no sense. Retriable where a connection met them, for that is replaced. `version` and `position` say where; both are
 * −1 where nothing was decoded yet.
 */
export class ProtocolError extends KafkaError {
  readonly version: number;
  /** The byte in the message's body at which decoding stopped. */
  readonly position: number;

  constructor(message: string, options: KafkaErrorOptions & { version?: number; position?: number } = {}) {
    super(message, { code: CLIENT_ERROR_CODES.PROTOCOL, ...options });
    this.version = options.version ?? -1;
    this.position = options.position ?? -1;
  }
}

/** A response longer than `receiveMessageMaxBytes`: refused before a byte of it is read. */
export class FrameTooLargeError extends ProtocolError {}

/**
 * A batch that cannot be opened, or a record in it that makes no sense. The good records before it were delivered.
 * Nothing after it is, until the application has decided: `consumer.seek(error, error.nextOffset)` goes past it in one
 * step. Retriable where the bytes may have been damaged on their way: the next read fetches them again.
 */
export class CorruptRecordError extends KafkaError {
  /** Empty where it is not known. */
  readonly topic: string;
  readonly partition: number;
  /** Base offset of the batch, as far as it can be told; −1 otherwise. */
  readonly offset: number;
  /** The offset after the batch, where reading goes on without it; −1 where its header does not tell. */
  readonly nextOffset: number;
  /** Byte position within the partition's record bytes; −1 where unknown. */
  readonly position: number;

  constructor(
    message: string,
    where: { topic?: string; partition?: number; offset?: number; nextOffset?: number; position?: number } = {},
    options: KafkaErrorOptions = {},
  ) {
    super(message, { code: 2, ...options });
    this.topic = where.topic ?? '';
    this.partition = where.partition ?? -1;
    this.offset = where.offset ?? -1;
    this.nextOffset = where.nextOffset ?? -1;
    this.position = where.position ?? -1;
  }

  /** The same with another offset to go on at. */
  goingOnAt(nextOffset: number): CorruptRecordError {
    const { topic, partition, offset, position, code, name, retriable, cause } = this;
    const api = this.api === null ? {} : { api: this.api };
    const options = { code, name, retriable, cause, ...api };
    return new CorruptRecordError(this.message, { topic, partition, offset, nextOffset, position }, options);
  }
}

/** The broker refused the credentials. Final: retrying would only lock the account. */
export class AuthenticationError extends KafkaError {
  constructor(message: string, options: KafkaErrorOptions = {}) {
    super(message, { code: 58, ...options });
  }
}

/** No answer within the deadline (`requestTimeoutMs`, `defaultApiTimeoutMs` or a call's own `timeoutMs`). */
export class RequestTimeoutError extends KafkaError {
  constructor(message: string, options: KafkaErrorOptions = {}) {
    super(message, { code: 7, retriable: true, ...options });
  }
}

/** The group has gone on without this member: what it commits or claims no longer counts. */
export class FencedError extends KafkaError {}

/**
 * A handler of `forEach()` or `run()` has failed for good, or what it needed did: `cause` is its error, unchanged. The record is not
 * finished, so it comes again.
 */
export class HandlerError extends KafkaError {
  readonly topic: string;
  readonly partition: number;
  /** Of the record; −1 where no single record is to blame. */
  readonly offset: number;

  constructor(message: string, where: { topic: string; partition: number; offset: number }, cause?: unknown) {
    super(message, { code: CLIENT_ERROR_CODES.STATE, cause });
    this.topic = where.topic;
    this.partition = where.partition;
    this.offset = where.offset;
  }
}

/** The position does not exist on the broker and `autoOffsetReset` is `none`. */
export class OffsetOutOfRangeError extends KafkaError {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;

  constructor(message: string, where: { topic: string; partition: number; offset: number }) {
    super(message, { code: 1, api: 'Fetch' });
    this.topic = where.topic;
    this.partition = where.partition;
    this.offset = where.offset;
  }
}

/** The log was cut off below the position by an unclean leader election (KIP-320), and `autoOffsetReset` is `none`. */
export class LogTruncationError extends OffsetOutOfRangeError {
  /** The first offset that may differ from what was consumed; −1 where the broker does not know. `offset` is the position. */
  readonly divergentOffset: number;

  constructor(message: string, where: { topic: string; partition: number; offset: number; divergentOffset: number }) {
    super(message, where);
    this.divergentOffset = where.divergentOffset;
  }
}

/** A batch larger than what may be asked for, which the broker sends cut off. */
export class RecordTooLargeError extends KafkaError {
  readonly topic: string;
  readonly partition: number;
  /** Where the batch begins. */
  readonly offset: number;

  constructor(message: string, where: { topic: string; partition: number; offset: number }) {
    super(message, { code: 10, api: 'Fetch' });
    this.topic = where.topic;
    this.partition = where.partition;
    this.offset = where.offset;
  }
}

/** The partition has no committed offset and `autoOffsetReset` is `none`. */
export class NoOffsetError extends KafkaError {
  readonly topic: string;
  readonly partition: number;

  constructor(message: string, where: { topic: string; partition: number }) {
    super(message, { code: CLIENT_ERROR_CODES.NO_OFFSET, api: 'OffsetFetch' });
    this.topic = where.topic;
    this.partition = where.partition;
  }
}

/** Broker and client have no version of an API in common, or a value has no place in the version in use. */
export class UnsupportedVersionError extends KafkaError {
  constructor(message: string, options: KafkaErrorOptions = {}) {
    super(message, { code: 35, ...options });
  }
}

/** What was caught, as a KafkaError: itself where it is one, else the cause of a new one. */
export function toKafkaError(error: unknown): KafkaError {
  return error instanceof KafkaError ? error : new KafkaError(String(error), { cause: error });
}
