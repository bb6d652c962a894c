#!/usr/bin/env node
import { VERSION } from '../index.ts';
import { codecImplementations } from '../protocol/compression/codecs.ts';
import { crc32cImplementation } from '../protocol/crc32c.ts';
import type { Command } from './command.ts';
import { consume } from './consume.ts';
import { dump } from './dump.ts';
import { exitCodeOf, explain } from './explain.ts';
import { mock } from './mock.ts';
import { UsageError } from './usage-error.ts';
import { verifiableConsumer } from './verifiable-consumer.ts';

const COMMANDS: readonly Command[] = [consume, dump, mock, verifiableConsumer];

const HELP = `samsa ${VERSION}: a Kafka consumer

Usage: samsa COMMAND [OPTIONS]

${COMMANDS.map(({ name, summary }) => `  ${name.padEnd(19)} ${summary}`).join('\n')}

  -h, --help     this text; samsa COMMAND --help for a command's own
  -V, --version  versions, and which implementations are in use

Exit codes: 0 done, 1 failed (one line on standard error says what and why), 2 wrong arguments.
`;

function versions(): string {
  const implementations = Object.entries({ crc32c: crc32cImplementation(), ...codecImplementations() });
  return `samsa ${VERSION}
node ${process.version}
${implementations.map(([name, implementation]) => `${name} ${implementation}`).join('\n')}
`;
}

async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  switch (name) {
    case undefined:
      throw new UsageError(
        `no command given: ${COMMANDS.map((command) => command.name).join(', ')} (see samsa --help)`,
      );
    case '-h':
    case '--help':
    case 'help':
      process.stdout.write(HELP);
      return 0;
    case '-V':
    case '--version':
      process.stdout.write(versions());
      return 0;
  }
  const command = COMMANDS.find((each) => each.name === name);
  if (command !== undefined) return command.run(rest);
  throw new UsageError(`unknown ${name.startsWith('-') ? 'option' : 'command'} '${name}' (see samsa --help)`);
}

// Whoever reads may go away at any time: `samsa --help | head -1`. Commands notice by themselves what became of their output.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`samsa: ${explain(error)}\n`);
  process.exitCode = exitCodeOf(error);
}
