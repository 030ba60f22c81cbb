// Errors of the bridge and of the command line: what failed, and what to do about it.

/** An error whose message is meant for a person; `fix` says what to do. */
export class OctomoteError extends Error {
  readonly fix: string;

  constructor(message: string, fix = "", options?: ErrorOptions) {
    super(message, options);
    this.name = "OctomoteError";
    this.fix = fix;
  }
}

/** The text of anything that was thrown. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return messageOf(error.errors[0]);
  if (error instanceof Error) return error.message || error.name;
  return String(error);
}
