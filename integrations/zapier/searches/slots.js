'use strict';

const { request } = require('../api');
const fields = require('../fields');

const ROWS = 20;

module.exports = [
  {
    key: 'find_slots',
    noun: 'Free Time',
    display: {
      label: 'Find Free Times',
      description: 'Finds the next times at which a service can be booked.',
    },
    operation: {
      inputFields: [
        fields.service,
        fields.staff,
        {
          key: 'date_from',
          label: 'From',
          helpText: 'A day such as `2026-03-02`. Left empty: today.',
        },
        { key: 'date_to', label: 'To', helpText: 'The last day. Left empty: one week.' },
        {
          key: 'part_of_day',
          label: 'Part of the Day',
          choices: { morning: 'Morning', afternoon: 'Afternoon', evening: 'Evening' },
        },
      ],
      perform: async (z, bundle) => {
        const { service_id, staff_id, part_of_day } = bundle.inputData;
        const dates = rangeOf(bundle.inputData);
        const slots = await request(z, bundle, 'GET', '/appointments/slots', {
          params: { service_id, staff_id, part_of_day, ...dates, limit: ROWS },
        });
        return slots.map((slot) => ({ id: slot.start_time, ...slot }));
      },
      sample: {
        id: '2026-03-02T04:30:00Z',
        start_time: '2026-03-02T04:30:00Z',
        end_time: '2026-03-02T05:00:00Z',
        date: '2026-03-02',
        time: '10:00',
        staff: [{ id: 5, name: 'Dr. Meera Nair' }],
      },
    },
  },
];

/** The days of the search: a week where the last one is left out. */
const rangeOf = ({ date_from, date_to }) => {
  const first = date_from || new Date().toISOString().slice(0, 10);
  return { date_from: first, date_to: date_to || daysAfter(first, 6) };
};

const daysAfter = (day, count) => {
  const date = new Date(`${day}T00:00:00Z`);
  // Not a date: the API names the field.
  if (Number.isNaN(date.getTime())) return day;
  date.setUTCDate(date.getUTCDate() + count);
  return date.toISOString().slice(0, 10);
};
