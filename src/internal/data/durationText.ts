/**
 * Formats durations for messages and log lines.
 *
 * @internal
 */

/** @internal Formats milliseconds as a text, such as "7.3 s", "2 min 5 s" or "3.5 h". */
export const formatMillis = (millis: number): string => {
  const total = Math.max(0, millis) / 1000
  if (total < 120) return `${Math.round(total * 10) / 10} s`
  if (total < 7200) return `${Math.floor(total / 60)} min ${Math.round(total % 60)} s`
  return `${Math.round(total / 360) / 10} h`
}
