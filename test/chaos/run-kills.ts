import { parseArgs } from 'node:util';
import { startJvmBroker } from '../harness/jvm-broker.ts';
import { runKills } from './kills.ts';

// npx tsx test/chaos/run-kills.ts [--signal SIGKILL|SIGTERM] [--kills 50] [--records 1000000] [--assignor range] [--bootstrap-servers …]

const { values } = parseArgs({
  options: {
    signal: { type: 'string', default: 'SIGKILL' },
    kills: { type: 'string', default: '50' },
    records: { type: 'string', default: '1000000' },
    partitions: { type: 'string', default: '6' },
    'session-ms': { type: 'string', default: '2000' },
    'commit-ms': { type: 'string', default: '1000' },
    assignor: { type: 'string', default: 'range' },
    'bootstrap-servers': { type: 'string' },
  },
});
const given = values['bootstrap-servers'];
const broker = given === undefined ? await startJvmBroker() : null;
try {
  const verdict = await runKills({
    bootstrapServers: broker?.bootstrapServers ?? given ?? '',
    records: Number(values.records),
    partitions: Number(values.partitions),
    kills: Number(values.kills),
    signal: values.signal === 'SIGTERM' ? 'SIGTERM' : 'SIGKILL',
    sessionTimeoutMs: Number(values['session-ms']),
    autoCommitIntervalMs: Number(values['commit-ms']),
    assignor: values.assignor,
    say: (text) => console.log(text),
  });
  console.log(JSON.stringify(verdict, null, 2));
  console.log(verdict.faults.length === 0 ? 'passed' : `failed: ${verdict.faults.length} faults`);
  process.exitCode = verdict.faults.length === 0 ? 0 : 1;
} finally {
  await broker?.stop();
}
