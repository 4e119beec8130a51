import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { createRequire } from 'node:module';
import { test } from 'node:test';

import { contextOf } from './context.mjs';

const require = createRequire(import.meta.url);
const { n8n } = require('../package.json');
const [{ KaiVoxApi }] = n8n.credentials.map((path) => require(`../${path}`));
const [{ KaiVox }, { KaiVoxTrigger }] = n8n.nodes.map((path) => require(`../${path}`));
const { operations } = require('../dist/nodes/KaiVox/operations.js');
const { EVENTS } = require('../dist/nodes/KaiVoxTrigger/events.js');

const credential = new KaiVoxApi();
const node = new KaiVox();
const execute = async (...parameters) => {
	const [results] = await node.execute.call(contextOf(credential, { parameters }));
	return results.map(({ json }) => json);
};
const one = async (resource, operation, parameters) =>
	(await execute({ resource, operation, ...parameters }))[0];

test('every operation that is offered exists', () => {
	const offered = node.description.properties
		.filter(({ name }) => name === 'operation')
		.flatMap(({ options, displayOptions: { show } }) =>
			options.map(({ value }) => `${show.resource[0]}.${value}`),
		);
	assert.deepEqual(offered.sort(), Object.keys(operations).sort());
});

test('the test of the credential requests the business', async () => {
	const { baseURL, url } = credential.test.request;
	assert.match(baseURL, /credentials\.url/);
	const response = await fetch(`${process.env.KAIVOX_URL}${url}`, {
		headers: { Authorization: `Bearer ${process.env.KAIVOX_API_KEY}` },
	});
	assert.equal(response.status, 200);
});

test('menus list services and staff', async () => {
	const { getServices, getStaff } = node.methods.loadOptions;
	const [service] = await getServices.call(contextOf(credential));
	assert.equal(service.name, 'Cleaning');
	assert((await getStaff.call(contextOf(credential))).length > 0);
});

test('books, moves and cancels', async () => {
	const asha = { name: 'Asha Rao', phone: '098765 43210', email: '', returnExisting: true };
	const customer = await one('customer', 'create', asha);
	assert.equal((await one('customer', 'create', asha)).id, customer.id);
	assert.equal((await one('customer', 'get', { id: customer.id })).source, 'n8n');
	const changed = await one('customer', 'update', { id: customer.id, fields: { notes: 'VIP' } });
	assert.equal(changed.notes, 'VIP');

	const [{ value: service_id }] = await node.methods.loadOptions.getServices.call(
		contextOf(credential),
	);
	const options = { part_of_day: 'evening', date_from: '', ...days() };
	const [slot] = await execute({ resource: 'slot', operation: 'getAll', service_id, limit: 1, options });
	const booking = { customer_id: String(customer.id), service_id, start_time: slot.start_time };
	const booked = await one('appointment', 'book', { ...booking, options: { notes: 'First' } });
	assert.deepEqual([booked.start_time, booked.source], [slot.start_time, 'n8n']);

	// As the date picker writes it: in the workflow's time zone.
	const start = new Date(Date.parse(slot.start_time) + 2 * 3600_000);
	const start_time = new Date(start.getTime() + 5.5 * 3600_000).toISOString().slice(0, 19);
	const moved = await one('appointment', 'update', { id: booked.id, fields: { start_time } });
	assert.equal(Date.parse(moved.start_time), start.getTime());

	const cancelled = await one('appointment', 'cancel', { id: booked.id, reason: 'Test' });
	assert.equal(cancelled.cancellation_reason, 'Test');
	assert.equal((await one('appointment', 'get', { id: booked.id })).status, 'cancelled');
	const filters = { status: 'cancelled', updated_since: '2026-01-01T00:00:00' };
	const listed = await execute({ resource: 'appointment', operation: 'getAll', returnAll: true, filters });
	assert.deepEqual(listed.map(({ id }) => id), [booked.id]);
});

test('reads all pages, or as many rows as asked for', async () => {
	const list = { resource: 'customer', operation: 'getAll', filters: { search: 'Customer' } };
	const all = await execute({ ...list, returnAll: true });
	assert.equal(new Set(all.map(({ id }) => id)).size, 105);
	assert.equal((await execute({ ...list, returnAll: false, limit: 102 })).length, 102);
	const calls = { resource: 'call', operation: 'getAll', returnAll: false, limit: 5, filters: {} };
	assert.deepEqual(await execute(calls), []);
});

