export { KaiVox, type KaiVoxOptions } from "./client.js";
export {
  APIConnectionError,
  APIError,
  APITimeoutError,
  KaiVoxError,
  WebhookVerificationError,
} from "./errors.js";
export type { Alternative } from "./errors.js";
export * as errors from "./error_classes.js";
export type { FollowOptions } from "./events.js";
export type { ErrorCode } from "./generated/errors.js";
export type * from "./generated/events.js";
export type * from "./generated/models.js";
export type { Changes, Page, Pages } from "./pages.js";
export { responseInfo, type List, type RequestOptions, type ResponseInfo } from "./transport.js";
export {
  signWebhook,
  verifyWebhook,
  type VerifyOptions,
  type WebhookHeaders,
} from "./webhooks.js";
