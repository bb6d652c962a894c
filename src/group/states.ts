/**
 * The states of a member of a classic group, in Kafka's own words, and the moves between them that are legal.
 *
 *                      subscribed                        JoinGroup answered
 *        ┌──────────┐ ──────────► ┌─────────────────────┐ ──────────► ┌──────────────────────┐
 *        │ unjoined │             │ preparing-rebalance │ ◄────────── │ completing-rebalance │
 *        └──────────┘             └─────────────────────┘   rejoin    └──────────────────────┘
 *             ▲                      ▲       ▲                            │ SyncGroup answered
 *             │ unsubscribed         │       │ revoked                    ▼
 *             │                      │    ┌──────────┐  must rejoin   ┌────────┐
 *        ┌─────────┐                 │    │ revoking │ ◄───────────── │ stable │
 *        │ leaving │ ◄── to leave ── ┼─── └──────────┘    or leave    └────────┘
 *        └─────────┘                 │
 *          │     │ poll expired      │ polled         cooperative: SyncGroup answered with less than before, or a topic less
 *    close │     ▼                   │                is subscribed to: completing- or preparing-rebalance ──► revoking
 *          │  ┌───────┐ ─────────────┘
 *          ▼  │ stale │                      fatal answer, in any state with a request out ──► failed
 *       left  └───────┘
 *
 * Whether the coordinator is known is a matter of its own (coordinator-search.ts): a stable member whose coordinator has
 * moved stays stable.
 */
export type GroupState =
  /** Nothing is subscribed to; no request is out, no timer runs. */
  | 'unjoined'
  /** Something is being given up. The application finishes its work on it; heartbeats go on as long as we are a member. */
  | 'revoking'
  /**
   * Wants to be in the next generation: coordinator look-up, back-off or a pending JoinGroup. No heartbeats. Owns nothing, or,
   * cooperative, what it had.
   */
  | 'preparing-rebalance'
  /** In the new generation without knowing its partitions: the leader waits for metadata, or SyncGroup is out. Heartbeats run. */
  | 'completing-rebalance'
  /** Owns partitions. Heartbeats run. */
  | 'stable'
  /** LeaveGroup is out, or is held back for the member id that a pending first JoinGroup will bring (KIP-394). */
  | 'leaving'
  /** Left because the application did not poll for `maxPollIntervalMs`; joins again when it polls. */
  | 'stale'
  /** Closed. Final. */
  | 'left'
  /** An answer that no retry can mend. Only `close` leads out of it. */
  | 'failed';

/** Every legal move; anything else is a bug and throws. */
const NEXT: Record<GroupState, readonly GroupState[]> = {
  unjoined: ['revoking', 'preparing-rebalance', 'left'],
  revoking: ['preparing-rebalance', 'leaving', 'unjoined', 'stale', 'left', 'failed'],
  'preparing-rebalance': ['completing-rebalance', 'revoking', 'leaving', 'unjoined', 'stale', 'left', 'failed'],
  'completing-rebalance': [
    'stable',
    'revoking',
    'preparing-rebalance',
    'leaving',
    'unjoined',
    'stale',
    'left',
    'failed',
  ],
  stable: ['revoking', 'preparing-rebalance', 'leaving', 'unjoined', 'stale', 'left', 'failed'],
  leaving: ['revoking', 'preparing-rebalance', 'unjoined', 'stale', 'left'],
  stale: ['revoking', 'preparing-rebalance', 'unjoined', 'left'],
  left: [],
  failed: ['revoking', 'leaving', 'left'],
};

/** True where `to` may follow `from`. */
export function isLegalMove(from: GroupState, to: GroupState): boolean {
  return NEXT[from].includes(to);
}
