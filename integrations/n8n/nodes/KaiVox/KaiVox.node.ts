import {
	NodeApiError,
	NodeConnectionTypes,
	type IDataObject,
	type IExecuteFunctions,
	type INodeExecutionData,
	type INodeType,
	type INodeTypeDescription,
	type JsonObject,
} from 'n8n-workflow';

import { getServices, getStaff } from '../shared/options';
import { properties } from './descriptions';
import { operations } from './operations';

export class KaiVox implements INodeType {
	description: INodeTypeDescription = {
		displayName: 'KaiVox',
		name: 'kaiVox',
		icon: { light: 'file:../../icons/kaivox.svg', dark: 'file:../../icons/kaivox.dark.svg' },
		group: ['transform'],
		version: 1,
		subtitle: '={{$parameter["operation"] + ": " + $parameter["resource"]}}',
		description: 'Find free times, book appointments, and read customers and calls in KaiVox',
		defaults: { name: 'KaiVox' },
		inputs: [NodeConnectionTypes.Main],
		outputs: [NodeConnectionTypes.Main],
		credentials: [{ name: 'kaiVoxApi', required: true }],
		properties,
		usableAsTool: true,
	};

	methods = { loadOptions: { getServices, getStaff } };

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		const results: INodeExecutionData[] = [];
		for (let itemIndex = 0; itemIndex < this.getInputData().length; itemIndex++) {
			const pairedItem = { item: itemIndex };
			try {
				const found = await executeItem(this, itemIndex);
				results.push(...found.map((json) => ({ json, pairedItem })));
			} catch (error) {
				if (!this.continueOnFail()) {
					throw new NodeApiError(this.getNode(), error as JsonObject, { itemIndex });
				}
				results.push({ json: { error: error.message }, error, pairedItem });
			}
		}
		return [results];
	}
}

async function executeItem(context: IExecuteFunctions, itemIndex: number): Promise<IDataObject[]> {
	const resource = context.getNodeParameter('resource', itemIndex) as string;
	const operation = context.getNodeParameter('operation', itemIndex) as string;
	const data = await operations[`${resource}.${operation}`](context, itemIndex);
	return Array.isArray(data) ? data : [data];
}
