import type { FetchedRecords } from '../fetch/partition.ts';
import { ChunkReader, type ChunkOptions } from './chunk-reader.ts';
import type { Frames } from './frames.ts';
import { Rewound } from './handed.ts';

/** The position was reset while records fetched before it were still to be handed out: reading goes on there after them. */
export interface Jump {
  readonly offset: number;
}

export interface BufferHost extends ChunkOptions {
  /** Of all partitions. */
  readonly frames: Frames<ChunkReader>;
  /** The partition is being read. */
  isWanted: () => boolean;
  /** Bytes of a chunk are used up or dropped. */
  release: (epoch: number, bytes: number) => void;
  /** There is something to hand out, which was being decompressed. */
  onOpened: () => void;
  /** What lay in `left` is in `copy` now. */
  onMoved: (left: Buffer, copy: Buffer) => void;
}

/** What was fetched of one partition and is not opened yet, in the order in which it is handed out. */
export class PartitionBuffer {
  readonly #host: BufferHost;
  #queue: (ChunkReader | Rewound | Jump)[] = [];

  constructor(host: BufferHost) {
    this.#host = host;
  }

  get first(): ChunkReader | Rewound | Jump | undefined {
    return this.#queue[0];
  }

  get isEmpty(): boolean {
    return this.#queue.length === 0;
  }

  /** The first batch is being decompressed, or waits for room. */
  get isWaiting(): boolean {
    const { first } = this;
    return first instanceof ChunkReader && first.isWaiting;
  }

  add(records: FetchedRecords): void {
    const added = new ChunkReader(records, records.epoch, this.#host, {
      isWanted: () => this.#host.isWanted(),
      onOpened: (chunk) => {
        if (this.first === chunk) this.#host.onOpened(); // else dropped meanwhile
      },
      onMoved: (left, copy) => {
        for (const each of this.#queue) if (each instanceof Rewound) each.move(left, copy);
        this.#host.onMoved(left, copy);
      },
    });
    this.#queue.push(added);
    this.#host.frames.moveIn(added);
  }

  /** There is something to hand out, though nothing has come. */
  announce(): void {
    this.#host.onOpened();
  }

  jump(offset: number): void {
    this.#queue.push({ offset });
  }

  putBack(rewound: readonly Rewound[]): void {
    this.#queue.unshift(...rewound);
  }

  /** The first is used up. */
  shift(): void {
    const first = this.#queue.shift();
    if (first instanceof ChunkReader) this.#release(first);
  }

  drop(): void {
    const dropped = this.#queue;
    this.#queue = [];
    for (const each of dropped) if (each instanceof ChunkReader) this.#release(each);
  }

  #release(chunk: ChunkReader): void {
    chunk.close();
    this.#host.frames.leave(chunk);
    this.#host.release(chunk.epoch, chunk.sizeInBytes);
  }
}
