import { openBatch, RecordCursor, WireBatchReader, type RecordContext, type WireBatch } from '../protocol/index.ts';
import { Chunk } from './chunk.ts';
import type { Command } from './command.ts';
import { parseArguments } from './common-arguments.ts';
import { compileFormat, type RecordFormat } from './format.ts';
import { isPipe, Output } from './output.ts';
import { partitionOf, readSegment, type SegmentPiece } from './segment.ts';
import { CommandError, UsageError } from './usage-error.ts';

const DUMP_HELP = `samsa dump: the batches of a broker's segment files, through the decoder that consumers use

Usage: samsa dump FILE.log… [OPTIONS]

One line a batch: position in the file, offsets, header fields, and 'ok' or what is wrong with it.

      --deep           the records, too: a line each, indented under their batch
  -f, --format FORMAT  what --deep prints of each record: as for samsa consume; default json
      --max-decompressed-bytes BYTES
                       what one compressed batch may grow to; default 104857600
  -h, --help           this text

Exit code 1 where a batch is damaged: the others are printed all the same. Where a
header is damaged, the next batch is found by its CRC. A last batch that is cut off, or
the zeros of a file that was allocated ahead, are no damage: a broker that runs is still
writing there.
`;

const CHUNK_BYTES = 4096;

interface DumpOptions {
  /** `null` without `--deep`. */
  format: RecordFormat | null;
  maxDecompressedBytes: number;
}

export const dump: Command = {
  name: 'dump',
  summary: "prints the batches of a broker's segment files",
  async run(args) {
    const { values, positionals: files } = parseArguments('dump', args, {
      deep: { type: 'boolean' },
      format: { type: 'string', short: 'f' },
      'max-decompressed-bytes': { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    });
    if (values.help === true) {
      process.stdout.write(DUMP_HELP);
      return 0;
    }
    if (files.length === 0) throw new UsageError('no file given: samsa dump FILE.log (see samsa dump --help)');
    if (values.format !== undefined && values.deep !== true)
      throw new UsageError('-f says how records are printed: it needs --deep');
    const maxDecompressedBytes = Number(values['max-decompressed-bytes'] ?? 104_857_600);
    if (!Number.isSafeInteger(maxDecompressedBytes) || maxDecompressedBytes < 1)
      throw new UsageError('--max-decompressed-bytes takes a number of bytes');
    const format = values.deep === true ? compileFormat(values.format ?? 'json') : null;
    const output = new Output(process.stdout, isPipe(1));
    let damaged = 0;
    for (const file of files) damaged += await dumpFile(file, { format, maxDecompressedBytes }, output);
    if (damaged > 0) throw new CommandError(`${damaged} damaged ${damaged === 1 ? 'batch' : 'batches'}`);
    return 0;
  },
};

/** @returns how many batches are damaged */
async function dumpFile(path: string, options: DumpOptions, output: Output): Promise<number> {
  const context = partitionOf(path);
  let damaged = 0;
  try {
    for await (const piece of readSegment(path)) {
      const chunk = new Chunk(CHUNK_BYTES);
      if (!dumpBatch(piece, context, options, chunk)) damaged++;
      if (!(await output.write(chunk.take()))) break; // nobody reads any more
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error && 'syscall' in error)
      throw new CommandError(`cannot read ${path}: ${error.message}`, { cause: error });
    throw error;
  }
  return damaged;
}

/** @returns whether the batch is sound, or not there yet */
function dumpBatch(piece: SegmentPiece, context: RecordContext, options: DumpOptions, chunk: Chunk): boolean {
  const { position, bytes, left, missing, stray } = piece;
  if (stray > 0) {
    const rest = stray === left ? 'no batch follows' : `the next batch is at position ${position + stray}`;
    chunk.text(`position=${position} bytes=${stray} DAMAGED: no batch begins here; ${rest}\n`);
    return false;
  }
  if (missing > 0 || bytes.every((byte) => byte === 0)) {
    const what = missing > 0 ? `cut off, ${missing} more bytes announced` : 'allocated and not yet written';
    chunk.text(`position=${position} bytes=${left} ${what}\n`);
    return true;
  }
  let line = `position=${position} bytes=${bytes.length}`;
  try {
    const batch = new WireBatchReader(bytes, context).next();
    if (batch === null) throw new CommandError('no whole batch');
    line += ` ${describe(batch)}`;
    const source = openBatch(batch, context, { checkCrcs: true, maxDecompressedBytes: options.maxDecompressedBytes });
    const cursor = new RecordCursor(source);
    const records = new Chunk(CHUNK_BYTES);
    for (let record = cursor.next(); record !== undefined; record = cursor.next()) {
      if (options.format === null) continue;
      records.text('  ');
      options.format(record, records);
    }
    chunk.text(`${line} ok\n`);
    chunk.bytes(records.take());
    return true;
  } catch (error) {
    chunk.text(`${line} DAMAGED: ${error instanceof Error ? error.message : String(error)}\n`);
    return false;
  }
}

function describe(batch: WireBatch): string {
  const fields: Record<string, unknown> = {
    offsets: `${batch.baseOffsetLong.toString()}..${batch.lastOffsetLong.toString()}`,
    records: batch.recordCount,
    magic: batch.magic,
    compression: batch.compression,
    timestampType: batch.timestampType,
    maxTimestamp: batch.maxTimestamp,
    leaderEpoch: batch.partitionLeaderEpoch,
    producerId: batch.producerId.toString(),
    producerEpoch: batch.producerEpoch,
    baseSequence: batch.baseSequence,
    transactional: batch.isTransactional,
    control: batch.isControl,
    deleteHorizon: batch.hasDeleteHorizon,
    crc: `0x${batch.crc.toString(16).padStart(8, '0')}`,
  };
  return Object.entries(fields)
    .map(([name, value]) => `${name}=${String(value)}`)
    .join(' ');
}
