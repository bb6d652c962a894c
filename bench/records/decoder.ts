/**
 * One decoder in a process of its own, so that what one does cannot spoil the compiled code of another: `run.ts` asks for one
 * round of one case at a time, in turns with the other decoders.
 */
import { readFileSync } from 'node:fs';
import { allocatedBytesPerRecord, keptBytesPerRecord } from './heap.ts';
import type { Answer, Question, Work } from './work.ts';

const subject = process.argv[2] ?? '';
const cases = await load();
const responses = new Map<string, Buffer[]>();

async function load(): Promise<Readonly<Record<string, Work>>> {
  if (subject === 'floor') return (await import('./floor.ts')).floor;
  if (subject === 'kafkajs') return (await import('./peers.ts')).kafkajs();
  if (subject === 'platformatic') return (await import('./peers.ts')).platformatic();
  return (await import('./samsa.ts')).samsa;
}

function responsesOf(files: readonly string[]): Buffer[] {
  const key = files.join();
  let known = responses.get(key);
  if (known === undefined) {
    known = files.map((file) => {
      const bytes = readFileSync(file);
      const own = Buffer.allocUnsafeSlow(bytes.length);
      bytes.copy(own);
      return own;
    });
    responses.set(key, known);
  }
  return known;
}

/** CPU seconds for so many passes over all responses, of all threads: what the machine does beside counts least in these. */
async function time(work: Work, bytes: readonly Buffer[], passes: number): Promise<number> {
  const start = process.cpuUsage();
  for (let pass = 0; pass < passes; pass++) {
    for (const response of bytes) {
      const result = work(response);
      if (typeof result !== 'number') await result;
    }
  }
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
}

async function answer(question: Question): Promise<Answer> {
  if (question.kind === 'cases') return { kind: 'cases', names: Object.keys(cases) };
  if (question.kind === 'heap') {
    const bytes = responsesOf(question.files);
    return { kind: 'heap', kept: keptBytesPerRecord(bytes), allocated: allocatedBytesPerRecord(bytes) };
  }
  const work = cases[question.name];
  if (work === undefined) return { kind: 'error', message: `no case '${question.name}'` };
  const bytes = responsesOf(question.files);
  try {
    return { kind: 'time', seconds: await time(work, bytes, question.passes) };
  } catch (error) {
    return { kind: 'error', message: String(error) };
  }
}

process.on('message', (question: Question) => {
  void answer(question).then((reply) => process.send?.(reply));
});
process.send?.({ kind: 'ready' } satisfies Answer);
