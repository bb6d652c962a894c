/**
 * The states of a member of a consumer group (KIP-848), as in Java's `MemberState`, and the moves between them that are legal.
 *
 *                 subscribed                 assignment               revoked, or only added
 *  ┌──────────────┐ ──► ┌─────────┐ ──────────────────► ┌─────────────┐ ──► ┌───────────────┐
 *  │ unsubscribed │     │ joining │                     │ reconciling │ ◄── │ acknowledging │
 *  └──────────────┘     └─────────┘ ──► ┌────────┐ ───► └─────────────┘     └───────────────┘
 *      ▲        ▲          ▲      empty │ stable │ ◄─────────── sent ──────────────┘
 *      │        │          │            └────────┘
 *      │   ┌────────┐ ─────┘ application has given up what is lost
 *      │   │ fenced │ ◄── thrown out, from every state of a member
 *      │   └────────┘
 *  ┌─────────┐     ┌─────────────────┐ ◄── unsubscribed, closed, or no poll for `maxPollIntervalMs`
 *  │ leaving │ ◄── │ prepare-leaving │
 *  └─────────┘     └─────────────────┘
 *      └──► stale ──► joining, when it polls again              fatal answer, in any state of a member ──► fatal
 *
 * Whether the coordinator is known is a matter of its own (coordinator-search.ts).
 */
export type ConsumerGroupState =
  /** Nothing is subscribed to, or closed; no request is out, no timer runs. */
  | 'unsubscribed'
  /** Owns nothing; heartbeats with epoch 0, at once, until the broker takes it in. */
  | 'joining'
  /** The target is not what is owned: the application is giving something up, or topic ids wait for metadata. Heartbeats go on. */
  | 'reconciling'
  /** What is owned has changed; the next heartbeat says so, at once. */
  | 'acknowledging'
  /** Owns its target. */
  | 'stable'
  /** Thrown out of the group; what was owned is lost, and the application is told. No heartbeats. Then joins again. */
  | 'fenced'
  /** On the way out: the application finishes its work. Heartbeats go on. */
  | 'prepare-leaving'
  /** The heartbeat with epoch −1 (static: −2) is out. */
  | 'leaving'
  /** Left because the application did not poll for `maxPollIntervalMs`; joins again when it polls. */
  | 'stale'
  /** An answer that no retry can mend. Only `close` leads out of it. */
  | 'fatal';

/** Every legal move; anything else is a bug and throws. */
const NEXT: Record<ConsumerGroupState, readonly ConsumerGroupState[]> = {
  unsubscribed: ['joining'],
  joining: ['stable', 'reconciling', 'fenced', 'prepare-leaving', 'fatal'],
  reconciling: ['acknowledging', 'stable', 'fenced', 'prepare-leaving', 'fatal'],
  acknowledging: ['stable', 'reconciling', 'fenced', 'prepare-leaving', 'fatal'],
  stable: ['reconciling', 'fenced', 'prepare-leaving', 'fatal'],
  fenced: ['joining', 'unsubscribed', 'stale'],
  'prepare-leaving': ['leaving', 'fenced', 'unsubscribed', 'joining', 'stale', 'fatal'],
  leaving: ['unsubscribed', 'joining', 'stale'],
  stale: ['joining', 'unsubscribed'],
  fatal: ['leaving', 'unsubscribed'],
};

/** True where `to` may follow `from`. */
export function isLegalConsumerMove(from: ConsumerGroupState, to: ConsumerGroupState): boolean {
  return NEXT[from].includes(to);
}
