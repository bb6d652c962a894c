import { type KafkaError, toKafkaError } from '../errors.ts';
import { isBrokers } from '../group/answers.ts';
import { ERROR_CODES } from '../protocol/error-codes.ts';
import type { EngineContext } from './engine-context.ts';

/** Said by brokers that do not speak for the group, or not yet. */
const NO_COORDINATOR: ReadonlySet<number> = new Set([
  ERROR_CODES.COORDINATOR_LOAD_IN_PROGRESS,
  ERROR_CODES.COORDINATOR_NOT_AVAILABLE,
  ERROR_CODES.NOT_COORDINATOR,
]);

type SearchEvent =
  | { type: 'coordinatorFound'; id: number; coordinator: string }
  | { type: 'coordinatorFailed'; id: number; errorCode: number | null; error: KafkaError };

/** Requests of a group machine, whose answers become its events. */
export class GroupAnswers<Event> {
  readonly #engine: EngineContext;
  readonly #on: (event: Event | SearchEvent) => void;

  /** @param on the machine takes in an event; the engine's step follows */
  constructor(engine: EngineContext, on: (event: Event | SearchEvent) => void) {
    this.#engine = engine;
    this.#on = on;
  }

  async findCoordinator(id: number): Promise<void> {
    const { coordinator } = this.#engine;
    let event: SearchEvent;
    try {
      await coordinator.find();
      event = { type: 'coordinatorFound', id, coordinator: coordinator.name };
    } catch (thrown) {
      const error = toKafkaError(thrown);
      const errorCode = error.api === 'FindCoordinator' && isBrokers(error) ? error.code : null;
      event = { type: 'coordinatorFailed', id, errorCode, error };
    }
    this.#answer(event); // outside of `try`: what the machine throws is no failed look-up
  }

  /** The same for a request to the group itself, whose answer tells that this is a member, or that it is none. */
  async ofGroup<Res extends { errorCode: number }>(
    sent: Promise<Res>,
    answered: (response: Res) => Event,
    failed: (error: KafkaError) => Event,
  ): Promise<void> {
    const asked = this.#engine.groupAsked();
    let speaksForGroup = false;
    const heard = (response: Res): Event => {
      speaksForGroup = !NO_COORDINATOR.has(response.errorCode);
      return answered(response);
    };
    await this.of(sent, heard, failed, () => {
      if (speaksForGroup) this.#engine.groupAnswered(asked);
    });
  }

  async of<Res>(
    sent: Promise<Res>,
    answered: (response: Res) => Event,
    failed: (error: KafkaError) => Event,
    acted?: () => void,
  ): Promise<void> {
    let event: Event;
    try {
      event = answered(await sent);
    } catch (error) {
      event = failed(toKafkaError(error));
    }
    this.#answer(event, acted);
  }

  #answer(event: Event | SearchEvent, acted?: () => void): void {
    if (this.#engine.isClosed) return;
    this.#on(event);
    acted?.();
    this.#engine.step();
  }
}
