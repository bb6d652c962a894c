const MOST_LINES = 4000;

/** What has happened in a history, for people; and what must not have. */
export class Timeline {
  readonly violations: string[] = [];
  readonly #beganAt = performance.now();
  readonly #lines: string[] = [];
  /** Called at the first violation. */
  onViolation: () => void = () => undefined;

  note(who: string, text: string): void {
    if (this.#lines.length >= MOST_LINES) this.#lines.splice(0, MOST_LINES / 4, '(older lines are left out)');
    this.#lines.push(`${(performance.now() - this.#beganAt).toFixed(0).padStart(6)} ms  ${who.padEnd(8)} ${text}`);
  }

  violation(text: string): void {
    this.note('>>>>', text);
    this.violations.push(text);
    this.onViolation();
  }

  /** @param most lines from the end */
  text(most = Infinity): string {
    return this.#lines.slice(-most).join('\n');
  }
}
