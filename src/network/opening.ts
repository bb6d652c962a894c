import type { Connection } from './connection.ts';

/** A connection on its way, or there. */
export interface Opening {
  readonly promise: Promise<Connection>;
  /** Null until it is there. */
  connection: Connection | null;
  /** The same as long as it is being made; null before the attempt. */
  readonly attempt: Connection | null;
}

/**
 * @param open makes it, and tells of the attempt
 * @param onGone the attempt has failed, or the connection that it gave is closed
 */
export function watched(
  open: (onOpening: (attempt: Connection) => void) => Promise<Connection>,
  onGone: () => void,
): Opening {
  const attempts: { last: Connection | null } = { last: null };
  const promise = open((begun) => (attempts.last = begun));
  const opening: Opening = {
    promise,
    connection: null,
    get attempt() {
      return this.connection === null ? attempts.last : null;
    },
  };
  promise.then((connection) => {
    opening.connection = connection;
    void connection.closed.then(onGone);
  }, onGone);
  return opening;
}

/** A connection that was closed this very moment is still in its owner's map: `closed` is told a little later. */
export function isUsable({ connection }: Opening): boolean {
  return connection === null || connection.isOpen;
}
