'use strict';

const { request } = require('../api');
const events = require('../events.json');

module.exports = [
  {
    key: 'create_customer',
    noun: 'Customer',
    display: {
      label: 'Create Customer',
      description: 'Adds a customer, or returns the one who has this phone number or e-mail address.',
    },
    operation: {
      inputFields: [
        { key: 'name', label: 'Name', required: true },
        { key: 'phone', label: 'Phone', helpText: 'A phone number or an e-mail address is required.' },
        { key: 'email', label: 'E-mail' },
        { key: 'notes', label: 'Notes', type: 'text' },
      ],
      perform: (z, bundle) => {
        const { name, phone, email, notes } = bundle.inputData;
        return request(z, bundle, 'POST', '/customers', {
          params: { on_existing: 'return' },
          body: { name, phone, email, notes, source: 'zapier' },
        });
      },
      sample: events['customer.created'].sample.data,
    },
  },
];
