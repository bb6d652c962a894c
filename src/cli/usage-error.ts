/** Arguments that cannot work: exit code 2, and one line that names the option. */
export class UsageError extends Error {}

/** What failed while the command ran, said for the person at the terminal: exit code 1. */
export class CommandError extends Error {}
