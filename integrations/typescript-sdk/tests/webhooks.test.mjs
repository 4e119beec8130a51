import assert from "node:assert/strict";
import { test } from "node:test";

import { signWebhook, verifyWebhook, WebhookVerificationError } from "kaivox";

const SECRET = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
const OTHER = `whsec_${Buffer.alloc(32, 8).toString("base64")}`;
const BODY = '{"id":"evt_1","type":"customer.erased","data":{"id":7},"name":"Élodie"}';
const NOW = 1_800_000_000;
const headers = await signWebhook(BODY, SECRET, { id: "evt_1", timestamp: NOW });
const verify = (changes = {}) => {
  const { body = BODY, with: extra = {}, secret = SECRET, now = NOW, tolerance = 300 } = changes;
  return verifyWebhook(body, { ...headers, ...extra }, secret, { now, tolerance });
};

test("returns the event", async () => {
  assert.equal((await verify()).data.id, 7);
  assert.equal((await verify({ body: Buffer.from(BODY) })).id, "evt_1");
  const { buffer, byteOffset, byteLength } = new TextEncoder().encode(BODY);
  const copied = buffer.slice(byteOffset, byteOffset + byteLength);
  assert.equal((await verifyWebhook(copied, new Headers(headers), SECRET, { now: NOW })).id, "evt_1");
});

test("accepts headers in any case, one of several signatures and one of several secrets", async () => {
  const named = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toUpperCase(), [value]]),
  );
  const { id } = await verifyWebhook(BODY, named, [OTHER, SECRET], { now: NOW });
  assert.equal(id, "evt_1");
  const several = `v1a,xyz v1,!! v1,AAAA ${headers["webhook-signature"]}`;
  assert.equal((await verify({ with: { "webhook-signature": several } })).id, "evt_1");
});

for (const [title, changes] of Object.entries({
  "another body": { body: `${BODY} ` },
  "another id": { with: { "webhook-id": "evt_2" } },
  "another secret": { secret: OTHER },
  "no secret": { secret: "" },
  "a secret of another form": { secret: "abc" },
  "an old timestamp": { now: NOW + 301 },
  "a timestamp ahead": { now: NOW - 301 },
  "no timestamp": { with: { "webhook-timestamp": "" } },
  "a timestamp that is no number": { with: { "webhook-timestamp": "1e9" } },
  "no signature": { with: { "webhook-signature": undefined } },
})) {
  test(`rejects ${title}`, async () => {
    await assert.rejects(verify(changes), WebhookVerificationError);
  });
}
