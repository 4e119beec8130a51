/** Sends requests with the API key, repeats them by the retry policy and throws typed errors. */

import { APIConnectionError, APITimeoutError, errorOf, KaiVoxError } from "./errors.js";
import { BY_CODE, NotFound } from "./generated/errors.js";
import { mayHaveRun, pauseBefore, type RetryPolicy } from "./retries.js";
import { VERSION } from "./version.js";

const API_PATH = "/api/v1";

/** Options of a single call. */
export interface RequestOptions {
  /** Of a POST; without it each call gets a new one, which its retries repeat. */
  idempotencyKey?: string;
  /** The `etag` of the object as it was read: a change by others since then is PreconditionFailed. */
  ifMatch?: string;
  /** Aborts the request and its retries. */
  signal?: AbortSignal;
}

/** The rows of a list without pages. */
export interface List<Row, Meta> {
  readonly data: Row[];
  readonly meta: Meta;
}

/** What the headers of an object's response said. */
export interface ResponseInfo {
  readonly status: number;
  readonly requestId: string;
  readonly etag: string | undefined;
  /** Whether it is the stored response to an earlier request with the same idempotency key. */
  readonly isReplay: boolean;
}

/** One call of the API. `params` go into the body, those named in `inQuery` into the query. */
export interface ApiCall {
  readonly method: string;
  readonly path: string;
  readonly query?: Record<string, unknown>;
  readonly body?: Record<string, unknown>;
  readonly params?: Record<string, unknown>;
  readonly inQuery?: readonly string[];
  /** Whether it has succeeded once the object is gone. */
  readonly deletes?: boolean;
}

export interface TransportOptions {
  readonly apiKey: string;
  readonly baseUrl: string;
  readonly timeoutSeconds: number;
  readonly policy: RetryPolicy;
  readonly fetch: typeof fetch;
}

const infos = new WeakMap<object, ResponseInfo>();

/** Status, request id and ETag of the response with which an object was read or written. */
export function responseInfo(object: object): ResponseInfo | undefined {
  return infos.get(object);
}

export class Transport {
  // Private fields are shown by no console and in no JSON.
  readonly #options: TransportOptions;

  constructor(options: TransportOptions) {
    this.#options = options;
  }

  /** The object of a response. */
  async object<Model>(call: ApiCall, options: RequestOptions = {}): Promise<Model> {
    const { response, text } = await this.#send(call, options);
    const { data } = parsed(text);
    if (typeof data === "object" && data !== null) infos.set(data, infoOf(response));
    return data as Model;
  }

