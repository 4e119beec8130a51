/** Signatures of webhooks, in the form of Standard Webhooks 1.0 (standardwebhooks.com), with WebCrypto. */

import { WebhookVerificationError } from "./errors.js";
import type { WebhookEvent } from "./generated/events.js";

const PREFIX = "whsec_";

/** Of a Request, of Node's `http`, or of an object. */
export type WebhookHeaders =
  | { get(name: string): string | null }
  | Readonly<Record<string, string | readonly string[] | undefined>>;

export interface VerifyOptions {
  /** Seconds by which the timestamp may differ from `now`. Default 300. */
  tolerance?: number;
  /** Unix time in seconds. Default: the clock's. */
  now?: number;
}

/**
 * The event of a webhook that KaiVox signed. Rejects with WebhookVerificationError.
 *
 * `body` is the body as it was received, before any parser; `secret` that of the endpoint, or several.
 * An old timestamp is an error, so that a recorded request cannot be sent again later.
 */
export async function verifyWebhook(
  body: string | Uint8Array | ArrayBuffer,
  headers: WebhookHeaders,
  secret: string | readonly string[],
  options: VerifyOptions = {},
): Promise<WebhookEvent> {
  const raw = bytesOf(body);
  const id = headerOf(headers, "webhook-id");
  const sentAt = headerOf(headers, "webhook-timestamp");
  if (!/^\d{1,15}$/.test(sentAt)) {
    throw new WebhookVerificationError("The header webhook-timestamp is missing or not a number.");
  }
  const now = options.now ?? Date.now() / 1000;
  if (Math.abs(now - Number(sentAt)) > (options.tolerance ?? 300)) {
    throw new WebhookVerificationError("The timestamp is too old or too far ahead.");
  }
  const received = headerOf(headers, "webhook-signature").split(" ");
  const secrets = typeof secret === "string" ? [secret] : secret;
  if (!(await anyMatches(secrets, received, signedBytes(id, sentAt, raw)))) {
    throw new WebhookVerificationError("No signature matches the body and the secret.");
  }
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(raw)) as WebhookEvent;
  } catch {
    throw new WebhookVerificationError("The body is signed but is not JSON.");
  }
}

/** The signature headers that KaiVox sends with `body`; for tests of a receiver. */
export async function signWebhook(
  body: string,
  secret: string,
  signed: { id: string; timestamp: number },
): Promise<Record<string, string>> {
  const sentAt = String(signed.timestamp);
  const key = await keyOf(secret, "sign");
  const bytes = signedBytes(signed.id, sentAt, bytesOf(body));
  const signature = new Uint8Array(await crypto.subtle.sign("HMAC", key, bytes));
  return {
    "webhook-id": signed.id,
    "webhook-timestamp": sentAt,
    "webhook-signature": `v1,${btoa(String.fromCharCode(...signature))}`,
  };
}

async function anyMatches(
  secrets: readonly string[],
  received: readonly string[],
  signed: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  for (const secret of secrets) {
    const key = await keyOf(secret, "verify");
    for (const part of received) {
      const signature = part.startsWith("v1,") ? fromBase64(part.slice(3)) : undefined;
      // Compares in constant time.
      if (signature && (await crypto.subtle.verify("HMAC", key, signature, signed))) return true;
    }
  }
  return false;
}

async function keyOf(secret: string, usage: "sign" | "verify"): Promise<CryptoKey> {
  const bytes = secret.startsWith(PREFIX) ? fromBase64(secret.slice(PREFIX.length)) : undefined;
  if (!bytes?.length) {
    throw new WebhookVerificationError(`The secret is not one of KaiVox: they start with ${PREFIX}.`);
  }
  return crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, [usage]);
}

function signedBytes(id: string, sentAt: string, raw: Uint8Array): Uint8Array<ArrayBuffer> {
  const head = new TextEncoder().encode(`${id}.${sentAt}.`);
  const all = new Uint8Array(head.length + raw.length);
  all.set(head);
  all.set(raw, head.length);
  return all;
}

function bytesOf(body: string | Uint8Array | ArrayBuffer): Uint8Array {
  if (typeof body === "string") return new TextEncoder().encode(body);
  return body instanceof Uint8Array ? body : new Uint8Array(body);
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}

function headerOf(headers: WebhookHeaders, name: string): string {
  if (typeof headers.get === "function") return headers.get(name) ?? "";
  const named = headers as Readonly<Record<string, string | readonly string[] | undefined>>;
  const found = Object.keys(named).find((key) => key.toLowerCase() === name);
  const value = found === undefined ? "" : named[found];
  return typeof value === "string" ? value : (value?.join(" ") ?? "");
}
