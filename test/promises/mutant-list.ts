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
    name: 'assign() does not wait for the group to be left',
    what: 'a revocation that is under way takes away what was assigned by hand',
    file: 'src/client/subscriptions.ts',
    from: '    if (!this.#isInGroup) this.#assignWaiting();',
    to: '    this.#assignWaiting();',
  },
  {
    name: 'a listener that has thrown is not called again',
    what: 'partitions whose onAssigned has failed once are never read',
    file: 'src/client/rebalances.ts',
    from: '        if (left.length > 0 || added.length === 0) await this.#begin(left, holder);',
    to: '        void left;',
  },
  {
    name: 'seek() is refused for what is leaving',
    what: 'an application that cannot say that it has failed commits what it has not handled',
    file: 'src/client/session.ts',
    from: 'const isHeld = known !== undefined && (known.isInHand || known.running > 0);',
    to: 'const isHeld = known !== undefined && known.running < 0;',
  },
];
