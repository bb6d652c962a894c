import type { LogLevel } from './port.ts';

/** What pino, winston and console have in common. */
export interface Logger {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

/** The default: what a person on call has to know, and nothing else. */
export const stderrLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: (message) => process.stderr.write(`samsa: warning: ${message}\n`),
  error: (message) => process.stderr.write(`samsa: error: ${message}\n`),
};

export function log(logger: Logger | null, level: LogLevel, message: string): void {
  logger?.[level](message);
}
