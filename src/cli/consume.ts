import type { Command } from './command.ts';
import { CONSUME_HELP, parseConsumeArguments } from './consume-arguments.ts';
import { Consumption } from './consumption.ts';
import { isPipe, Output } from './output.ts';
import { onStopSignal } from './signals.ts';
import { StatusLine } from './status-line.ts';

/** How long an orderly end waits for a reader of the output that does not read. */
const PATIENCE_MS = 1000;

export const consume: Command = {
  name: 'consume',
  summary: 'prints the records of topics',
  async run(args) {
    const parsed = parseConsumeArguments(args);
    if (parsed === null) {
      process.stdout.write(CONSUME_HELP);
      return 0;
    }
    const output = new Output(process.stdout, isPipe(1));
    const consumption = new Consumption(parsed, output, new StatusLine(process.stderr));
    const offSignals = onStopSignal(() => {
      consumption.stop();
      setTimeout(() => output.abandon(), PATIENCE_MS).unref();
    });
    try {
      await consumption.run();
    } finally {
      offSignals();
    }
    // What the reader never took would hold the process for as long as the reader lives.
    if (output.isAbandoned) process.exit(0);
    return 0;
  },
};
