'use strict';

const { request } = require('../api');
const events = require('../events.json');
const fields = require('../fields');

const book = {
  key: 'book_appointment',
  noun: 'Appointment',
  display: { label: 'Book Appointment', description: 'Books an appointment at a free time.' },
  operation: {
    inputFields: [
      fields.customer,
      fields.service,
      {
        key: 'start_time',
        label: 'Start',
        type: 'datetime',
        required: true,
        helpText: 'A free time, as Find Free Times returns it.',
      },
      fields.staff,
      { key: 'notes', label: 'Notes', type: 'text' },
    ],
    perform: (z, bundle) => {
      const { customer_id, service_id, start_time, staff_id, notes } = bundle.inputData;
      const body = { customer_id, service_id, start_time, staff_id, notes, source: 'zapier' };
      return request(z, bundle, 'POST', '/appointments', { body });
    },
    sample: events['appointment.booked'].sample.data,
  },
};

const cancel = {
  key: 'cancel_appointment',
  noun: 'Appointment',
  display: {
    label: 'Cancel Appointment',
    description: 'Cancels an appointment, which makes its time free again.',
  },
  operation: {
    inputFields: [
      { key: 'id', label: 'Appointment ID', type: 'integer', required: true },
      { key: 'reason', label: 'Reason', type: 'string' },
    ],
    perform: (z, bundle) => {
      const { id, reason } = bundle.inputData;
      const path = `/appointments/${encodeURIComponent(id)}`;
      return request(z, bundle, 'DELETE', path, { params: { reason } });
    },
    sample: events['appointment.cancelled'].sample.data,
  },
};

module.exports = [book, cancel];
