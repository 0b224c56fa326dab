/**
 * A JSON object of which nothing is known.
 *
 * @internal
 */

/** @internal */
export type Json = { readonly [key: string]: unknown }
