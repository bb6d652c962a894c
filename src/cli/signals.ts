const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * The first SIGINT, SIGTERM or SIGHUP (its terminal is closed) asks for an orderly end; a second one ends the process at
 * once.
 *
 * @returns takes the handlers off again
 */
export function onStopSignal(stop: () => void): () => void {
  let isStopping = false;
  const handler = (): void => {
    if (isStopping) process.exit(1);
    isStopping = true;
    stop();
  };
  for (const signal of SIGNALS) process.on(signal, handler);
  return () => {
    for (const signal of SIGNALS) process.off(signal, handler);
  };
}
