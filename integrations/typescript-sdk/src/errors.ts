/** Base classes of the errors, one for each status. Those of single codes are generated. */

/** Anything that this package throws on purpose. */
export class KaiVoxError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** The body was not signed with this secret, or too long ago. */
export class WebhookVerificationError extends KaiVoxError {}

/** No response arrived: the server cannot be reached, or the connection broke. */
export class APIConnectionError extends KaiVoxError {}

/** No response arrived in time. A write may have happened nevertheless. */
export class APITimeoutError extends APIConnectionError {}

/** A free slot close to one that could not be booked. */
export interface Alternative {
  start_time: string;
  [field: string]: unknown;
}

interface ErrorBody {
  code?: unknown;
  message?: unknown;
  errors?: Record<string, string[]>;
  doc_url?: string;
  meta?: Record<string, unknown>;
}

/** A response of the API that is not a success. */
export class APIError extends KaiVoxError {
  readonly status: number;
  readonly code: string;
  /** Messages by field or parameter. */
  readonly errors: Readonly<Record<string, readonly string[]>>;
  readonly docUrl: string | undefined;
  readonly meta: Readonly<Record<string, unknown>>;
  /** Quote it when you write to us. */
  readonly requestId: string;
  /** Seconds to wait before the next try, where the server says so. */
  readonly retryAfter: number | undefined;

  constructor(response: Response, body: ErrorBody) {
    const code = String(body.code ?? "");
    const meta = body.meta ?? {};
    const requestId = String(meta.request_id ?? response.headers.get("X-Request-ID") ?? "");
    const fields = Object.entries(body.errors ?? {}).map(
      ([name, messages]) => `\n  ${name}: ${messages.join(" ")}`,
    );
    const message = String(body.message ?? `HTTP ${response.status}`);
    super(`${response.status} ${code}: ${message} [${requestId}]${fields.join("")}`);
    this.status = response.status;
    this.code = code;
    this.errors = body.errors ?? {};
    this.docUrl = body.doc_url;
    this.meta = meta;
    this.requestId = requestId;
    this.retryAfter = retryAfterOf(response);
  }

  /** Up to three free slots close to the one that could not be booked. */
  get alternatives(): readonly Alternative[] {
    return (this.meta.alternatives as Alternative[] | undefined) ?? [];
  }
}

/** 400 and other 4xx that concern the request as a whole. */
export class BadRequestError extends APIError {}

/** 401: no valid API key. */
export class AuthenticationError extends APIError {}

/** 403: the key may not do this. */
export class PermissionDeniedError extends APIError {}

/** 404: no such resource in this business. */
export class NotFoundError extends APIError {}

/** 409: valid, but not in the present state. */
export class ConflictError extends APIError {}

/** 412: the object changed since its `ETag` was read. */
export class PreconditionError extends APIError {}

/** 422: a field or parameter is not valid; `errors` names it. */
export class UnprocessableError extends APIError {}

/** 429: too many requests. `retryAfter` says when the next one is admitted. */
export class RateLimitError extends APIError {}

/** 5xx: a fault of the server, or it is unavailable. */
export class ServerError extends APIError {}

const BY_STATUS: Readonly<Record<number, typeof APIError>> = {
  401: AuthenticationError,
  403: PermissionDeniedError,
  404: NotFoundError,
  409: ConflictError,
  412: PreconditionError,
  422: UnprocessableError,
  429: RateLimitError,
};

/** The error of a response: by its code, else by its status. */
export function errorOf(
  response: Response,
  text: string,
  byCode: Readonly<Record<string, typeof APIError>>,
): APIError {
  const body = errorBody(text);
  const general = response.status >= 500 ? ServerError : BadRequestError;
  const code = String(body.code ?? "");
  const ofCode = Object.hasOwn(byCode, code) ? byCode[code] : undefined;
  const Kind = ofCode ?? BY_STATUS[response.status] ?? general;
  return new Kind(response, body);
}

/** `Retry-After` in seconds; undefined where it is missing or a date. */
export function retryAfterOf(response: Response): number | undefined {
  const text = response.headers.get("Retry-After") ?? "";
  return /^\d+$/.test(text) ? Number(text) : undefined;
}

function errorBody(text: string): ErrorBody {
  try {
    const body: unknown = JSON.parse(text);
    return typeof body === "object" && body !== null ? body : {};
  } catch {
    return {}; // of a proxy
  }
}
