'use strict';

const { request } = require('./api');

module.exports = {
  type: 'custom',
  fields: [
    {
      key: 'api_key',
      label: 'API Key',
      type: 'password',
      required: true,
      helpText: 'From Settings → API keys in KaiVox. It starts with `kv_live_` or `kv_test_`.',
    },
    {
      key: 'url',
      label: 'Address of KaiVox',
      type: 'string',
      required: true,
      helpText: 'Such as `https://kaivox.example`, without a path.',
    },
  ],
  test: (z, bundle) => request(z, bundle, 'GET', '/business'),
  connectionLabel: '{{name}}',
};
