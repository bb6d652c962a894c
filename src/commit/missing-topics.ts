/**
 * How long a commit waits for a topic that the coordinator does not know. Java retries such a commit until `default.api.timeout.ms`, for a
 * new topic is heard of a little late; a loop that stands still for a minute because one of its topics was deleted is no use to
 * anybody. Metadata gets around within a second or two, so that after this only a deleted topic is left as the reason.
 */
export const TOPIC_PATIENCE_MS = 5000;

/** The partitions that the coordinator does not know, and since when. */
export class MissingTopics {
  readonly #missing = new Map<string, { readonly since: number; isTold: boolean }>();

  /** @returns a warning, once, when it has taken too long */
  refused(key: string, now: number): string | null {
    const known = this.#missing.get(key);
    if (known === undefined) this.#missing.set(key, { since: now, isTold: false });
    if (known === undefined || known.isTold || now - known.since < TOPIC_PATIENCE_MS) return null;
    known.isTold = true;
    const seconds = Math.round((now - known.since) / 1000);
    return (
      `the coordinator has not known ${key} for ${seconds} s, as if the topic had been deleted: ` +
      'commits of its offsets fail from now on; those of other partitions are not affected'
    );
  }

  /** Whether another try is worth while. */
  mayCome(key: string, now: number): boolean {
    const known = this.#missing.get(key);
    return known === undefined || now - known.since < TOPIC_PATIENCE_MS;
  }

  forget(key: string): void {
    this.#missing.delete(key);
  }
}
