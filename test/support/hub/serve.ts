// From a request to its answer: who asks, what for, what goes wrong, and what is served.

import { parseDocument } from "yaml";
import type { Access, User } from "./access.ts";
import { sendError, sendJson } from "./answer.ts";
import { REVIEWS } from "./discovery.ts";
import { type Faults, suffer } from "./fault.ts";
import type { Response } from "./http.ts";
import type { Headers, HttpRequest } from "./http_request.ts";
import { idOf, type Kind } from "./kind.ts";
import { listPage, reach, selectionOf, versionOf } from "./list.ts";
import type { RequestLog, RequestRecord } from "./log.ts";
import { type KubeObject, keyOf } from "./object.ts";
import { subjectOf } from "./precondition.ts";
import type { Registry } from "./registry.ts";
import { review } from "./review.ts";
import { servePath } from "./serve_path.ts";
import {
	ApiError,
	badRequest,
	methodNotAllowed,
	objectNotFound,
	pageNotFound,
	resourceNotFound,
	serverError,
	unsupportedMediaType,
} from "./status.ts";
import { type ResourceTarget, type Target, targetOf } from "./target.ts";
import { serveWatch, type WatchContext } from "./watch.ts";
import { type Webhooks, warningHeader } from "./webhook.ts";
import { encodeList, encodeOne, type Form, negotiate } from "./wire.ts";
import type { WriteOptions, Writes } from "./writes.ts";

export interface ServeContext extends WatchContext {
	readonly access: Access;
	readonly registry: Registry;
	readonly writes: Writes;
	readonly webhooks: Webhooks;
	readonly faults: Faults;
	readonly log: RequestLog;
	/** The minor version of 1.x that /version tells. */
	readonly minor: number;
}

/** Answers a request; never throws but on a bug. */
export async function serve(context: ServeContext, request: HttpRequest, response: Response): Promise<void> {
	let user: User | undefined;
	let target: Target = { kind: "path", verb: request.method.toLowerCase(), path: request.path };
	let refused: ApiError | undefined;
	try {
		target = targetOf(request);
		user = context.access.authenticate(request, response.connection.socket);
		context.access.authorize(user, target, request.query);
	} catch (error) {
		refused = asApiError(error);
	}
	const record = recordOf(request, response, { target, user: user?.name ?? "" });
	context.log.add(record);
	if (await suffer(context.faults.strike(record), response)) return;
	if (refused !== undefined) return sendError(response, refused);
	try {
		const asker = user ?? { name: "", groups: [] };
		if (target.kind === "path") await servePath({ ...context, kinds: context.registry.all() }, request, response);
		else await serveResource(context, { request, response, target, user: asker });
	} catch (error) {
		await sendError(response, asApiError(error));
	}
}

function asApiError(error: unknown): ApiError {
	if (error instanceof ApiError) return error;
	if (error instanceof URIError) return badRequest("invalid URL escape");
	// A fault of the hub itself: the test sees where.
	return serverError(500, error instanceof Error ? (error.stack ?? error.message) : String(error));
}

function recordOf(
	request: HttpRequest,
	response: Response,
	{ target, user }: { readonly target: Target; readonly user: string },
): RequestRecord {
	const { method, path, query, headers, body } = request;
	const resource = target.kind === "resource" ? target : undefined;
	return {
		at: performance.now(),
		connection: response.connection.id,
		method,
		target: request.target,
		path,
		query,
		verb: target.verb,
		resource: resource === undefined ? "" : idOf(resource),
		subresource: resource?.subresource,
		namespace: resource?.namespace,
		name: resource?.name,
		user,
		headers,
		body: body.toString("utf8"),
		get code() {
			return response.code();
		},
		bytesIn: request.size,
		get bytesOut() {
			return response.bytes();
		},
	};
}

interface Asked {
	readonly request: HttpRequest;
	readonly response: Response;
	readonly target: ResourceTarget;
	readonly user: User;
}

