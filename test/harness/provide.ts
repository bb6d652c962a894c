import { type BrokerOptions, DEFAULT_KAFKA_VERSION, type TestBroker } from './broker.ts';
import { haveDockerEngine, haveImage, kafkaImage, pullImage } from './docker-engine.ts';
import { fetchJars, haveJars, haveMaven, javaMajorVersion } from './kafka-jars.ts';
import { startJvmBroker } from './jvm-broker.ts';

const JAVA_NEEDED = 17;
const KINDS = ['docker', 'jvm', 'none'] as const;

export type BrokerKind = 'docker' | 'jvm';

/** What a test needs to know of the broker that all tests share; plain data, so that it reaches every worker. */
export interface ProvidedBroker {
  kind: BrokerKind | 'external' | 'mock';
  bootstrapServers: string;
  containerId: string | null;
  /** Of a mock cluster, which has no CreatePartitions: `?topic=T&count=N`. */
  growTopicUrl?: string;
}

/** `own`: how a test gets a broker of its own, to kill and to freeze; null where it cannot. */
export interface BrokerChoice {
  external: string | null;
  own: BrokerKind | null;
  /** Why there is no broker at all; null when there is one. */
  missing: string | null;
}

/**
 * What this machine can run the integration tests on: KAFKA_BOOTSTRAP_SERVERS, else Docker, else a JVM. `SAMSA_BROKER`
 * (`docker`, `jvm`, `none`) decides instead. What is on the machine already counts first; an image or jars are fetched
 * only where neither is, so the usual cost is one or two quick commands. Nothing is started.
 * Throws when `SAMSA_BROKER` cannot be had, and with `SAMSA_REQUIRE_BROKER=1` when there is no broker.
 */
export async function chooseBroker(env: NodeJS.ProcessEnv = process.env): Promise<BrokerChoice> {
  const forced = env['SAMSA_BROKER'] ?? '';
  if (forced !== '' && !KINDS.some((kind) => kind === forced)) {
    throw new Error(`SAMSA_BROKER is '${forced}', expected one of: ${KINDS.join(', ')}`);
  }
  const external = forced === '' ? (env['KAFKA_BOOTSTRAP_SERVERS'] ?? '') : '';
  const obstacles: string[] = [];
  const only = forced === 'jvm' || forced === 'docker' ? forced : null;
  const own = forced === 'none' ? null : await ownBroker(only, obstacles);
  const why = obstacles.length === 0 ? '' : `; ${obstacles.join('; ')}`;
  if (forced === 'jvm' && own === null) throw new Error(`SAMSA_BROKER=jvm needs Java ${JAVA_NEEDED}+ and Maven${why}`);
  if (forced === 'docker' && own === null) throw new Error(`SAMSA_BROKER=docker needs a Docker engine${why}`);
  const choice: BrokerChoice = { external: external === '' ? null : external, own, missing: null };
  if (choice.external !== null || own !== null) return choice;
  const reason =
    forced === 'none'
      ? 'SAMSA_BROKER=none'
      : `no broker: set KAFKA_BOOTSTRAP_SERVERS, or install Docker, or Java ${JAVA_NEEDED}+ and Maven${why}`;
  if (env['SAMSA_REQUIRE_BROKER'] === '1') throw new Error(`SAMSA_REQUIRE_BROKER=1, but ${reason}`);
  return { ...choice, missing: reason };
}

/** @param obstacles is told why a kind that is half there cannot be had */
async function ownBroker(only: BrokerKind | null, obstacles: string[]): Promise<BrokerKind | null> {
  const engine = only !== 'jvm' && haveDockerEngine();
  if (engine && haveImage()) return 'docker';
  const java = only !== 'docker' && javaMajorVersion() >= JAVA_NEEDED;
  if (java && haveJars(DEFAULT_KAFKA_VERSION)) return 'jvm';
  if (engine) {
    console.error(`pulling ${kafkaImage()}, for two minutes at most`);
    if (pullImage()) return 'docker';
    obstacles.push(`Docker answers, but cannot pull ${kafkaImage()}`);
  }
  if (java && haveMaven()) {
    console.error(`fetching the jars of Kafka ${DEFAULT_KAFKA_VERSION} from Maven Central, once`);
    try {
      await fetchJars(DEFAULT_KAFKA_VERSION);
      return 'jvm';
    } catch (error) {
      obstacles.push(
        String(error instanceof Error ? error.message : error)
          .split('\n', 1)
          .join(),
      );
    }
  }
  return null;
}

/** A broker of one's own, of the kind that this machine can run. The caller stops it. */
export async function startBroker(options: BrokerOptions = {}): Promise<TestBroker> {
  const { own } = await chooseBroker();
  if (own === null) throw new Error(`this test needs a broker of its own: Docker, or Java ${JAVA_NEEDED}+ and Maven`);
  if (own === 'jvm') return startJvmBroker(options);
  const { startDockerBroker } = await import('./docker-broker.ts'); // slow to load, and `npm test` begins with this file
  return startDockerBroker(options);
}

/** The broker that all tests share, and how to let go of it. */
export async function provideBroker(): Promise<{ provided: ProvidedBroker; stop: () => Promise<void> }> {
  const { external } = await chooseBroker();
  if (external !== null) {
    const provided: ProvidedBroker = { kind: 'external', bootstrapServers: external, containerId: null };
    return { provided, stop: () => Promise.resolve() };
  }
  const broker = await startBroker();
  const { kind, bootstrapServers, containerId } = broker;
  return { provided: { kind, bootstrapServers, containerId }, stop: () => broker.stop() };
}
