import type { ILoadOptionsFunctions, INodePropertyOptions } from 'n8n-workflow';

import { requestRows } from './transport';

async function optionsOf(
	context: ILoadOptionsFunctions,
	path: string,
): Promise<INodePropertyOptions[]> {
	const rows = await requestRows(context, path, {});
	return rows.map(({ id, name }) => ({ name: name as string, value: id as number }));
}

export async function getServices(this: ILoadOptionsFunctions): Promise<INodePropertyOptions[]> {
	return await optionsOf(this, '/services');
}

export async function getStaff(this: ILoadOptionsFunctions): Promise<INodePropertyOptions[]> {
	return await optionsOf(this, '/staff');
}
