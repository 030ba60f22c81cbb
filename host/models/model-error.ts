/** A model that cannot be taken: what, where, and what to do. */
export class ModelError extends Error {
  override readonly name = "ModelError";
}
