import { type KafkaError, toKafkaError } from '../errors.ts';
import { isBrokers } from '../group/answers.ts';
import type { EngineContext } from './engine-context.ts';

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

  async of<Res>(
    sent: Promise<Res>,
    answered: (response: Res) => Event,
    failed: (error: KafkaError) => Event,
  ): Promise<void> {
    let event: Event;
    try {
      event = answered(await sent);
    } catch (error) {
      event = failed(toKafkaError(error));
    }
    this.#answer(event);
  }

  #answer(event: Event | SearchEvent): void {
    if (this.#engine.isClosed) return;
    this.#on(event);
    this.#engine.step();
  }
}
