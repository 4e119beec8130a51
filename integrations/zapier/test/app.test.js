'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { createAppHandler, createAppTester } = require('zapier-platform-core');

const app = require('../index');
const events = require('../events.json');

const appTester = createAppTester(app);
const authData = { api_key: process.env.KAIVOX_API_KEY, url: `${process.env.KAIVOX_URL}/` };
const run = (method, bundle = {}) => appTester(method, { authData, meta: { page: 0 }, ...bundle });
const search = (key, inputData) => run(app.searches[key].operation.perform, { inputData });
const create = (key, inputData) => run(app.creates[key].operation.perform, { inputData });
const asha = { name: 'Asha Rao', phone: '098765 43210' };

test('is a valid app', async () => {
  const { results } = await createAppHandler(app)({ command: 'validate' });
  assert.deepEqual(results, []);
});

test('the key is tested, and a wrong one is an error that does not contain it', async () => {
  const business = await run(app.authentication.test);
  assert(business.name);
  const bad = { ...authData, api_key: 'kv_live_wrong' };
  await assert.rejects(run(app.authentication.test, { authData: bad }), (error) => {
    assert.equal(error.name, 'ExpiredAuthError');
    return !error.message.includes(bad.api_key);
  });
});

test('menus list services and staff', async () => {
  const [service] = await run(app.triggers.services.operation.perform);
  assert.equal(service.name, 'Cleaning');
  assert((await run(app.triggers.staff.operation.perform))[0].id);
  const second = await run(app.triggers.services.operation.perform, { meta: { page: 1 } });
  assert.deepEqual(second, []);
});

test('a customer is found or created, booked and cancelled', async () => {
  assert.deepEqual(await search('find_customer', { phone: asha.phone }), []);
  const customer = await create('create_customer', asha);
  assert.equal(customer.source, 'zapier');
  assert.equal((await create('create_customer', { ...asha, email: '' })).id, customer.id);
  assert.equal((await search('find_customer', { phone: asha.phone }))[0].id, customer.id);
  await assert.rejects(search('find_customer', {}), /Fill in/);

  const [service] = await run(app.triggers.services.operation.perform);
  const slots = await search('find_slots', { service_id: service.id, part_of_day: 'morning' });
  assert(slots.length > 0 && slots.length <= 20);
  const { start_time, staff } = slots.at(-1);
  const wanted = {
    customer_id: customer.id,
    service_id: service.id,
    start_time,
    staff_id: staff[0].id,
  };
  const booked = await create('book_appointment', wanted);
  assert.deepEqual([booked.start_time, booked.source], [start_time, 'zapier']);
  await assert.rejects(create('book_appointment', wanted), /Free instead: \d{4}-/);
  const cancelled = await create('cancel_appointment', { id: booked.id, reason: 'Test' });
  assert.deepEqual([cancelled.status, cancelled.cancellation_reason], ['cancelled', 'Test']);
});

test('an error names the field', async () => {
  await assert.rejects(search('find_slots', { service_id: 999999999 }), /service_id/);
  const date = { service_id: 1, date_from: 'soon' };
  await assert.rejects(search('find_slots', date), /date_from/);
});

test('there is a trigger for every type of event', async () => {
  const types = (await run(({ request }) =>
    request({ url: `${process.env.KAIVOX_URL}/api/v1/webhooks/event-types` }),
  )).data.data.map(({ name }) => name);
  assert.deepEqual(types.sort(), Object.keys(events).sort());
});

for (const [type, { sample }] of Object.entries(events)) {
  test(`${type} is subscribed to and unsubscribed from`, async () => {
    const { operation } = app.triggers[type.replace('.', '_')];
    const targetUrl = 'http://127.0.0.1:9/hooks/zapier';
    const subscribeData = await run(operation.performSubscribe, { targetUrl });
    assert.deepEqual(subscribeData.event_types, [type]);
    assert.deepEqual(await run(operation.perform, { cleanedRequest: sample }), [sample]);
    await run(operation.performUnsubscribe, { subscribeData });
    await run(operation.performUnsubscribe, { subscribeData }); // deleted already
  });
}

test('recent events have the form of the sample', async () => {
  await create('create_customer', { name: 'Ravi', phone: '+91 98765 43219' });
  const { performList, sample } = app.triggers.customer_created.operation;
  const [recent] = await run(performList);
  assert.equal(recent.type, 'customer.created');
  assert.deepEqual(Object.keys(recent), Object.keys(sample));
  assert.deepEqual(Object.keys(recent.data), Object.keys(sample.data));
});
