/** A message that breaks the protocol, from a wire or from a caller: what, and where. */
export class MessageError extends Error {
  override readonly name = "MessageError";
}
