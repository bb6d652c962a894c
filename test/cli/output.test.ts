import { Writable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { Output } from '../../src/cli/output.ts';
import { rates, totals } from '../../src/cli/progress.ts';
import { StatusLine } from '../../src/cli/status-line.ts';

/** Takes what it is given when `proceed` is called. */
function slowStream(): { stream: Writable; taken: string[]; proceed: (error?: Error) => void } {
  const taken: string[] = [];
  let pending: (error?: Error) => void = () => undefined;
  const stream = new Writable({
    write(chunk: Buffer, _, callback) {
      pending = (error) => {
        if (error === undefined) taken.push(chunk.toString());
        callback(error);
      };
    },
  });
  return { stream, taken, proceed: (error) => pending(error) };
}

describe('Output', () => {
  test('a write ends when the stream has taken it', async () => {
    const { stream, taken, proceed } = slowStream();
    const output = new Output(stream, false);
    let isDone = false;
    const written = output.write(Buffer.from('a')).then((result) => {
      isDone = true;
      return result;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(isDone).toBe(false);
    proceed();
    expect(await written).toBe(true);
    expect(taken).toEqual(['a']);
  });

  test('a closed pipe is no error: false, now and later', async () => {
    const { stream, proceed } = slowStream();
    const output = new Output(stream, true);
    const written = output.write(Buffer.from('a'));
    proceed(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
    expect(await written).toBe(false);
    expect(await output.write(Buffer.from('b'))).toBe(false);
    expect(output.isAbandoned).toBe(false);
  });

  test('anything else that goes wrong is one', async () => {
    const { stream, proceed } = slowStream();
    const output = new Output(stream, false);
    const written = output.write(Buffer.from('a'));
    proceed(Object.assign(new Error('no space left on device'), { code: 'ENOSPC' }));
    await expect(written).rejects.toThrow('cannot write to standard output: no space left on device');
  });

  test('a write can be given up', async () => {
    const { stream } = slowStream();
    const output = new Output(stream, false);
    const written = output.write(Buffer.from('a'));
    output.abandon();
    expect(await written).toBe(false);
    expect(output.isAbandoned).toBe(true);
  });

  test('where nothing is being written there is nothing to give up', async () => {
    const { stream, proceed } = slowStream();
    const output = new Output(stream, false);
    output.abandon();
    expect(output.isAbandoned).toBe(false);
    const written = output.write(Buffer.from('a'));
    proceed();
    expect(await written).toBe(true);
  });
});

describe('StatusLine', () => {
  const recorded = (isTTY: boolean): { line: StatusLine; text: () => string } => {
    let text = '';
    const terminal = { isTTY, write: (more: string) => (text += more) };
    return { line: new StatusLine(terminal), text: () => text };
  };

  test('rewrites in place on a terminal, with notes above', () => {
    const { line, text } = recorded(true);
    line.note('first');
    line.status('1 record');
    line.note('careful');
    line.status('2 records');
    line.end();
    expect(text()).toBe('first\n\r\x1b[K1 record\r\x1b[Kcareful\n1 record\r\x1b[K2 records\n');
  });

  test('is a line each time elsewhere', () => {
    const { line, text } = recorded(false);
    line.status('1 record');
    line.note('careful');
    line.status('2 records');
    line.end();
    expect(text()).toBe('1 record\ncareful\n2 records\n');
  });
});

test('progress in figures', () => {
  expect(rates(1_234_567, 500_000_000, 2000)).toBe('617,284 records/s, 250.0 MB/s');
  expect(rates(0, 0, 0)).toBe('0 records/s, 0.0 MB/s');
  expect(totals(1_000_000, 12_340)).toBe('1,000,000 records in 12.3 s');
});
