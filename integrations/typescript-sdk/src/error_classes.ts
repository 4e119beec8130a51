/** All classes of errors: of the statuses, and of the single codes. */

export {
  APIConnectionError,
  APIError,
  APITimeoutError,
  AuthenticationError,
  BadRequestError,
  ConflictError,
  KaiVoxError,
  NotFoundError,
  PermissionDeniedError,
  PreconditionError,
  RateLimitError,
  ServerError,
  UnprocessableError,
  WebhookVerificationError,
} from "./errors.js";
export * from "./generated/errors.js";
