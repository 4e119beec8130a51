/** Which requests are repeated, and when. */

import { APIConnectionError, retryAfterOf } from "./errors.js";

const FIRST_PAUSE_SECONDS = 0.5;
const LONGEST_PAUSE_SECONDS = 8;
const TEMPORARY = new Set([429, 502, 503, 504]);
// Errors of Node.js before anything was sent. Browsers do not tell.
const NEVER_SENT = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "UND_ERR_CONNECT_TIMEOUT"]);

/**
 * At most `maxRetries` repetitions, and none for which the server asks to wait longer than
 * `maxWaitSeconds`: a day's quota that is used up is an error, not a pause of hours.
 */
export interface RetryPolicy {
  readonly maxRetries: number;
  readonly maxWaitSeconds: number;
}

/**
 * Seconds until the next try after `retries` of them; undefined: `outcome` is final.
 *
 * `isRepeatable`: a second execution changes nothing, as for GET or with an idempotency key.
 */
export function pauseBefore(
  policy: RetryPolicy,
  retries: number,
  outcome: Response | APIConnectionError,
  isRepeatable: boolean,
): number | undefined {
  if (retries >= policy.maxRetries) return undefined;
  const longest = Math.min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** retries);
  const backoff = longest * (0.5 + Math.random() / 2);
  if (outcome instanceof APIConnectionError) {
    return isRepeatable || !mayHaveRun(outcome) ? backoff : undefined;
  }
  const wait = retryAfterOf(outcome);
  const { status } = outcome;
  if (status === 409) {
    // idempotency_in_progress
    return wait !== undefined && wait <= policy.maxWaitSeconds ? wait : undefined;
  }
  if (!TEMPORARY.has(status) && !(status === 500 && isRepeatable)) return undefined;
  if (mayHaveRun(outcome) && !isRepeatable) return undefined;
  if (wait === undefined) return backoff;
  return wait <= policy.maxWaitSeconds ? wait : undefined;
}

/** Whether the server may have executed a request that failed so. */
export function mayHaveRun(outcome: Response | APIConnectionError): boolean {
  // 429 and 503 are sent before anything was done; a proxy's 502 and 504 may be sent after it.
  if (!(outcome instanceof APIConnectionError)) return [500, 502, 504].includes(outcome.status);
  const cause = outcome.cause as { cause?: { code?: string } } | undefined;
  return !NEVER_SENT.has(cause?.cause?.code ?? "");
}
