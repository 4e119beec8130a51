'use strict';

const { request } = require('../api');

const ROWS = 100;

/** A hidden trigger that fills a menu, a page of it at a time. */
const choicesOf = (key, noun, path, sample) => ({
  key,
  noun,
  display: { label: `List of ${noun}`, description: 'Fills a menu of choices.', hidden: true },
  operation: {
    canPaginate: true,
    perform: (z, bundle) =>
      request(z, bundle, 'GET', path, { params: { page: bundle.meta.page + 1, per_page: ROWS } }),
    sample,
    outputFields: [{ key: 'id', type: 'integer' }, { key: 'name' }],
  },
});

module.exports = [
  choicesOf('services', 'Service', '/services', { id: 12, name: 'Dental cleaning' }),
  choicesOf('staff', 'Staff Member', '/staff', { id: 5, name: 'Dr. Meera Nair' }),
];
