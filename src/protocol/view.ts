type ViewConstructor = new (memory: ArrayBufferLike, start: number, length: number) => Buffer;

/*
 * `buffer.subarray` takes 50 ns, mostly for arguments that it must expect; the constructor that it ends in takes 20 (Node 20, 24).
 * `Buffer[Symbol.species]` is that constructor: the class whose prototype is `Buffer.prototype`, so that what it makes is a Buffer in
 * every respect. A runtime that has it otherwise gets `Buffer.from`, which does the same by a longer way.
 */
const species = (Buffer as unknown as Record<symbol, unknown>)[Symbol.species]; // not in the types

/** `length` bytes of `memory` from `start` on, shared. Whoever calls it has checked that they are there. */
export const viewOf: (memory: ArrayBufferLike, start: number, length: number) => Buffer = isViewConstructor(species)
  ? (memory, start, length) => new species(memory, start, length)
  : (memory, start, length) => Buffer.from(memory as ArrayBuffer, start, length);

function isViewConstructor(candidate: unknown): candidate is ViewConstructor {
  if (typeof candidate !== 'function') return false;
  try {
    const view = new (candidate as ViewConstructor)(new ArrayBuffer(2), 1, 1);
    return Object.getPrototypeOf(view) === Buffer.prototype && view.length === 1 && view.byteOffset === 1;
  } catch {
    return false;
  }
}
