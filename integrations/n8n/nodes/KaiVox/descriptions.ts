import type { INodeProperties, INodePropertyOptions } from 'n8n-workflow';

function shownFor(resource: string, ...operation: string[]) {
	return { show: { resource: [resource], operation } };
}

function optionsOf(...values: string[]): INodePropertyOptions[] {
	return values.map((value) => ({
		name: value.replace(/(^|_)(\w)/g, (_, gap, letter) => (gap && ' ') + letter.toUpperCase()),
		value,
	}));
}

const service: INodeProperties = {
	displayName: 'Service Name or ID',
	name: 'service_id',
	type: 'options',
	typeOptions: { loadOptionsMethod: 'getServices' },
	default: '',
	description:
		'Choose from the list, or specify an ID using an <a href="https://docs.n8n.io/code/expressions/">expression</a>',
};

const staff: INodeProperties = {
	displayName: 'Staff Member Name or ID',
	name: 'staff_id',
	type: 'options',
	typeOptions: { loadOptionsMethod: 'getStaff' },
	default: '',
	description:
		'Choose from the list, or specify an ID using an <a href="https://docs.n8n.io/code/expressions/">expression</a>',
};

const notes: INodeProperties = {
	displayName: 'Notes',
	name: 'notes',
	type: 'string',
	default: '',
};

const appointmentStatus: INodeProperties = {
	displayName: 'Status',
	name: 'status',
	type: 'options',
	options: optionsOf('cancelled', 'completed', 'no_show', 'scheduled'),
	default: 'scheduled',
};

const updatedSince: INodeProperties = {
	displayName: 'Updated Since',
	name: 'updated_since',
	type: 'dateTime',
	default: '',
};

const days: INodeProperties[] = [
	{
		displayName: 'From Day',
		name: 'date_from',
		type: 'string',
		default: '',
		placeholder: '2026-03-02',
		description: "In the business's time zone",
	},
	{
		displayName: 'To Day',
		name: 'date_to',
		type: 'string',
		default: '',
		placeholder: '2026-03-08',
		description: 'The last day, included',
	},
];

const resource: INodeProperties = {
	displayName: 'Resource',
	name: 'resource',
	type: 'options',
	noDataExpression: true,
	options: [
		{ name: 'Appointment', value: 'appointment' },
		{ name: 'Call', value: 'call' },
		{ name: 'Customer', value: 'customer' },
		{ name: 'Free Time', value: 'slot' },
	],
	default: 'appointment',
};

const operationsOfResources: INodeProperties[] = [
	{
		displayName: 'Operation',
		name: 'operation',
		type: 'options',
		noDataExpression: true,
		displayOptions: { show: { resource: ['appointment'] } },
		options: [
			{ name: 'Book', value: 'book', action: 'Book an appointment' },
			{ name: 'Cancel', value: 'cancel', action: 'Cancel an appointment' },
			{ name: 'Get', value: 'get', action: 'Get an appointment' },
			{ name: 'Get Many', value: 'getAll', action: 'Get many appointments' },
			{ name: 'Update', value: 'update', action: 'Update an appointment' },
		],
		default: 'book',
	},
	{
		displayName: 'Operation',
		name: 'operation',
		type: 'options',
		noDataExpression: true,
		displayOptions: { show: { resource: ['call'] } },
		options: [
			{ name: 'Get', value: 'get', action: 'Get a call' },
			{ name: 'Get Many', value: 'getAll', action: 'Get many calls' },
		],
		default: 'getAll',
	},
	{
		displayName: 'Operation',
		name: 'operation',
		type: 'options',
		noDataExpression: true,
		displayOptions: { show: { resource: ['customer'] } },
		options: [
			{ name: 'Create', value: 'create', action: 'Create a customer' },
			{ name: 'Get', value: 'get', action: 'Get a customer' },
			{ name: 'Get Many', value: 'getAll', action: 'Get many customers' },
			{ name: 'Update', value: 'update', action: 'Update a customer' },
		],
		default: 'create',
	},
	{
		displayName: 'Operation',
		name: 'operation',
		type: 'options',
		noDataExpression: true,
		displayOptions: { show: { resource: ['slot'] } },
		options: [{ name: 'Get Many', value: 'getAll', action: 'Get many free times' }],
		default: 'getAll',
	},
];

const identifiers: INodeProperties[] = [
	{ resource: 'appointment', operations: ['cancel', 'get', 'update'], displayName: 'Appointment ID' },
	{ resource: 'call', operations: ['get'], displayName: 'Call ID' },
	{ resource: 'customer', operations: ['get', 'update'], displayName: 'Customer ID' },
].map((one) => ({
	displayName: one.displayName,
	name: 'id',
	type: 'string',
	required: true,
	default: '',
	displayOptions: shownFor(one.resource, ...one.operations),
}));

const lists: INodeProperties[] = [
	{
		displayName: 'Return All',
		name: 'returnAll',
		type: 'boolean',
		default: false,
		description: 'Whether to return all results or only up to a given limit',
		displayOptions: {
			show: { resource: ['appointment', 'call', 'customer'], operation: ['getAll'] },
		},
	},
	{
		displayName: 'Limit',
		name: 'limit',
		type: 'number',
		typeOptions: { minValue: 1 },
		default: 50,
		description: 'Max number of results to return',
		displayOptions: {
			show: {
				resource: ['appointment', 'call', 'customer'],
				operation: ['getAll'],
				returnAll: [false],
			},
		},
	},
];

