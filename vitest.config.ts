import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config';
import { chooseBroker } from './test/harness/provide.ts';

const INTEGRATION = 'test/integration/**/*.test.ts';
// Tests that stop, kill or freeze a broker: not on one that somebody lent us.
const OUTAGE = 'test/integration/outage/**/*.test.ts';

export default defineConfig(async () => {
  const { external, own, missing } = await chooseBroker();
  const projects: TestProjectInlineConfiguration[] = [
    { test: { name: 'unit', include: ['test/**/*.test.ts'], exclude: [INTEGRATION] } },
  ];
  if (missing === null) {
    const integration = {
      name: 'integration',
      include: [INTEGRATION],
      exclude: own === null ? [OUTAGE] : [],
      globalSetup: ['test/harness/global-setup.ts'],
      // One broker for all: a file at a time, so that a failure has one cause.
      fileParallelism: false,
      sequence: { groupOrder: 1 },
      testTimeout: 60_000,
      hookTimeout: 120_000,
    };
    projects.push({ test: integration });
  }
  if (missing !== null) console.log(`left out: test/integration (${missing})`);
  else if (external !== null && own === null) {
    console.log('left out: test/integration/outage (no broker of our own: install Docker, or Java 17+ and Maven)');
  }
  return { test: { projects, teardownTimeout: 60_000 } };
});