  /** Rows and `meta` of a response. */
  async list<Row, Meta>(call: ApiCall, options: RequestOptions = {}): Promise<List<Row, Meta>> {
    const { data, meta } = parsed((await this.#send(call, options)).text);
    return { data: data as Row[], meta: meta as Meta };
  }

  /** Nothing: after a lost response the object is gone, and cannot be shown again. */
  async delete(call: ApiCall, options: RequestOptions = {}): Promise<void> {
    await this.#send({ ...call, deletes: true }, options);
  }

  /** The text of a response in any format. */
  async text(call: ApiCall, options: RequestOptions = {}): Promise<string> {
    return (await this.#send(call, options)).text;
  }

  async #send(call: ApiCall, options: RequestOptions): Promise<{ response: Response; text: string }> {
    const { url, init, waitSeconds } = this.#request(call, options);
    const isRepeatable = call.method === "POST" || options.ifMatch === undefined;
    let hasRun = false;
    for (let retries = 0; ; retries += 1) {
      options.signal?.throwIfAborted();
      const outcome = await this.#try(url, init, waitSeconds, options.signal);
      const result = outcome instanceof APIConnectionError ? outcome : outcome.response;
      if (!(outcome instanceof APIConnectionError) && outcome.response.ok) return outcome;
      const pause = pauseBefore(this.#options.policy, retries, result, isRepeatable);
      if (pause === undefined) {
        if (outcome instanceof APIConnectionError) throw outcome;
        const error = errorOf(outcome.response, outcome.text, BY_CODE);
        // An earlier try, whose response was lost, may have deleted it.
        if (call.deletes && hasRun && error instanceof NotFound) return outcome;
        throw error;
      }
      hasRun ||= mayHaveRun(result);
      await sleep(pause, options.signal);
    }
  }

  #request(
    call: ApiCall,
    options: RequestOptions,
  ): { url: string; init: RequestInit; waitSeconds: number } {
    const { query, body } = separated(call);
    const headers: Record<string, string> = {
      Accept: "application/json",
      Authorization: `Bearer ${this.#options.apiKey}`,
    };
    // Browsers send their own.
    if (isNode()) headers["User-Agent"] = `kaivox-typescript/${VERSION}`;
    if (body) headers["Content-Type"] = "application/json";
    if (options.ifMatch !== undefined) headers["If-Match"] = options.ifMatch;
    if (call.method === "POST") {
      headers["Idempotency-Key"] = options.idempotencyKey ?? newIdempotencyKey();
    }
    const text = queryText(query);
    const url = `${this.#options.baseUrl}${API_PATH}${call.path}${text && `?${text}`}`;
    const init: RequestInit = { method: call.method, headers, redirect: "manual" };
    if (body) init.body = JSON.stringify(body);
    // A long poll takes `wait` seconds besides the usual time.
    return { url, init, waitSeconds: Number(query.wait ?? 0) };
  }

  async #try(
    url: string,
    init: RequestInit,
    waitSeconds: number,
    signal: AbortSignal | undefined,
  ): Promise<{ response: Response; text: string } | APIConnectionError> {
    const limit = AbortSignal.timeout((this.#options.timeoutSeconds + waitSeconds) * 1000);
    const both = signal ? AbortSignal.any([signal, limit]) : limit;
    try {
      const response = await this.#options.fetch(url, { ...init, signal: both });
      return { response, text: await response.text() };
    } catch (error) {
      if (signal?.aborted) throw error;
      if (limit.aborted) return new APITimeoutError("The server did not respond in time.");
      return new APIConnectionError("The server cannot be reached, or the connection broke.", {
        cause: error,
      });
    }
  }
}

function separated(call: ApiCall): {
  query: Record<string, unknown>;
  body: Record<string, unknown> | undefined;
} {
  if (!call.params) return { query: call.query ?? {}, body: call.body };
  const entries = Object.entries(call.params);
  const isQuery = ([name]: [string, unknown]): boolean => call.inQuery?.includes(name) ?? false;
  return {
    query: Object.fromEntries(entries.filter(isQuery)),
    body: Object.fromEntries(entries.filter((entry) => !isQuery(entry))),
  };
}

function queryText(query: Record<string, unknown>): string {
  const text = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null) text.set(name, queryValue(value));
  }
  return text.toString();
}

function queryValue(value: unknown): string {
  if (value instanceof Date) return value.toISOString();
  return Array.isArray(value) ? value.join(",") : String(value);
}

function parsed(text: string): { data: unknown; meta: unknown } {
  try {
    return JSON.parse(text) as { data: unknown; meta: unknown };
  } catch {
    throw new KaiVoxError("The response is not JSON: is this the address of a KaiVox server?");
  }
}

function infoOf(response: Response): ResponseInfo {
  const { headers } = response;
  return {
    status: response.status,
    requestId: headers.get("X-Request-ID") ?? "",
    etag: headers.get("ETag") ?? undefined,
    isReplay: headers.get("Idempotent-Replayed") === "true",
  };
}

/** `crypto.randomUUID` is missing on web pages without HTTPS. */
function newIdempotencyKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function isNode(): boolean {
  const { process } = globalThis as { process?: { versions?: { node?: string } } };
  return process?.versions?.node !== undefined;
}

function sleep(seconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, seconds * 1000);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
