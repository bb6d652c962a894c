import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';

export interface DeathGuard {
  /** Takes the guard away: what it guarded has ended by itself. */
  release(): void;
  /** Runs the script now. */
  trip(): void;
}

/**
 * Has a shell run `script` (its arguments are `$1`, `$2` …) when this process ends, in whatever way: exit handlers miss
 * SIGKILL and a crash. The shell waits for the end of a pipe whose other end nobody but this process holds. It sits in a
 * session of its own, so Ctrl-C does not end it together with us.
 */
export function atDeath(script: string, ...args: string[]): DeathGuard {
  const shell = spawn('sh', ['-c', `cat >/dev/null; ${script}`, 'sh', ...args], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  shell.unref();
  (shell.stdin as unknown as Socket).unref(); // a pipe is a Socket below; it must not keep the process alive
  shell.on('error', () => undefined);
  shell.stdin.on('error', () => undefined);
  return {
    release(): void {
      if (shell.pid === undefined || shell.exitCode !== null || shell.signalCode !== null) return;
      try {
        process.kill(-shell.pid, 'SIGKILL'); // the group: `cat` too
      } catch {
        // gone already
      }
      shell.stdin.destroy();
    },
    trip(): void {
      shell.stdin.end();
    },
  };
}
