// Admission webhooks as the API server calls them: who is asked, over which TLS, and what an answer or its absence does.

import { Buffer } from "node:buffer";
import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { User } from "./access.ts";
import type { Kind } from "./kind.ts";
import { asObject, at, type Fields, fieldsOf, isFields, type KubeObject, listOf, textOf } from "./object.ts";
import { patched } from "./patch.ts";
import { ApiError } from "./status.ts";
import type { Store } from "./store.ts";

/** What is about to happen. */
export interface Admission {
	readonly operation: "CREATE" | "UPDATE" | "DELETE";
	readonly kind: Kind;
	readonly subresource: string | undefined;
	readonly object: KubeObject | undefined;
	readonly oldObject: KubeObject | undefined;
	readonly user: User;
	readonly dryRun: boolean;
}

export interface Admitted {
	/** As the webhooks want it. */
	readonly object: KubeObject | undefined;
	readonly isMutated: boolean;
	readonly warnings: readonly string[];
}

export interface Webhooks {
	/** Whether anybody is to be asked at all. */
	concern(admission: Pick<Admission, "kind" | "subresource">): boolean;
	/** Throws ApiError if it is denied, or if a webhook fails that must not. */
	admit(admission: Admission): Promise<Admitted>;
	/** `ns/name` of a Service is served at these ports of loopback, one after the other. */
	route(service: string, ports: readonly number[]): void;
}

const GROUP = "admissionregistration.k8s.io";
const MUTATING = `mutatingwebhookconfigurations.${GROUP}`;
const VALIDATING = `validatingwebhookconfigurations.${GROUP}`;

export function createWebhooks(store: () => Store): Webhooks {
	const routes = new Map<string, readonly number[]>();
	let turn = 0;

	function hooksFor(kind: string): readonly Fields[] {
		const configurations = [...store().snapshot(kind).objects].sort((a, b) =>
			a.metadata.name < b.metadata.name ? -1 : 1,
		);
		return configurations.flatMap((configuration) => listOf(configuration["webhooks"]).map(fieldsOf));
	}

	function addressOf(hook: Fields): { readonly url: string; readonly serverName: string } {
		const client = fieldsOf(hook["clientConfig"]);
		const url = textOf(client["url"]);
		if (url !== undefined) return { url, serverName: new URL(url).hostname.replace(/^\[|\]$/g, "") };
		const service = fieldsOf(client["service"]);
		const ports = routes.get(`${service["namespace"]}/${service["name"]}`) ?? [];
		// The Service's own port counts for nothing here: these are its endpoints. 9 is discard: nobody is there.
		const port = ports[turn++ % Math.max(1, ports.length)] ?? 9;
		const path = textOf(service["path"]) ?? "/";
		return { url: `https://127.0.0.1:${port}${path}`, serverName: `${service["name"]}.${service["namespace"]}.svc` };
	}

	/** Undefined: it failed, and that is ignored. */
	async function call(hook: Fields, admission: Admission): Promise<Fields | undefined> {
		try {
			return await ask(hook, addressOf(hook), admission);
		} catch (error) {
			if (hook["failurePolicy"] === "Ignore") return undefined;
			const why = error instanceof Error ? error.message : String(error);
			const said = error instanceof InvalidAnswer ? why : `failed to call webhook: ${why}`;
			throw internalError(`failed calling webhook "${hook["name"]}": ${said}`);
		}
	}

	async function askAll(configurations: string, admission: Admission): Promise<Omit<Admitted, "isMutated">> {
		let { object } = admission;
		const warnings: string[] = [];
		for (const hook of hooksFor(configurations).filter((each) => matches(each, admission))) {
			const response = await call(hook, { ...admission, object });
			if (response === undefined) continue;
			warnings.push(...listOf(response["warnings"]).map(String));
			if (response["allowed"] !== true) throw denial(hook, response);
			if (object !== undefined) object = applyPatch(object, response);
		}
		return { object, warnings };
	}

	return {
		concern: ({ kind, subresource }) =>
			kind.group !== GROUP &&
			[MUTATING, VALIDATING].some((configurations) =>
				hooksFor(configurations).some((hook) => matches(hook, { kind, subresource })),
			),
		async admit(admission) {
			const mutated = await askAll(MUTATING, admission);
			const validated = await askAll(VALIDATING, { ...admission, object: mutated.object });
			const { object } = mutated;
			const warnings = [...mutated.warnings, ...validated.warnings];
			return { object, isMutated: !isDeepStrictEqual(object, admission.object), warnings };
		},
		route: (service, ports) => void routes.set(service, ports),
	};
}

function matches(
	hook: Fields,
	{ kind, subresource, operation }: Pick<Admission, "kind" | "subresource"> & Partial<Pick<Admission, "operation">>,
): boolean {
	const resource = subresource === undefined ? kind.resource : `${kind.resource}/${subresource}`;
	const has = (list: unknown, value: string): boolean => listOf(list).some((each) => each === "*" || each === value);
	return listOf(hook["rules"])
		.map(fieldsOf)
		.some(
			(rule) =>
				(operation === undefined || has(rule["operations"], operation)) &&
				has(rule["apiGroups"], kind.group) &&
				has(rule["apiVersions"], kind.version) &&
				(listOf(rule["resources"]).includes("*/*") ||
					(subresource === undefined
						? has(rule["resources"], resource)
						: listOf(rule["resources"]).includes(resource))),
		);
}

