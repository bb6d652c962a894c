import { spawnSync } from 'node:child_process';
import { DEFAULT_KAFKA_VERSION } from './broker.ts';

// What can be known of Docker without loading testcontainers, which takes longer than all questions here together.

/** What tools in the container's own network say to reach the broker. */
export const INSIDE_BOOTSTRAP_SERVERS = 'localhost:9093';

export function kafkaImage(version: string = DEFAULT_KAFKA_VERSION): string {
  return `apache/kafka:${version}`;
}

/** Whether a Docker engine answers. Quick: it asks nothing but the engine's version. */
export function haveDockerEngine(): boolean {
  return docker(['version', '--format', '{{.Server.Version}}'], 10_000);
}

export function haveImage(version?: string): boolean {
  return docker(['image', 'inspect', kafkaImage(version)], 10_000);
}

/** Pulls the broker's image. Bounded: a machine without a way to a registry must not hang for minutes. */
export function pullImage(version?: string, timeoutMs = 120_000): boolean {
  return docker(['pull', '--quiet', kafkaImage(version)], timeoutMs);
}

function docker(args: string[], timeout: number): boolean {
  return spawnSync('docker', args, { stdio: 'ignore', timeout }).status === 0;
}