async function serveResource(context: ServeContext, asked: Asked): Promise<void> {
	const { target, request, response, user } = asked;
	if (REVIEWS.some(({ group, resource }) => group === target.group && resource === target.resource)) {
		if (target.verb !== "create") throw methodNotAllowed();
		const answered = review(context.access, user, { resource: target.resource, body: bodyOf(request) });
		return sendJson(request, response, { code: 201, pieces: [`${JSON.stringify(answered)}\n`] });
	}
	const kind = context.registry.find(target.group, target.version, target.resource);
	if (kind === undefined)
		throw context.registry.hasGroup(target.group, target.version) ? resourceNotFound() : pageNotFound();
	if (target.subresource !== undefined && !(target.subresource === "status" && kind.status)) throw resourceNotFound();
	const form = negotiate(request.headers["accept"], request.query.get("includeObject"));
	switch (target.verb) {
		case "get":
			return getOne(context, asked, { kind, form });
		case "list":
			return list(context, asked, { kind, form });
		case "watch":
			return watch(context, asked, { kind, form });
		case "create":
		case "update":
		case "patch":
			return write(context, asked, { kind, form });
		case "delete":
		case "deletecollection":
			return remove(context, asked, { kind, form });
		default:
			throw methodNotAllowed();
	}
}

interface Served {
	readonly kind: Kind;
	readonly form: Form;
}

function sendObject(
	{ request, response }: Asked,
	object: KubeObject,
	{ kind, form, code = 200, headers = {} }: Served & { readonly code?: number; readonly headers?: Headers },
): Promise<void> {
	return sendJson(request, response, { code, form, headers, pieces: [encodeOne(object, kind, form), "\n"] });
}

async function getOne({ store, timing }: ServeContext, asked: Asked, served: Served): Promise<void> {
	const { target, request } = asked;
	const { kind } = served;
	await reach(store, versionOf(request.query, "list") ?? 0, timing);
	const object = store.get(idOf(kind), kind.namespaced ? `${target.namespace}/${target.name}` : `${target.name}`);
	if (object === undefined) throw objectNotFound(subjectOf(kind, `${target.name}`));
	return sendObject(asked, object, served);
}

async function list(
	context: ServeContext,
	{ request, response, target }: Asked,
	{ kind, form }: Served,
): Promise<void> {
	const selection = selectionOf(kind, target.namespace, request.query);
	const { objects, meta } = await listPage(context, selection, request.query);
	return sendJson(request, response, { code: 200, form, pieces: encodeList(objects, kind, { form, meta }) });
}

function watch(
	context: ServeContext,
	{ request, response, target, user }: Asked,
	{ kind, form }: Served,
): Promise<void> {
	const selection = selectionOf(kind, target.namespace, request.query);
	return serveWatch(
		context,
		{ selection, form, query: request.query, user: user.name, target: request.target },
		response,
	);
}

function optionsOf({ request, target }: Asked): WriteOptions {
	const { query, headers } = request;
	const apply = typeOf(request) === "application/apply-patch+yaml";
	// Go's clients name themselves BINARY/VERSION.
	const agent = (headers["user-agent"] ?? "unknown").split("/")[0] ?? "unknown";
	return {
		manager: query.get("fieldManager") ?? (apply ? "" : agent),
		subresource: target.subresource,
		dryRun: query.get("dryRun") === "All",
		force: query.get("force") === "true",
		strict: query.get("fieldValidation") === "Strict",
	};
}

function typeOf({ headers }: HttpRequest): string {
	return (headers["content-type"] ?? "application/json").split(";")[0]?.trim() ?? "";
}

/** A write, done or tried. */
type Attempt = (options: WriteOptions) => { readonly object: KubeObject; readonly created: boolean };

async function write(context: ServeContext, asked: Asked, served: Served): Promise<void> {
	const attempt = attemptOf(context, asked, served);
	const options = optionsOf(asked);
	const { subresource } = asked.target;
	if (!context.webhooks.concern({ kind: served.kind, subresource })) {
		const { object, created } = attempt(options);
		return sendObject(asked, object, { ...served, code: created ? 201 : 200 });
	}
	const { object, created, warnings } = await admitted(context, asked, { ...served, attempt, options });
	return sendObject(asked, object, { ...served, code: created ? 201 : 200, headers: warningHeader(warnings) });
}

function attemptOf({ writes }: ServeContext, { request, target }: Asked, { kind }: Served): Attempt {
	const { namespace, name } = target;
	const place = { kind, namespace, name };
	if (target.verb === "create") {
		if (name !== undefined) throw methodNotAllowed();
		const body = bodyOf(request, kind);
		return (options) => ({ object: writes.create(place, body, options), created: true });
	}
	if (name === undefined) throw methodNotAllowed();
	if (target.verb === "update") {
		const body = bodyOf(request, kind);
		return (options) => ({ object: writes.update(place, body, options), created: false });
	}
	const type = typeOf(request);
	const custom = ["application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml"];
	const known = kind.custom ? custom : [...custom, "application/strategic-merge-patch+json"];
	if (!known.includes(type)) throw unsupportedMediaType(known);
	const body = parseText(request, kind);
	return (options) => writes.patch(place, { type, body }, options);
}

