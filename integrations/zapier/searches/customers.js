'use strict';

const { request } = require('../api');
const events = require('../events.json');

module.exports = [
  {
    key: 'find_customer',
    noun: 'Customer',
    display: {
      label: 'Find Customer',
      description: 'Finds a customer by phone number, e-mail address or name.',
    },
    operation: {
      inputFields: [
        { key: 'phone', label: 'Phone' },
        { key: 'email', label: 'E-mail' },
        { key: 'search', label: 'Name or Part of It' },
      ],
      perform: async (z, bundle) => {
        const { phone, email, search } = bundle.inputData;
        if (!phone && !email && !search) {
          throw new z.errors.Error('Fill in a phone number, an e-mail address or a name.', 'no_input');
        }
        return request(z, bundle, 'GET', '/customers', { params: { phone, email, search } });
      },
      sample: events['customer.created'].sample.data,
    },
  },
];
