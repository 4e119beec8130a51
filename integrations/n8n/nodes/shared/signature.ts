import { createHmac, timingSafeEqual } from 'node:crypto';

type Headers = Record<string, string | string[] | undefined>;

const PREFIX = 'whsec_';
const TOLERANCE_SECONDS = 300;

/**
 * Whether KaiVox signed this body with this secret, at most five minutes ago. The form is that of Standard
 * Webhooks 1.0.
 */
export function isSigned(body: Buffer, headers: Headers, secret: string): boolean {
	const [id, sentAt, signatures] = ['id', 'timestamp', 'signature'].map((name) =>
		String(headers[`webhook-${name}`] ?? ''),
	);
	if (!/^\d{1,15}$/.test(sentAt) || !secret.startsWith(PREFIX)) return false;
	if (Math.abs(Date.now() / 1000 - Number(sentAt)) > TOLERANCE_SECONDS) return false;
	const key = Buffer.from(secret.slice(PREFIX.length), 'base64');
	const expected = createHmac('sha256', key).update(`${id}.${sentAt}.`).update(body).digest();
	return signatures.split(' ').some((signature) => isEqual(signature, expected));
}

function isEqual(signature: string, expected: Buffer): boolean {
	if (!signature.startsWith('v1,')) return false;
	const received = Buffer.from(signature.slice(3), 'base64');
	return received.length === expected.length && timingSafeEqual(received, expected);
}