interface Admitting extends Served {
	readonly attempt: Attempt;
	readonly options: WriteOptions;
}

/** Tried first, then shown to the webhooks, then written as they want it. */
async function admitted(context: ServeContext, { target, user }: Asked, { kind, attempt, options }: Admitting) {
	const { writes, webhooks, store } = context;
	const trial = attempt({ ...options, dryRun: true });
	const key = keyOf(trial.object);
	const oldObject = trial.created ? undefined : store.get(idOf(kind), key);
	const operation = trial.created ? "CREATE" : "UPDATE";
	const { subresource } = target;
	const dryRun = options.dryRun === true;
	const asked = { operation, kind, subresource, object: trial.object, oldObject, user, dryRun } as const;
	const { object = trial.object, isMutated, warnings } = await webhooks.admit(asked);
	// A name that was generated is settled; and what was mutated is another object than was sent.
	if (!isMutated && target.name !== undefined) return { ...attempt(options), warnings };
	const { namespace, name } = object.metadata;
	const place = { kind, namespace, name };
	if (!trial.created) return { object: writes.update(place, object, options), created: false, warnings };
	const { resourceVersion: _, uid: __, ...metadata } = object.metadata;
	return {
		object: writes.create({ ...place, name: undefined }, { ...object, metadata }, options),
		created: true,
		warnings,
	};
}

async function remove(context: ServeContext, asked: Asked, served: Served): Promise<void> {
	const { request, response, target } = asked;
	const { kind, form } = served;
	const body = request.body.length === 0 ? {} : bodyOf(request);
	const options = optionsOf(asked);
	const place = { kind, namespace: target.namespace, name: target.name };
	if (target.name !== undefined) {
		await admitDeletion(context, asked, { ...served, options });
		const { object, gone } = context.writes.delete(place, body, options);
		if (!gone || !kind.custom) return sendObject(asked, object, served);
		const details = { name: target.name, group: kind.group, kind: kind.resource, uid: object.metadata.uid };
		const status = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", details };
		return sendJson(request, response, { code: 200, pieces: [`${JSON.stringify(status)}\n`] });
	}
	const { objects, meta } = await listPage(context, selectionOf(kind, target.namespace, request.query), request.query);
	for (const { metadata } of objects)
		context.writes.delete({ kind, namespace: metadata.namespace, name: metadata.name }, body, options);
	return sendJson(request, response, { code: 200, form, pieces: encodeList(objects, kind, { form, meta }) });
}

async function admitDeletion(
	{ webhooks, store }: ServeContext,
	{ target, user }: Asked,
	{ kind, options }: Served & { readonly options: WriteOptions },
): Promise<void> {
	if (!webhooks.concern({ kind, subresource: undefined })) return;
	const oldObject = store.get(idOf(kind), kind.namespaced ? `${target.namespace}/${target.name}` : `${target.name}`);
	const dryRun = options.dryRun === true;
	await webhooks.admit({
		operation: "DELETE",
		kind,
		subresource: undefined,
		object: undefined,
		oldObject,
		user,
		dryRun,
	});
}

const BODIES = ["application/json", "application/yaml"];

function bodyOf(request: HttpRequest, kind?: Kind): unknown {
	if (!BODIES.includes(typeOf(request))) throw unsupportedMediaType(BODIES);
	return parseText(request, kind);
}

/** JSON, or YAML where the Content-Type says so: of a patch that is an apply. */
function parseText(request: HttpRequest, kind: Kind | undefined): unknown {
	const text = request.body.toString("utf8");
	try {
		return JSON.parse(text);
	} catch (cause) {
		if (typeOf(request).endsWith("yaml")) return parseDocument(text).toJS();
		const type = kind === undefined ? "" : ` (must be of type ${kind.kind})`;
		const why = "couldn't get version/kind; json parse error: unexpected end of JSON input";
		throw badRequest(`the object provided is unrecognized${type}: ${why} (${text.slice(0, 200)})`, cause);
	}
}
