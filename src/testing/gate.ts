/** Something that may be shut for a while; who comes then waits. */
export class Gate {
  #opened: Promise<void> | null = null;
  #open: () => void = () => undefined;

  get isShut(): boolean {
    return this.#opened !== null;
  }

  shut(): void {
    this.#opened ??= new Promise((resolve) => {
      this.#open = resolve;
    });
  }

  open(): void {
    this.#opened = null;
    this.#open();
  }

  /** Settles when it is open; at once where it is. */
  async pass(): Promise<void> {
    while (this.#opened !== null) await this.#opened;
  }
}
