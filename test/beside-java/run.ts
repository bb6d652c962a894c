/**
 * Java's consumer and samsa in the same two dozen cases, on a real broker: what each does, and why where they differ.
 * Needs Java 17 and Maven (or the jars). `npx tsx test/beside-java/run.ts [classic|consumer]`
 */
import { randomUUID } from 'node:crypto';
import { chooseBroker, startBroker } from '../harness/provide.ts';
import { besideJava } from './beside-java.ts';

const { external } = await chooseBroker();
const broker = external === null ? await startBroker() : null;
const bootstrapServers = external ?? broker?.bootstrapServers ?? '';
const [protocol] = process.argv.slice(2);
let defects = 0;
try {
  for (const groupProtocol of ['classic', 'consumer'] as const) {
    if (protocol !== undefined && protocol !== groupProtocol) continue;
    console.log(`| group protocol ${groupProtocol} | Java 4.2 | samsa | |\n| --- | --- | --- | --- |`);
    for (const { name, java, samsa, reason } of await besideJava({ bootstrapServers, groupProtocol }, randomUUID())) {
      const isDefect = java !== samsa && reason === undefined;
      if (isDefect) defects++;
      console.log(`| ${name} | ${java} | ${samsa} | ${java === samsa ? 'the same' : (reason ?? 'DIFFERS')} |`);
    }
  }
} finally {
  await broker?.stop();
}
console.log(`${defects} differences without a reason`);
process.exitCode = defects > 0 ? 1 : 0;
