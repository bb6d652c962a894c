/** Reads nothing ahead: what the reader has is finished when it takes the next, and `cancel()` gives it back. */
export function streamOf<T>(iterator: AsyncIterableIterator<T, undefined>): ReadableStream<T> {
  let isCancelled = false;
  return new globalThis.ReadableStream<T>(
    {
      async pull(controller) {
        const { done, value } = await iterator.next();
        if (isCancelled) return;
        if (done === true) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        isCancelled = true;
        await iterator.return?.();
      },
    },
    { highWaterMark: 0 },
  );
}
