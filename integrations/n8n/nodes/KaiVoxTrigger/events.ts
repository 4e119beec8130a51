import type { INodePropertyOptions } from 'n8n-workflow';

/** All types of events, as `GET /webhooks/event-types` lists them. */
export const EVENTS: INodePropertyOptions[] = [
	{ name: 'All', value: '*' },
	{ name: 'Appointment Booked', value: 'appointment.booked' },
	{ name: 'Appointment Cancelled', value: 'appointment.cancelled' },
	{ name: 'Appointment Completed', value: 'appointment.completed' },
	{ name: 'Appointment No Show', value: 'appointment.no_show' },
	{ name: 'Appointment Reminder Due', value: 'appointment.reminder_due' },
	{ name: 'Appointment Rescheduled', value: 'appointment.rescheduled' },
	{ name: 'Call Analyzed', value: 'call.analyzed' },
	{ name: 'Call Completed', value: 'call.completed' },
	{ name: 'Call Missed', value: 'call.missed' },
	{ name: 'Closure Created', value: 'closure.created' },
	{ name: 'Closure Removed', value: 'closure.removed' },
	{ name: 'Customer Created', value: 'customer.created' },
	{ name: 'Customer Erased', value: 'customer.erased' },
	{ name: 'Customer Updated', value: 'customer.updated' },
	{ name: 'Resource Removed', value: 'resource.removed' },
	{ name: 'Resource Updated', value: 'resource.updated' },
	{ name: 'Service Updated', value: 'service.updated' },
	{ name: 'Staff Updated', value: 'staff.updated' },
	{ name: 'Waitlist Offered', value: 'waitlist.offered' },
];
