import { expect, it } from 'vitest';
import type { EngineContext } from '../../src/client/engine-context.ts';
import { MetadataWatch } from '../../src/client/metadata-watch.ts';
import { deferred } from './mock-rig.ts';

it('whoever asks for metadata while an answer is awaited waits for the same one: it is taken in once', async () => {
  const answer = deferred();
  let asked = 0;
  let changed: ReadonlySet<string>[] = [];
  const engine = {
    isClosed: false,
    settings: { metadataMaxAgeMs: 1000, retryBackoffMs: 1, retryBackoffMaxMs: 1 },
    now: () => 0,
    step: () => undefined,
    cluster: {
      metadata: { topics: new Map(), listed: null },
      refreshMetadata: () => {
        asked++;
        return answer.promise;
      },
    },
  } as unknown as EngineContext;
  const watch = new MetadataWatch(
    engine,
    (topics) => void changed.push(topics),
    () => undefined,
  );
  for (let i = 0; i < 1000; i++) watch.refresh([`t${i}`]);
  answer.resolve();
  await new Promise(setImmediate);
  expect(asked).toBe(1000);
  expect(changed).toHaveLength(1);
  expect(changed[0]?.size).toBe(1000);
  changed = [];
  watch.refresh(['t']);
  await new Promise(setImmediate);
  expect(changed.map((topics) => [...topics])).toEqual([['t']]);
});
