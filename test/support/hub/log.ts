// What clients asked of the hub, so that tests can say how much they may.

export interface RequestRecord {
	/** performance.now() when it came. */
	readonly at: number;
	readonly connection: number;
	readonly method: string;
	/** With the query. */
	readonly target: string;
	readonly path: string;
	readonly query: URLSearchParams;
	/** As RBAC names it: get, list, watch, create, ...; of paths that are no resource the method. */
	readonly verb: string;
	/** services, leases.coordination.k8s.io; empty for other paths. */
	readonly resource: string;
	readonly subresource: string | undefined;
	readonly namespace: string | undefined;
	readonly name: string | undefined;
	readonly user: string;
	readonly headers: Readonly<Record<string, string>>;
	readonly body: string;
	/** Undefined while nothing was answered. */
	readonly code: number | undefined;
	readonly bytesIn: number;
	/** So far: a watch goes on. */
	readonly bytesOut: number;
}

export type RequestFilter = Partial<
	Pick<RequestRecord, "method" | "path" | "verb" | "resource" | "subresource" | "namespace" | "name" | "user" | "code">
> & {
	readonly where?: (record: RequestRecord) => boolean;
};

export interface RequestLog {
	add(record: RequestRecord): void;
	find(filter?: RequestFilter): readonly RequestRecord[];
	clear(): void;
}

/** The oldest are forgotten. */
const LIMIT = 100_000;

export function createRequestLog(): RequestLog {
	let records: RequestRecord[] = [];
	return {
		add(record) {
			records.push(record);
			if (records.length > 2 * LIMIT) records = records.slice(-LIMIT);
		},
		find: (filter = {}) => records.filter((record) => fits(record, filter)),
		clear() {
			records = [];
		},
	};
}

/** Every field that is given is the record's. */
export function fits(record: RequestRecord, { where, ...wanted }: RequestFilter): boolean {
	const fields: Partial<RequestRecord> = wanted;
	return (
		Object.entries(fields).every(([key, value]) => value === undefined || Reflect.get(record, key) === value) &&
		(where?.(record) ?? true)
	);
}
