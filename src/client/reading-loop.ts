/** What a loop needs of whoever gives it its records. */
interface LoopHost<T> {
  next: (loop: ReadingLoop<T>) => Promise<IteratorResult<T, undefined>>;
  /** The loop was left. */
  leave: (loop: ReadingLoop<T>) => void;
}

/**
 * One loop over the consumer, or over its `batches()`. A second `next()` while one waits gets the same answer: of a race that
 * the wait has lost nothing goes to waste. `return()`, as `break` and errors in the loop call it, ends a `next()` that
 * waits, and gives back what was in hand.
 */
export class ReadingLoop<T> implements AsyncIterableIterator<T, undefined> {
  readonly #host: LoopHost<T>;
  /** What `next()` gives without asking: the answer that is waited for, or the end. */
  answer: Promise<IteratorResult<T, undefined>> | null = null;
  #hasEnded = false;

  constructor(host: LoopHost<T>) {
    this.#host = host;
  }

  next(): Promise<IteratorResult<T, undefined>> {
    return this.answer ?? this.#host.next(this);
  }

  return(): Promise<IteratorResult<T, undefined>> {
    const end = Promise.resolve({ done: true as const, value: undefined });
    if (this.#hasEnded) return end;
    this.#hasEnded = true;
    this.#host.leave(this);
    this.answer = end;
    return end;
  }

  /** A new loop, where this one was left: `for await` over the same object a second time reads on. */
  [Symbol.asyncIterator](): ReadingLoop<T> {
    return this.#hasEnded ? new ReadingLoop(this.#host) : this;
  }
}

/** A result, and whether anybody has looked at it. */
export class LateResult<T> {
  isSeen = false;
  readonly result: IteratorResult<T, undefined>;

  constructor(value: T) {
    const see = <V>(what: V): V => {
      this.isSeen = true;
      return what;
    };
    this.result = {
      get done() {
        return see(false as const);
      },
      get value() {
        return see(value);
      },
    };
  }
}

/**
 * Tells where the promise takes part in `Promise.race`, or is waited for by `then`: its result may be for nobody. `await` asks no
 * promise for its `then`, and what it waited for goes on with the result.
 */
export function whenRaced<T>(promise: Promise<T>, tell: () => void): Promise<T> {
  const then: Promise<T>['then'] = (...callbacks) => {
    tell();
    return Promise.prototype.then.apply(promise, callbacks as []) as never; // with the types of `then` itself
  };
  return Object.defineProperty(promise, 'then', { value: then });
}
