/** One command: its name on the command line, its line in `samsa --help`, and what it does. */
export interface Command {
  name: string;
  summary: string;
  /**
   * @param args what follows the command's name
   * @returns the exit code
   * @throws UsageError, ConfigError (exit code 2); anything else is exit code 1
   */
  run(args: readonly string[]): Promise<number>;
}
