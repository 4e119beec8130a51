'use strict';

const { version: platformVersion } = require('zapier-platform-core');

const { addKey, throwErrors } = require('./api');
const authentication = require('./authentication');
const { version } = require('./package.json');

const byKey = (...lists) => Object.fromEntries(lists.flat().map((item) => [item.key, item]));

module.exports = {
  version,
  platformVersion,
  authentication,
  beforeRequest: [addKey],
  afterResponse: [throwErrors],
  triggers: byKey(require('./triggers/events'), require('./triggers/choices')),
  creates: byKey(require('./creates/appointments'), require('./creates/customers')),
  searches: byKey(require('./searches/customers'), require('./searches/slots')),
  searchOrCreates: {
    find_customer: {
      key: 'find_customer',
      display: {
        label: 'Find or Create Customer',
        description: 'Finds a customer, or adds one.',
      },
      search: 'find_customer',
      create: 'create_customer',
    },
  },
};
