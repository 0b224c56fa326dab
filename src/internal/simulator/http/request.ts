/**
 * Represents an HTTP request as plain data, for the simulator in memory and on a port.
 *
 * @internal
 */

/** @internal The part of a request that arrives before its body. */
export interface RequestHead {
  readonly method: string
  /** Path and query. */
  readonly url: string
  /** Header names are in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** Scheme and host of the request. */
  readonly origin: string
  /** Default URL prefix of presigned URLs. The option `storageOrigin` replaces the prefix. */
  readonly storage: string
}

/** @internal */
export interface RequestData extends RequestHead {
  readonly body: Uint8Array
}
