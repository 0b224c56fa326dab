/**
 * The type of an undecoded JSON object.
 *
 * @internal
 */

/** @internal */
export type Json = { readonly [key: string]: unknown }
