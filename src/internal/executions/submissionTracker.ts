/**
 * Tracks whether the API may have processed a create.
 *
 * @internal
 */

/** @internal One per create. */
export class SubmissionTracker {
  private mayBeProcessed = false
  private mayHaveBeenProcessedBefore = false
  private transportSends = 0

  /** Whether the API may have processed one of the attempts. */
  get isAmbiguous(): boolean {
    return this.mayBeProcessed
  }

  /** Records that an attempt has begun. */
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
   * Records that the API has not processed the latest attempt. Earlier attempts stay ambiguous. So does an attempt whose request
   * a transformed client has sent several times.
   */
  onNotProcessed(): void {
    if (this.transportSends <= 1) this.mayBeProcessed = this.mayHaveBeenProcessedBefore
  }
}
