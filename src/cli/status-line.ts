interface Terminal {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

const CLEAR_LINE = '\r\x1b[K';

/** Standard error: notes, each a line of its own, and below them one line that is rewritten in place on a terminal. */
export class StatusLine {
  readonly #terminal: Terminal;
  #shown = '';

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  note(text: string): void {
    this.#terminal.write(this.#shown === '' ? `${text}\n` : `${CLEAR_LINE}${text}\n${this.#shown}`);
  }

  /** Takes the place of the status before; where there is no terminal, each is a line. */
  status(text: string): void {
    if (this.#terminal.isTTY !== true) {
      this.#terminal.write(`${text}\n`);
      return;
    }
    this.#shown = text;
    this.#terminal.write(CLEAR_LINE + text);
  }

  /** Leaves the last status where it is. */
  end(): void {
    if (this.#shown !== '') this.#terminal.write('\n');
    this.#shown = '';
  }
}
