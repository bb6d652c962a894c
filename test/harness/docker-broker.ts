import { randomUUID } from 'node:crypto';
import {
  type ContainerRuntimeClient,
  GenericContainer,
  type StartedTestContainer,
  Wait,
  getContainerRuntimeClient,
} from 'testcontainers';
import { type DeathGuard, atDeath } from './at-death.ts';
import { type BrokerOptions, SINGLE_BROKER_PROPERTIES, type TestBroker } from './broker.ts';
import { INSIDE_BOOTSTRAP_SERVERS, kafkaImage } from './docker-engine.ts';
import { answersApiVersions, freePort } from './ports.ts';
import { until } from './waiting.ts';

const START_TIMEOUT_MS = 90_000;
const STOP_TIMEOUT_SECONDS = 30;
const LABEL = 'samsa.test.broker';
/**
 * Starts one broker from the image `apache/kafka`, which must be on this machine. The port on the host is chosen before
 * the start, since the broker tells it to its clients. Resolves when the broker says that it has started and answers.
 */
export async function startDockerBroker(options: BrokerOptions = {}): Promise<DockerBroker> {
  // The guard below does what testcontainers' reaper does, without an image of its own.
  process.env['TESTCONTAINERS_RYUK_DISABLED'] ??= 'true';
  const client = await getContainerRuntimeClient();
  const host = client.info.containerRuntime.host;
  const port = options.port ?? (await freePort());
  const properties: Record<string, string> = {
    'node.id': '1',
    'process.roles': 'broker,controller',
    'controller.quorum.voters': '1@localhost:9094',
    'controller.listener.names': 'CONTROLLER',
    listeners: 'HOST://0.0.0.0:9092,BROKER://0.0.0.0:9093,CONTROLLER://0.0.0.0:9094',
    'advertised.listeners': `HOST://${host}:${port},BROKER://${INSIDE_BOOTSTRAP_SERVERS}`,
    'listener.security.protocol.map': 'HOST:PLAINTEXT,BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'inter.broker.listener.name': 'BROKER',
    ...SINGLE_BROKER_PROPERTIES,
    ...options.properties,
  };
  const environment = Object.entries(properties).map(([name, value]) => [environmentName(name), value]);
  const label = randomUUID();
  const guard = atDeath(`docker ps -aq --filter "label=${LABEL}=$1" | xargs -r docker rm --force --volumes`, label);
  try {
    const container = await new GenericContainer(kafkaImage(options.version))
      .withExposedPorts({ container: 9092, host: port })
      .withEnvironment(Object.fromEntries(environment) as Record<string, string>)
      .withLabels({ [LABEL]: label })
      .withWaitStrategy(Wait.forLogMessage(/Kafka Server started/))
      .withStartupTimeout(START_TIMEOUT_MS)
      .start();
    const broker = new DockerBroker(client, container, host, port, guard);
    await broker.untilItAnswers();
    return broker;
  } catch (error) {
    guard.trip();
    throw error;
  }
}

/** The image's rule for `server.properties` in environment variables. */
function environmentName(property: string): string {
  const escaped = property.replaceAll('_', '__').replaceAll('-', '___').replaceAll('.', '_');
  return `KAFKA_${escaped.toUpperCase()}`;
}

type Container = ReturnType<ContainerRuntimeClient['container']['getById']>;

export class DockerBroker implements TestBroker {
  readonly kind = 'docker';
  readonly bootstrapServers: string;
  readonly containerId: string;
  readonly #container: Container;
  readonly #host: string;
  readonly #port: number;
  readonly #guard: DeathGuard;
  #stopped = false;

  constructor(
    client: ContainerRuntimeClient,
    container: StartedTestContainer,
    host: string,
    port: number,
    guard: DeathGuard,
  ) {
    this.containerId = container.getId();
    this.bootstrapServers = `${host}:${port}`;
    this.#container = client.container.getById(this.containerId);
    this.#host = host;
    this.#port = port;
    this.#guard = guard;
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    await this.kill('SIGTERM');
    await this.#container.remove({ force: true, v: true });
    this.#guard.release();
  }

  async kill(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    await this.resume();
    const { State: state } = await this.#container.inspect();
    if (!state.Running) return;
    if (signal === 'SIGTERM') await this.#container.stop({ t: STOP_TIMEOUT_SECONDS });
    else {
      const gone = this.#container.wait();
      await this.#container.kill({ signal });
      await gone;
    }
  }

  async pause(): Promise<void> {
    await this.#container.pause();
  }

  async resume(): Promise<void> {
    const { State: state } = await this.#container.inspect();
    if (state.Paused) await this.#container.unpause();
  }

  async restart(): Promise<void> {
    await this.kill('SIGTERM');
    await this.#container.start();
    await this.untilItAnswers();
  }

  async untilItAnswers(): Promise<void> {
    await until(() => answersApiVersions(this.#host, this.#port), {
      what: `broker on ${this.bootstrapServers}`,
      timeoutMs: START_TIMEOUT_MS,
      intervalMs: 100,
      details: () => this.logTail(),
    });
  }

  async logTail(lines = 40): Promise<string> {
    const multiplexed = await this.#container.logs({ stdout: true, stderr: true, tail: lines, follow: false });
    return withoutFrames(multiplexed);
  }
}

/** The engine's log format for containers without a terminal: stream (1 byte), three zeros, length (4 bytes), text. */
function withoutFrames(log: Buffer): string {
  const parts: Buffer[] = [];
  for (let at = 0; at + 8 <= log.length;) {
    const end = at + 8 + log.readUInt32BE(at + 4);
    parts.push(log.subarray(at + 8, end));
    at = end;
  }
  return Buffer.concat(parts).toString('utf8').trimEnd();
}
