import { DateTime } from 'luxon';
import type { IDataObject, IExecuteFunctions } from 'n8n-workflow';

import { request, requestRows } from '../shared/transport';

type Operation = (
	context: IExecuteFunctions,
	itemIndex: number,
) => Promise<IDataObject | IDataObject[]>;

const INSTANTS = ['start_time', 'updated_since'];

/** Parameters that were filled in, by name: the API rejects empty strings. */
function given(context: IExecuteFunctions, itemIndex: number, ...names: string[]): IDataObject {
	const values = names.map((name) => [name, context.getNodeParameter(name, itemIndex, '')]);
	return filledIn(context, Object.fromEntries(values) as IDataObject);
}

function collection(context: IExecuteFunctions, itemIndex: number, name: string): IDataObject {
	return filledIn(context, context.getNodeParameter(name, itemIndex, {}) as IDataObject);
}

function filledIn(context: IExecuteFunctions, values: IDataObject): IDataObject {
	const filled = Object.entries(values).filter(([, value]) => value !== '');
	return Object.fromEntries(
		filled.map(([name, value]) => {
			if (name.endsWith('_id')) return [name, Number(value)]; // text from an expression
			if (INSTANTS.includes(name)) return [name, withOffset(value as string, context.getTimezone())];
			return [name, value];
		}),
	);
}

/** n8n's date picker leaves the offset out and means the workflow's time zone. */
function withOffset(text: string, zone: string): string {
	return DateTime.fromISO(text, { zone, setZone: true }).toISO() ?? text;
}

function pathOf(context: IExecuteFunctions, itemIndex: number, path: string): string {
	const id = context.getNodeParameter('id', itemIndex) as number | string;
	return `${path}/${encodeURIComponent(id)}`;
}

const get =
	(path: string): Operation =>
	async (context, itemIndex) =>
		await request(context, 'GET', pathOf(context, itemIndex, path), { itemIndex });

const getAll =
	(path: string): Operation =>
	async (context, itemIndex) => {
		const isAll = context.getNodeParameter('returnAll', itemIndex) as boolean;
		const limit = isAll ? Infinity : (context.getNodeParameter('limit', itemIndex) as number);
		const qs = collection(context, itemIndex, 'filters');
		return await requestRows(context, path, { qs, itemIndex }, limit);
	};

const update =
	(path: string): Operation =>
	async (context, itemIndex) => {
		const body = collection(context, itemIndex, 'fields');
		return await request(context, 'PATCH', pathOf(context, itemIndex, path), { body, itemIndex });
	};

const book: Operation = async (context, itemIndex) => {
	const names = ['customer_id', 'service_id', 'start_time'];
	const body = {
		...given(context, itemIndex, ...names),
		...collection(context, itemIndex, 'options'),
		source: 'n8n',
	};
	return await request(context, 'POST', '/appointments', { body, itemIndex });
};

const cancel: Operation = async (context, itemIndex) => {
	const qs = given(context, itemIndex, 'reason');
	const path = pathOf(context, itemIndex, '/appointments');
	return await request(context, 'DELETE', path, { qs, itemIndex });
};

const createCustomer: Operation = async (context, itemIndex) => {
	const isReturned = context.getNodeParameter('returnExisting', itemIndex) as boolean;
	return await request(context, 'POST', '/customers', {
		qs: isReturned ? { on_existing: 'return' } : {},
		body: { ...given(context, itemIndex, 'name', 'phone', 'email'), source: 'n8n' },
		itemIndex,
	});
};

const findSlots: Operation = async (context, itemIndex) => {
	const qs = {
		...given(context, itemIndex, 'service_id', 'limit'),
		...collection(context, itemIndex, 'options'),
	};
	return await request<IDataObject[]>(context, 'GET', '/appointments/slots', { qs, itemIndex });
};

/** By `resource.operation`. */
export const operations: Record<string, Operation> = {
	'appointment.book': book,
	'appointment.cancel': cancel,
	'appointment.get': get('/appointments'),
	'appointment.getAll': getAll('/appointments'),
	'appointment.update': update('/appointments'),
	'call.get': get('/calls'),
	'call.getAll': getAll('/calls'),
	'customer.create': createCustomer,
	'customer.get': get('/customers'),
	'customer.getAll': getAll('/customers'),
	'customer.update': update('/customers'),
	'slot.getAll': findSlots,
};
