/**
 * Tracks whether the API may have processed a create request.
 *
 * @internal
 */

/** @internal Tracks the attempts of one create request. */
export class SubmissionTracker {
  private mayBeProcessed = false
  private mayHaveBeenProcessedBefore = false
  private transportSends = 0

  /** Returns `true` if the API may have processed at least one attempt. */
  get isAmbiguous(): boolean {
    return this.mayBeProcessed
  }

  /** Records that an attempt has started. */
  onAttempt(): void {
    this.mayHaveBeenProcessedBefore = this.mayBeProcessed
    this.mayBeProcessed = true
    this.transportSends = 0
  }

  /** Records that the transport sends the request of the latest attempt. */
  onTransportSend(): void {
    this.transportSends += 1
  }

  /**
   * Records that the API has not processed the latest attempt. `isAmbiguous` then depends only on the earlier attempts.
   * If the client from `transformClient` has sent the latest attempt several times, `isAmbiguous` stays `true`. The API
   * may have processed one of these requests.
   */
  onNotProcessed(): void {
    if (this.transportSends <= 1) this.mayBeProcessed = this.mayHaveBeenProcessedBefore
  }
}
