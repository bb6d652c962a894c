import type { TestProject } from 'vitest/node';
import { type ProvidedBroker, provideBroker } from './provide.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The broker that the integration tests share: `inject('broker')`. */
    broker: ProvidedBroker;
  }
}

/** Runs once before the first integration test; not at all when none of them is asked for. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { provided, stop } = await provideBroker();
  project.provide('broker', provided);
  console.log(`integration tests on ${provided.bootstrapServers} (${provided.kind})`);
  return stop;
}
