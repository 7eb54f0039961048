// bun run scripts/crds.ts: writes edge/crds from the schema. With --check, only says what is not up to date.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { BALANCING_SPEC, LOCAL_REDIRECT_SPEC, type Schema, STATUS } from "./crd_schema.ts";

const GROUP = "balancing.elf.io";
const FOLDER = "edge/crds";

interface Column {
	readonly name: string;
	readonly type: "string" | "date";
	readonly description?: string;
	readonly jsonPath: string;
}

const MODE: Column = {
	name: "Mode",
	type: "string",
	description: "How selected Pods are reached",
	jsonPath: ".spec.backend.serviceEndpoint.redirectMode",
};

function columns(more: readonly Column[]): readonly Column[] {
	const condition = (type: string): Column => ({
		name: type,
		type: "string",
		jsonPath: `.status.conditions[?(@.type=="${type}")].status`,
	});
	return [
		{ name: "Service", type: "string", jsonPath: ".spec.frontend.serviceMatcher.serviceName" },
		{ name: "Namespace", type: "string", jsonPath: ".spec.frontend.serviceMatcher.namespace" },
		{ name: "Address", type: "string", jsonPath: ".spec.frontend.addressMatcher.ip" },
		...more,
		condition("Accepted"),
		condition("Resolved"),
		{ name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
	];
}

interface Definition {
	readonly kind: string;
	readonly plural: string;
	readonly short: string;
	readonly description: string;
	readonly spec: Schema;
	readonly columns: readonly Column[];
}

const DEFINITIONS: readonly Definition[] = [
	{
		kind: "LocalRedirectPolicy",
		plural: "localredirectpolicies",
		short: "lr",
		description:
			"Sends clients of a Service, or of an address, to ready Pods on their own node; as if it were not there where there are none.",
		spec: LOCAL_REDIRECT_SPEC,
		columns: columns([]),
	},
	{
		kind: "BalancingPolicy",
		plural: "balancingpolicies",
		short: "bl",
		description:
			"Sends clients of a Service, or of an address, to selected Pods, their nodes, or addresses of your choice.",
		spec: BALANCING_SPEC,
		columns: columns([MODE]),
	},
];

function definitionOf({ kind, plural, short, description, spec, columns }: Definition): Schema {
	return {
		apiVersion: "apiextensions.k8s.io/v1",
		kind: "CustomResourceDefinition",
		metadata: { name: `${plural}.${GROUP}` },
		spec: {
			group: GROUP,
			names: {
				kind,
				listKind: `${kind}List`,
				plural,
				singular: kind.toLowerCase(),
				shortNames: [short],
				categories: ["elf"],
			},
			scope: "Cluster",
			versions: [
				{
					name: "v1beta1",
					served: true,
					storage: true,
					subresources: { status: {} },
					additionalPrinterColumns: columns,
					schema: {
						openAPIV3Schema: {
							description,
							type: "object",
							required: ["spec"],
							properties: {
								apiVersion: { type: "string" },
								kind: { type: "string" },
								metadata: { type: "object" },
								spec,
								status: { description: "What became of it, seen from the whole cluster.", ...STATUS },
							},
						},
					},
				},
			],
		},
	};
}

/** The files of edge/crds by name. */
export function renderDefinitions(): ReadonlyMap<string, string> {
	return new Map(
		DEFINITIONS.map((definition) => {
			const text = stringify(definitionOf(definition), { lineWidth: 0, aliasDuplicateObjects: false });
			return [
				`${GROUP}_${definition.plural}.yaml`,
				`# ${definition.kind} for the API server: made by \`bun run scripts/crds.ts\`, which has the schema. Do not edit.\n${text}`,
			];
		}),
	);
}

if (import.meta.main) {
	process.chdir(`${import.meta.dir}/..`);
	mkdirSync(FOLDER, { recursive: true });
	for (const [name, text] of renderDefinitions()) {
		const file = join(FOLDER, name);
		if (existsSync(file) && readFileSync(file, "utf8") === text) continue;
		if (process.argv.includes("--check")) {
			console.error(`${file} is not what scripts/crd_schema.ts says: run \`bun run scripts/crds.ts\``);
			process.exitCode = 1;
		} else {
			writeFileSync(file, text);
			console.log(file);
		}
	}
}
