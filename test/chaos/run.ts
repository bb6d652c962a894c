import { parseArgs } from 'node:util';
import { startJvmBroker } from '../harness/jvm-broker.ts';
import { runScenario } from './scenario.ts';

// npx tsx test/chaos/run.ts [--records 1000000] [--partitions 6] [--session-ms 6000] [--pause-ms 25] [--bootstrap-servers …]

const { values } = parseArgs({
  options: {
    records: { type: 'string', default: '1000000' },
    partitions: { type: 'string', default: '6' },
    'session-ms': { type: 'string', default: '6000' },
    'commit-ms': { type: 'string', default: '1000' },
    'pause-ms': { type: 'string', default: '25' },
    'bootstrap-servers': { type: 'string' },
  },
});
const sessionTimeoutMs = Number(values['session-ms']);
const given = values['bootstrap-servers'];
const broker = given === undefined ? await startJvmBroker() : null;
try {
  const verdict = await runScenario({
    bootstrapServers: broker?.bootstrapServers ?? given ?? '',
    records: Number(values.records),
    partitions: Number(values.partitions),
    sessionTimeoutMs,
    autoCommitIntervalMs: Number(values['commit-ms']),
    pauseMs: Number(values['pause-ms']),
    longestGapMs: sessionTimeoutMs + 1500,
    say: (text) => console.log(text),
  });
  console.log(JSON.stringify(verdict, null, 2));
  console.log(verdict.faults.length === 0 ? 'passed' : `failed: ${verdict.faults.length} faults`);
  process.exitCode = verdict.faults.length === 0 ? 0 : 1;
} finally {
  await broker?.stop();
}
