import { availableParallelism } from 'node:os';
import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config';
import { missingClients } from './test/clients/tools.ts';
import { filesThatUse } from './test/harness/imports.ts';
import { chooseBroker } from './test/harness/provide.ts';

const INTEGRATION = 'test/integration/**/*.test.ts';
// Tests that stop, kill or freeze a broker: not on one that somebody lent us.
const OUTAGE = 'test/integration/outage/**/*.test.ts';

// The same files as on a real broker, but for those whose other side is a program of Kafka's own.
const NOT_ON_MOCK = [OUTAGE, ...filesThatUse('kafka-tools.ts', 'test/integration')];

// Other people's clients against the mock cluster.
const CLIENTS = 'test/clients/*.test.ts';

// Vitest's own choice is one less than there are cores: on two of them one file after the other. One more than there are, for
// what runs on the mock cluster waits more than it works.
const WORKERS = availableParallelism() + 1;

export default defineConfig(async () => {
  const { external, own, missing } = await chooseBroker();
  const leftOut = missingClients();
  const projects: TestProjectInlineConfiguration[] = [
    {
      test: {
        name: 'unit',
        include: ['test/**/*.test.ts'],
        exclude: [INTEGRATION, CLIENTS],
        testTimeout: 30_000, // histories by the thousand, on a machine that may be busy
        maxWorkers: WORKERS,
      },
    },
    {
      test: {
        name: 'mock',
        include: [INTEGRATION],
        exclude: NOT_ON_MOCK,
        globalSetup: ['test/harness/mock-setup.ts'],
        maxWorkers: WORKERS,
        testTimeout: 60_000,
      },
    },
    {
      test: {
        name: 'clients',
        include: [CLIENTS],
        exclude: leftOut.map(({ file }) => file),
        maxWorkers: WORKERS,
        testTimeout: 60_000,
      },
    },
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
  if (leftOut.length > 0)
    console.log(`left out: ${leftOut.map(({ file, lacks }) => `${file} (needs ${lacks})`).join(', ')}`);
  if (missing !== null) console.log(`left out: test/integration on a real broker (${missing})`);
  else if (external !== null && own === null) {
    console.log('left out: test/integration/outage (no broker of our own: install Docker, or Java 17+ and Maven)');
  }
  return { test: { projects, teardownTimeout: 60_000 } };
});
