// Which hubs are meant: each --manifests, --kubeconfig or --metaserver is one, and so is each further --context.

import { resolve } from "node:path";
import { UsageError } from "./command_line.ts";
import type { HubValue } from "./hub_order.ts";

export type HubChoice =
	| { readonly kind: "manifests"; readonly path: string }
	| KubernetesChoice
	/** `http://127.0.0.1:10550`: scheme, host and port, no more. */
	| { readonly kind: "metaserver"; readonly url: string };

/** An API server. Without a kubeconfig: that of the surroundings. */
export interface KubernetesChoice {
	readonly kind: "kubernetes";
	readonly kubeconfig?: string;
	readonly context?: string;
	/** HOST:PORT. */
	readonly apiServer?: string;
}

/** An API server in the making. */
interface Server {
	/** Where its first flag stands. */
	readonly at: number;
	readonly kubeconfig: HubValue | undefined;
	readonly context: HubValue | undefined;
	address: HubValue | undefined;
}

/**
 * In the order in which they win: a hub stands where its first flag stands. With one kubeconfig, or none, every context is a hub of it; with
 * several a context belongs to the one before it. An api-server belongs to the only API server, or to the one before it. Throws
 * UsageError where that does not say to which, or if a hub is there twice.
 */
export function chooseHubs(values: readonly HubValue[]): readonly HubChoice[] {
	const servers = serversOf(values);
	for (const [at, value] of values.entries()) if (value.flag === "api-server") giveAddress(servers, values, at);
	const placed: { readonly at: number; readonly choice: HubChoice }[] = servers.map((server) => ({
		at: server.at,
		choice: toChoice(server),
	}));
	for (const [at, { flag, value }] of values.entries()) {
		if (flag === "manifests") placed.push({ at, choice: { kind: "manifests", path: value } });
		if (flag === "metaserver") placed.push({ at, choice: { kind: "metaserver", url: value } });
	}
	const choices = placed.sort((a, b) => a.at - b.at).map(({ choice }) => choice);
	demandDistinct(choices);
	return choices;
}

function serversOf(values: readonly HubValue[]): readonly Server[] {
	const kubeconfigs = values.filter(({ flag }) => flag === "kubeconfig");
	const contexts = values.filter(({ flag }) => flag === "context");
	if (kubeconfigs.length > 1) {
		const owners = new Map(contexts.map((context) => [context, ownerOf(context, values)]));
		return kubeconfigs.flatMap((kubeconfig) => {
			const own = contexts.filter((context) => owners.get(context) === kubeconfig);
			return serversOfFile(kubeconfig, own, values);
		});
	}
	const isMeant = values.length === 0 || values.some(({ flag }) => flag === "api-server");
	if (kubeconfigs.length + contexts.length === 0 && !isMeant) return [];
	return serversOfFile(kubeconfigs[0], contexts, values);
}

/** The kubeconfig before it. */
function ownerOf(context: HubValue, values: readonly HubValue[]): HubValue {
	const before = values.slice(0, values.indexOf(context)).filter(({ flag }) => flag === "kubeconfig");
	const owner = before.at(-1);
	if (owner?.origin === context.origin) return owner;
	throw new UsageError(
		`Cannot tell which kubeconfig ${context.place} ${JSON.stringify(context.value)} is of: give it right behind its --kubeconfig`,
	);
}

function serversOfFile(
	kubeconfig: HubValue | undefined,
	contexts: readonly HubValue[],
	values: readonly HubValue[],
): readonly Server[] {
	const place = (value: HubValue | undefined) => (value === undefined ? [] : values.indexOf(value));
	const [first, ...more] = contexts;
	const own = [kubeconfig, first].flatMap(place);
	// Only an api-server, or nothing at all: what is found by itself.
	const at = own.length > 0 ? Math.min(...own) : values.findIndex(({ flag }) => flag === "api-server");
	return [
		{ at, kubeconfig, context: first, address: undefined },
		...more.map((context) => ({ at: values.indexOf(context), kubeconfig, context, address: undefined })),
	];
}

function giveAddress(servers: readonly Server[], values: readonly HubValue[], at: number): void {
	const address = values[at];
	const server = servers.length === 1 ? servers[0] : serverBefore(servers, values, at);
	const shown = `${address?.place} ${JSON.stringify(address?.value)}`;
	if (server === undefined) {
		const fix = "give it right behind its --kubeconfig or --context";
		throw new UsageError(`Cannot tell which API server ${shown} is for: ${fix}`);
	}
	if (server.address !== undefined) {
		const former = JSON.stringify(server.address.value);
		throw new UsageError(`Cannot use ${shown}: the API server has the address ${former} already; give one of them`);
	}
	server.address = address;
}

/** Undefined if what stands before is no single API server, or was not given in the same place. */
function serverBefore(servers: readonly Server[], values: readonly HubValue[], at: number): Server | undefined {
	const before = values.slice(0, at).filter(({ flag }) => flag === "kubeconfig" || flag === "context");
	const last = before.at(-1);
	if (last === undefined || last.origin !== values[at]?.origin) return undefined;
	const [server, ...more] = servers.filter(({ kubeconfig, context }) => context === last || kubeconfig === last);
	return more.length === 0 ? server : undefined;
}

function toChoice({ kubeconfig, context, address }: Server): KubernetesChoice {
	return {
		kind: "kubernetes",
		...(kubeconfig === undefined ? {} : { kubeconfig: kubeconfig.value }),
		...(context === undefined ? {} : { context: context.value }),
		...(address === undefined ? {} : { apiServer: address.value }),
	};
}

function demandDistinct(choices: readonly HubChoice[]): void {
	const seen = new Set<string>();
	for (const choice of choices) {
		const name = nameOf(choice);
		if (seen.has(name)) throw new UsageError(`Cannot follow ${name} twice: give it once`);
		seen.add(name);
	}
}

/** The same for the same hub, however its path is spelled. */
function nameOf(choice: HubChoice): string {
	if (choice.kind === "manifests") return `the manifests ${resolve(choice.path)}`;
	if (choice.kind === "metaserver") return `the MetaServer ${choice.url}`;
	const { kubeconfig, context } = choice;
	const file = kubeconfig === undefined ? "the default kubeconfig" : `kubeconfig ${resolve(kubeconfig)}`;
	return `${context === undefined ? "the current context" : `context ${context}`} of ${file}`;
}
