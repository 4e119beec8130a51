'use strict';

const { request } = require('../api');
const events = require('../events.json');

const SHOWN = 3;

const titleOf = (type) => {
  const words = type.replace(/[._]/g, ' ').split(' ');
  return words.map((word) => word[0].toUpperCase() + word.slice(1)).join(' ');
};

/** A trigger by webhook. Its items are whole events: `id`, `type`, `created_at`, `data`. */
const triggerOf = (type, { meaning, sample }) => ({
  key: type.replace('.', '_'),
  noun: titleOf(type.split('.')[0]),
  display: {
    label: titleOf(type),
    description: `Triggers for the event ${type}: ${meaning[0].toLowerCase()}${meaning.slice(1)}`,
  },
  operation: {
    type: 'hook',
    performSubscribe: (z, bundle) =>
      request(z, bundle, 'POST', '/webhooks', {
        body: { url: bundle.targetUrl, event_types: [type], description: 'Zapier' },
      }),
    performUnsubscribe,
    perform: (z, bundle) => [bundle.cleanedRequest],
    performList: (z, bundle) =>
      request(z, bundle, 'GET', '/events', {
        params: { type, ordering: '-created_at', per_page: SHOWN },
      }),
    sample,
    outputFields: [
      { key: 'id', label: 'Event ID' },
      { key: 'type', label: 'Event Type' },
      { key: 'created_at', label: 'Event Created At', type: 'datetime' },
    ],
  },
});

const performUnsubscribe = async (z, bundle) => {
  try {
    return await request(z, bundle, 'DELETE', `/webhooks/${bundle.subscribeData.id}`);
  } catch (error) {
    // Deleted in KaiVox already.
    if (error.message.includes('"not_found"')) return {};
    throw error;
  }
};

module.exports = Object.entries(events).map(([type, event]) => triggerOf(type, event));
