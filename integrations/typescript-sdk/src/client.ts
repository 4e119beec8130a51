/** The client: one object with the resources of the API as attributes. */

import { KaiVoxError } from "./errors.js";
import { FollowedEventsResource } from "./events.js";
import { Resources } from "./generated/resources.js";
import { type RequestOptions, Transport } from "./transport.js";

const DEFAULT_URL = "http://127.0.0.1:8000";
const LIVE = "kv_live_";
const TEST = "kv_test_";

export interface KaiVoxOptions {
  /** Default: the environment variable `KAIVOX_API_KEY`. */
  apiKey?: string;
  /**
   * true accepts only a key of a sandbox (default: `KAIVOX_TEST_API_KEY`), false only a key of live
   * data; left out, either.
   */
  sandbox?: boolean;
  /** Default: `KAIVOX_URL`, else a server on this machine. */
  baseUrl?: string;
  /** Seconds that one try may take. Default 30. */
  timeoutSeconds?: number;
  /** Of requests that may be repeated. Default 3. */
  maxRetries?: number;
  /** A longer `Retry-After` is thrown as RateLimitError instead. Default 65: a minute's quota is free again. */
  maxRetryWaitSeconds?: number;
  /** Your own, for a proxy or for tests. */
  fetch?: typeof fetch;
}

/**
 * Client of the KaiVox API, for Node.js 20 and browsers.
 *
 * Throws KaiVoxError where the key is missing or of the wrong kind.
 */
export class KaiVox extends Resources {
  override readonly events: FollowedEventsResource;
  /** Address of the server. */
  readonly baseUrl: string;
  /** false with a key of a sandbox. */
  readonly livemode: boolean;
  readonly #transport: Transport;

  constructor(options: KaiVoxOptions = {}) {
    const apiKey = keyOf(options);
    const baseUrl = (options.baseUrl || fromEnvironment("KAIVOX_URL") || DEFAULT_URL).replace(/\/+$/, "");
    const transport = new Transport({
      apiKey,
      baseUrl,
      timeoutSeconds: options.timeoutSeconds ?? 30,
      policy: {
        maxRetries: options.maxRetries ?? 3,
        maxWaitSeconds: options.maxRetryWaitSeconds ?? 65,
      },
      // A browser's fetch must be called as the window's.
      fetch: options.fetch ?? globalThis.fetch.bind(globalThis),
    });
    super(transport);
    this.#transport = transport;
    this.baseUrl = baseUrl;
    this.livemode = apiKey.startsWith(LIVE);
    this.events = new FollowedEventsResource(transport);
  }

  /**
   * The text of the response to any request below `/api/v1`, for what has no method here, such as
   * `format=csv`. With retries, idempotency keys and typed errors like all others.
   */
  request(
    method: string,
    path: string,
    call: { query?: Record<string, unknown>; body?: Record<string, unknown> } = {},
    options: RequestOptions = {},
  ): Promise<string> {
    return this.#transport.text({ method: method.toUpperCase(), path, ...call }, options);
  }
}

function keyOf({ apiKey, sandbox }: KaiVoxOptions): string {
  const variable = sandbox ? "KAIVOX_TEST_API_KEY" : "KAIVOX_API_KEY";
  const key = (apiKey || fromEnvironment(variable) || "").trim();
  if (!key) throw new KaiVoxError(`No API key: pass apiKey, or set ${variable}.`);
  if (!/^kv_(live|test)_[0-9A-Za-z]+$/.test(key)) {
    throw new KaiVoxError(`This is not an API key of KaiVox: keys start with ${LIVE} or ${TEST}.`);
  }
  if (sandbox !== undefined && sandbox === key.startsWith(LIVE)) {
    const [expected, kind] = sandbox ? [TEST, "a sandbox"] : [LIVE, "live data"];
    throw new KaiVoxError(`sandbox: ${sandbox} needs a key of ${kind}, which starts with ${expected}.`);
  }
  return key;
}

function fromEnvironment(name: string): string | undefined {
  const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } };
  return process?.env?.[name];
}