test('an error names the field and the item', async () => {
	const bad = { resource: 'customer', operation: 'get', id: 'x/../../business' };
	await assert.rejects(execute(bad), (error) => {
		assert.equal(error.constructor.name, 'NodeApiError');
		assert.equal(error.context.itemIndex, 0);
		return error.httpCode === '404';
	});
	const nobody = { resource: 'customer', operation: 'create', name: 'Nobody', returnExisting: true };
	await assert.rejects(execute(nobody), ({ description }) => description.includes('phone'));
	const parameters = [bad];
	const going = contextOf(credential, { parameters, continueOnFail: () => true });
	const [[{ json, pairedItem }]] = await node.execute.call(going);
	assert(json.error);
	assert.deepEqual(pairedItem, { item: 0 });
});

test('every type of event can be chosen', async () => {
	const response = await fetch(`${process.env.KAIVOX_URL}/api/v1/webhooks/event-types`, {
		headers: { Authorization: `Bearer ${process.env.KAIVOX_API_KEY}` },
	});
	const names = (await response.json()).data.map(({ name }) => name);
	assert.deepEqual(['*', ...names].sort(), EVENTS.map(({ value }) => value).sort());
});

test('the trigger registers its address once and removes it', async () => {
	const hooks = new KaiVoxTrigger().webhookMethods.default;
	const staticData = {};
	const parameters = [{ events: ['customer.created', 'appointment.booked'] }];
	const getNodeWebhookUrl = () => 'http://127.0.0.1:9/webhook/n8n';
	const context = contextOf(credential, { parameters, staticData, getNodeWebhookUrl });
	const call = (name) => hooks[name].call(context);
	assert.equal(await call('checkExists'), false);
	assert.equal(await call('create'), true);
	assert.match(staticData.secret, /^whsec_/);
	assert.equal(await call('checkExists'), true);
	parameters[0].events.push('*');
	assert.equal(await call('checkExists'), false);
	assert.equal(await call('delete'), true);
	assert.deepEqual(staticData, {});
	assert.equal(await call('checkExists'), false);
	assert.equal(await call('delete'), true);
});

const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const body = '{"id":"evt_1","type":"customer.created","data":{"name":"Élodie"}}';

function signed({ sentAt = Math.floor(Date.now() / 1000), text = body } = {}) {
	const key = Buffer.from(secret.slice(6), 'base64');
	const signature = createHmac('sha256', key).update(`evt_1.${sentAt}.${text}`).digest('base64');
	return {
		'webhook-id': 'evt_1',
		'webhook-timestamp': String(sentAt),
		'webhook-signature': `v1,AAAA v1,${signature}`,
	};
}

async function received(headers, staticData = { secret }) {
	const sent = [];
	const response = {
		status: (status) => (sent.push(status), response),
		send: () => response,
		end: () => response,
	};
	const context = contextOf(credential, {
		staticData,
		getRequestObject: () => ({ rawBody: Buffer.from(body) }),
		getHeaderData: () => headers,
		getBodyData: () => JSON.parse(body),
		getResponseObject: () => response,
	});
	return { result: await new KaiVoxTrigger().webhook.call(context), sent };
}

test('the trigger starts the workflow for a signed event', async () => {
	const { result, sent } = await received(signed());
	assert.deepEqual(result, { workflowData: [[{ json: JSON.parse(body) }]] });
	assert.deepEqual(sent, []);
});

for (const [title, headers, staticData] of [
	['without a signature', {}],
	['with the signature of another body', signed({ text: `${body} ` })],
	['that is old', signed({ sentAt: Math.floor(Date.now() / 1000) - 400 })],
	['before it has registered', signed(), {}],
]) {
	test(`the trigger rejects a request ${title}`, async () => {
		const { result, sent } = await received(headers, staticData);
		assert.deepEqual(result, { noWebhookResponse: true });
		assert.deepEqual(sent, [401]);
	});
}

function days() {
	const day = (count) => new Date(Date.now() + count * 86_400_000).toISOString().slice(0, 10);
	return { date_from: day(2), date_to: day(5) };
}