async function ask(
	hook: Fields,
	{ url, serverName }: { readonly url: string; readonly serverName: string },
	admission: Admission,
): Promise<Fields> {
	const seconds = typeof hook["timeoutSeconds"] === "number" ? hook["timeoutSeconds"] : 10;
	const versions = listOf(hook["admissionReviewVersions"]);
	const version = versions.find((each) => each === "v1" || each === "v1beta1") ?? "v1";
	const review = reviewOf(admission, `admission.k8s.io/${version}`);
	const caBundle = textOf(at(hook, "clientConfig", "caBundle")) ?? "";
	const ca = Buffer.from(caBundle, "base64").toString();
	const init: object = {
		method: "POST",
		headers: { "content-type": "application/json", "user-agent": "kube-apiserver-admission" },
		body: JSON.stringify(review),
		signal: AbortSignal.timeout(seconds * 1000),
		keepalive: false,
		// Without a bundle the system's authorities count, none of which signed it.
		tls: { ...(ca === "" ? {} : { ca }), serverName },
	};
	const answer = await fetch(`${url}?timeout=${seconds}s`, init);
	if (answer.status !== 200)
		throw new Error(`an error on the server ("${await answer.text()}") has prevented the request from succeeding`);
	const given: unknown = await answer.json();
	const response = at(given, "response");
	const isRight = at(given, "apiVersion") === review["apiVersion"] && at(given, "kind") === "AdmissionReview";
	if (!isRight)
		throw new Error(
			`converting (${at(given, "apiVersion")}.AdmissionReview) to (${review["apiVersion"]}.AdmissionReview): unknown conversion`,
		);
	if (!isFields(response)) throw new InvalidAnswer("received invalid webhook response: webhook response was absent");
	if (response["uid"] !== at(review, "request", "uid"))
		throw new InvalidAnswer(
			`received invalid webhook response: expected response.uid="${at(review, "request", "uid")}", got "${response["uid"]}"`,
		);
	const patch = textOf(response["patch"]);
	if (patch !== undefined && !isJson(Buffer.from(patch, "base64").toString()))
		throw new InvalidAnswer("received undecodable patch in webhook response");
	return response;
}

function isJson(text: string): boolean {
	try {
		JSON.parse(text);
		return true;
	} catch {
		return false;
	}
}

/** An answer came, but it says nothing. */
class InvalidAnswer extends Error {}

function reviewOf(
	{ operation, kind, subresource, object, oldObject, user, dryRun }: Admission,
	apiVersion: string,
): Fields {
	const { group, version, resource } = kind;
	const named = { group, version, kind: kind.kind };
	const served = { group, version, resource };
	const { name, namespace } = (object ?? oldObject)?.metadata ?? { name: "" };
	const options = { CREATE: "CreateOptions", UPDATE: "UpdateOptions", DELETE: "DeleteOptions" }[operation];
	const request = {
		uid: randomUUID(),
		kind: named,
		resource: served,
		...(subresource === undefined ? {} : { subResource: subresource }),
		requestKind: named,
		requestResource: served,
		name,
		...(namespace === undefined ? {} : { namespace }),
		operation,
		userInfo: { username: user.name, groups: user.groups },
		object: object ?? null,
		oldObject: oldObject ?? null,
		dryRun,
		options: { kind: options, apiVersion: "meta.k8s.io/v1" },
	};
	return { kind: "AdmissionReview", apiVersion, request };
}

function denial(hook: Fields, response: Fields): ApiError {
	const { message, reason, code } = fieldsOf(response["status"]);
	const text = textOf(message) ?? textOf(reason);
	const why = text === undefined ? " without explanation" : `: ${text}`;
	return new ApiError({
		code: typeof code === "number" && code > 0 ? code : 400,
		message: `admission webhook "${hook["name"]}" denied the request${why}`,
		reason: textOf(reason),
	});
}

function applyPatch(object: KubeObject, response: Fields): KubeObject {
	const patch = textOf(response["patch"]);
	if (patch === undefined) return object;
	try {
		const operations: unknown = JSON.parse(Buffer.from(patch, "base64").toString());
		return asObject(patched(object, "application/json-patch+json", operations)) ?? object;
	} catch (error) {
		throw internalError(error instanceof Error ? error.message : String(error));
	}
}

function internalError(message: string): ApiError {
	const details = { causes: [{ message }] };
	return new ApiError({ code: 500, message: `Internal error occurred: ${message}`, reason: "InternalError", details });
}

/** A header for kubectl's `Warning:` lines. */
export function warningHeader(warnings: readonly string[]): Readonly<Record<string, string>> {
	if (warnings.length === 0) return {};
	return { Warning: warnings.map((text) => `299 - ${JSON.stringify(text)}`).join(", ") };
}