const appointment: INodeProperties[] = [
	{
		displayName: 'Customer ID',
		name: 'customer_id',
		type: 'string',
		required: true,
		default: '',
		displayOptions: shownFor('appointment', 'book'),
	},
	{ ...service, required: true, displayOptions: shownFor('appointment', 'book') },
	{
		displayName: 'Start',
		name: 'start_time',
		type: 'dateTime',
		required: true,
		default: '',
		description: 'A free time, as Free Time: Get Many returns it',
		displayOptions: shownFor('appointment', 'book'),
	},
	{
		displayName: 'Options',
		name: 'options',
		type: 'collection',
		placeholder: 'Add option',
		default: {},
		options: [notes, staff],
		displayOptions: shownFor('appointment', 'book'),
	},
	{
		displayName: 'Reason',
		name: 'reason',
		type: 'string',
		default: '',
		displayOptions: shownFor('appointment', 'cancel'),
	},
	{
		displayName: 'Filters',
		name: 'filters',
		type: 'collection',
		placeholder: 'Add filter',
		default: {},
		options: [...days, service, staff, appointmentStatus, updatedSince],
		displayOptions: shownFor('appointment', 'getAll'),
	},
	{
		displayName: 'Fields',
		name: 'fields',
		type: 'collection',
		placeholder: 'Add field',
		default: {},
		options: [
			notes,
			staff,
			{ displayName: 'Start', name: 'start_time', type: 'dateTime', default: '' },
			appointmentStatus,
		],
		displayOptions: shownFor('appointment', 'update'),
	},
];

const call: INodeProperties[] = [
	{
		displayName: 'Filters',
		name: 'filters',
		type: 'collection',
		placeholder: 'Add filter',
		default: {},
		options: [
			...days,
			{
				displayName: 'Outcome',
				name: 'outcome',
				type: 'options',
				options: optionsOf(
					'booked',
					'cancelled',
					'information',
					'missed',
					'other',
					'rescheduled',
					'voicemail',
				),
				default: 'booked',
			},
			{
				displayName: 'Sentiment',
				name: 'sentiment',
				type: 'options',
				options: optionsOf('negative', 'neutral', 'positive'),
				default: 'negative',
			},
			updatedSince,
		],
		displayOptions: shownFor('call', 'getAll'),
	},
];

const customer: INodeProperties[] = [
	{
		displayName: 'Name',
		name: 'name',
		type: 'string',
		required: true,
		default: '',
		displayOptions: shownFor('customer', 'create'),
	},
	{
		displayName: 'Phone',
		name: 'phone',
		type: 'string',
		default: '',
		description: 'A phone number or an email address is required',
		displayOptions: shownFor('customer', 'create'),
	},
	{
		displayName: 'Email',
		name: 'email',
		type: 'string',
		placeholder: 'name@email.com',
		default: '',
		displayOptions: shownFor('customer', 'create'),
	},
	{
		displayName: 'Return Existing',
		name: 'returnExisting',
		type: 'boolean',
		default: true,
		description:
			'Whether to return the customer who has this phone number or email address instead of an error',
		displayOptions: shownFor('customer', 'create'),
	},
	{
		displayName: 'Filters',
		name: 'filters',
		type: 'collection',
		placeholder: 'Add filter',
		default: {},
		options: [
			{
				displayName: 'Email',
				name: 'email',
				type: 'string',
				placeholder: 'name@email.com',
				default: '',
			},
			{ displayName: 'Phone', name: 'phone', type: 'string', default: '' },
			{ displayName: 'Search', name: 'search', type: 'string', default: '' },
			{
				displayName: 'Segment',
				name: 'segment',
				type: 'options',
				options: optionsOf('active', 'inactive', 'lead', 'vip'),
				default: 'active',
			},
			updatedSince,
		],
		displayOptions: shownFor('customer', 'getAll'),
	},
	{
		displayName: 'Fields',
		name: 'fields',
		type: 'collection',
		placeholder: 'Add field',
		default: {},
		options: [
			{
				displayName: 'Email',
				name: 'email',
				type: 'string',
				placeholder: 'name@email.com',
				default: '',
			},
			{ displayName: 'Name', name: 'name', type: 'string', default: '' },
			notes,
			{ displayName: 'Phone', name: 'phone', type: 'string', default: '' },
			{
				displayName: 'Pipeline Stage',
				name: 'pipeline_stage',
				type: 'options',
				options: optionsOf('appointment_set', 'contacted', 'converted', 'lost', 'new_lead'),
				default: 'contacted',
			},
		],
		displayOptions: shownFor('customer', 'update'),
	},
];

const slot: INodeProperties[] = [
	{ ...service, required: true, displayOptions: shownFor('slot', 'getAll') },
	{
		displayName: 'Limit',
		name: 'limit',
		type: 'number',
		typeOptions: { minValue: 1 },
		default: 50,
		description: 'Max number of results to return',
		displayOptions: shownFor('slot', 'getAll'),
	},
	{
		displayName: 'Options',
		name: 'options',
		type: 'collection',
		placeholder: 'Add option',
		default: {},
		options: [
			...days,
			{
				displayName: 'Part of the Day',
				name: 'part_of_day',
				type: 'options',
				options: optionsOf('afternoon', 'evening', 'morning'),
				default: 'morning',
			},
			staff,
		],
		displayOptions: shownFor('slot', 'getAll'),
	},
];

export const properties: INodeProperties[] = [
	resource,
	...operationsOfResources,
	...identifiers,
	...lists,
	...appointment,
	...call,
	...customer,
	...slot,
];
