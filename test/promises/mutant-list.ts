/** A mended place, broken again. */
export interface Mutant {
  readonly name: string;
  /** The promise that is broken by it. */
  readonly what: string;
  readonly file: string;
  /** Occurs once. */
  readonly from: string;
  readonly to: string;
}

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'break finishes what is in hand',
    what: 'the next loop goes on after the record or batch that was left',
    file: 'src/client/reading.ts',
    from: '      this.#holder = null;\n      this.#rewind();',
    to: '      this.#holder = null;\n      this.abandon();',
  },
  {
    name: 'break in a claim finishes what is in hand',
    what: 'the next loop over the same claim of run() goes on after it',
    file: 'src/client/claim.ts',
    from: '        this.delivery.rewind();',
    to: '        this.delivery.letGo();',
  },
  {
    name: 'a second reader finishes what the first one works on',
    what: 'it is refused only while the first one waits',
    file: 'src/client/reading.ts',
    from: 'if (this.#reader !== null || (this.#holder !== null && this.#holder !== loop)) throw',
    to: 'if (this.#reader !== null) throw',
  },
  {
    name: 'return() leaves next() waiting',
    what: 'a loop that was given up goes on waiting, and takes the next record',
    file: 'src/client/reading.ts',
    from: '    if (this.#reader === loop) {\n      this.#reader = null;\n      this.wake();\n      this.#wake = null;\n    } else if (this.#holder === loop) {',
    to: '    if (this.#holder === loop) {',
  },
  {
    name: 'damage is passed over',
    what: 'what was fetched is dropped where it cannot be opened, and not fetched again',
    file: 'src/client/partition-delivery.ts',
    from: '    this.#options.damage.refetch(this, attempt);',
    to: '    void attempt;',
  },
  {
    name: 'a listener that throws has assigned',
    what: 'partitions are read although their onAssigned has failed',
    file: 'src/client/rebalances.ts',
    from: '    if (error === null) {\n      this.#starting.start(added);',
    to: '    if (error === null || added.length > 0) {\n      this.#starting.start(added);',
  },
  {
    name: 'a mark from before a seek counts',
    what: 'markConsumed() of a record of an older position marks what was handed out since',
    file: 'src/client/commits.ts',
    from: 'if (epoch >= 0 && epoch !== delivery.epoch) continue;',
    to: 'void epoch;',
  },
  {
    name: 'pause() lets the lanes go on',
    what: 'records that wait in the lanes of a paused partition are begun',
    file: 'src/client/for-each.ts',
    from: '    return isPaused || this.#host.delivery.isHeldBack;',
    to: '    return isPaused === null || this.#host.delivery.isHeldBack;',
  },
  {
    name: 'a coordinator that fails once ends the consumer',
    what: 'FindCoordinator answered with an unknown code is final',
    file: 'src/group/answers.ts',
    from: "    REQUEST_TIMED_OUT: 'retry',\n    ...FATAL_ANYWHERE,\n  },\n  others: 'warn',",
    to: "    REQUEST_TIMED_OUT: 'retry',\n    ...FATAL_ANYWHERE,\n  },\n  others: 'fatal',",
  },
  {
    name: 'subscribe() while expelled stays out',
    what: 'an application that was thrown out for its silence never counts as back',
    file: 'src/client/poll-watch.ts',
    from: '    if (!this.#hasExpired) this.#postpone(now);',
    to: '    this.#hasExpired = false;\n    this.#postpone(now);',
  },
  {
    name: 'assign() does not wait for the group to be left',
    what: 'a revocation that is under way takes away what was assigned by hand',
    file: 'src/client/subscriptions.ts',
    from: '    if (!this.#isInGroup) this.#assignWaiting();',
    to: '    this.#assignWaiting();',
  },
  {
    name: 'a revocation does not wait for commit()',
    what: 'a commit that is tried again overwrites what the new owner has committed',
    file: 'src/client/commits.ts',
    from: '    if (offsets.length === 0 && this.#pending.isEmpty) return;',
    to: '    if (offsets.length === 0) return;',
  },
  {
    name: 'resume() throws for what is leaving',
    what: 'paused() names partitions that are being given back, and resume() resumes none',
    file: 'src/client/consumer.ts',
    from: 'return this.#session.assigned.filter(({ isPaused }) => isPaused)',
    to: 'return [...this.#session.delivery.partitions].filter(({ isPaused }) => isPaused)',
  },
  {
    name: 'onAssigned of one starts them all',
    what: 'partitions are read before their own onAssigned has returned',
    file: 'src/client/rebalances.ts',
    from: '      this.#starting.start(added);\n      return;',
    to: '      this.#starting.start([...this.#delivery.partitions].filter(({ isStarting }) => isStarting));\n      return;',
  },
];
