'use strict';

const service = {
  key: 'service_id',
  label: 'Service',
  type: 'integer',
  required: true,
  dynamic: 'services.id.name',
};

const staff = {
  key: 'staff_id',
  label: 'Staff Member',
  type: 'integer',
  dynamic: 'staff.id.name',
  helpText: 'Left empty: any who is free.',
};

const customer = {
  key: 'customer_id',
  label: 'Customer ID',
  type: 'integer',
  required: true,
  search: 'find_customer.id',
  helpText: 'From a step such as Find Customer.',
};

module.exports = { customer, service, staff };
